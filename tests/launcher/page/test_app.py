"""What the server answers to which request, over HTTP: the page, its data, and nothing to anybody else (T19)."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")

from launching import eventually
from served import SECRET, Served

pytestmark = pytest.mark.host

SECONDS = 20.0
FUTURES = 3000
PATHS = ("/", "/api/run", "/api/spans?begin=0&end=1", "/api/future/1", "/metrics", "/api/future/1/cancel", "/nothing",
         "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/page.js", "//evil.example/")  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = Served(tmp_path_factory.mktemp("run"), FUTURES)
    found.page.open()
    yield found
    found.end()


def test_the_page_loads_nothing_from_anywhere(served: Served) -> None:
    page, headers = served.page, served.page.headers
    assert headers["content-type"] == "text/html; charset=utf-8"
    policy = headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce is not None
    assert policy.startswith("default-src 'none'; ")
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.text.count(f'nonce="{nonce[1]}"') == 3
    assert not re.search(r"@[A-Z]+@", page.text)
    assert re.findall(r"https?://[^\s\"'`]+", page.text) == ["http://www.w3.org/2000/svg"], "a name, which nobody asks"
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert "set-cookie" not in headers
    assert "server" not in headers


def test_a_link_opens_once(served: Served) -> None:
    status, _, text = served.page.ask(served.page.address.partition(str(served.page.port))[2], token="")
    assert (status, served.page.token in text) == (401, False)
    assert "fedfutures page" in text
    again = served.link()
    again.open()
    assert again.token == served.page.token


def test_the_page_has_the_key_of_its_next_visit(served: Served) -> None:
    found = re.search(r'"key": "([^"]+)"', served.page.text)
    assert found is not None
    assert served.page.ask(f"/?key={found[1]}", token="")[0] == 200
    assert served.page.ask(f"/?key={found[1]}", token="")[0] == 401


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_answered_without_the_token(served: Served, path: str) -> None:
    for method in METHODS:
        for token in ("", "x", SECRET.hex(), f"{served.page.token}x"):
            status, headers, text = served.page.ask(path, method=method, token=token)
            assert status in (401, 403, 404), (method, token)
            assert served.page.token not in text
            assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_answered_to_another_host_or_page(served: Served, path: str) -> None:
    for method in METHODS:
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
            assert served.page.ask(path, method=method, headers=headers)[0] == 403, (method, headers)


@pytest.mark.parametrize("method", [one for one in METHODS if one not in ("GET", "HEAD")])
def test_with_the_token_it_only_reads(served: Served, method: str) -> None:
    for path in PATHS:
        assert served.page.ask(path, method=method)[0] == 403


@pytest.mark.parametrize("path", PATHS[6:])
def test_there_are_no_other_paths(served: Served, path: str) -> None:
    status, _, text = served.page.ask(path)
    assert (status, "root:" in text) == (404, False)


def test_a_second_host_header_is_refused(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.page.port), SECONDS) as raw:
        token = f"Authorization: Bearer {served.page.token}"
        lines = ["GET /api/run HTTP/1.1", "Host: 127.0.0.1", "Host: evil.example", token, "Connection: close", "", ""]
        raw.sendall("\r\n".join(lines).encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split(b"\r\n")[0].split()[1] in (b"400", b"403")


def test_data_are_those_of_the_run(served: Served) -> None:
    assert served.run.told.wait(SECONDS)
    assert eventually(lambda: served.page.json("/api/run")["sums"]["futures"] == FUTURES, SECONDS)
    shown = served.page.json("/api/run")
    assert (shown["all_workers"], shown["program"], shown["pid"]) == (1000, "<i onclick=x>big.py", 71)
    begin, end = 0, shown["seconds"] + 60.0  # where outcomes come faster than Workers can run them, rows go on

    def count() -> int:
        found = 0
        for first in range(0, 1000, 500):
            asked = f"/api/spans?begin={begin}&end={end}&columns=50&first={first}&rows=500"
            found += sum(span[4] for row in served.page.json(asked)["rows"] for span in row["spans"])
        return found

    assert eventually(lambda: count() == FUTURES, SECONDS)


@pytest.mark.parametrize(
    "asked",
    ["begin=x", "begin=2&end=1", "begin=nan&end=1", "begin=0&end=inf", "begin=-inf&end=0", "columns=many", "rows=1.5"],
)
def test_bad_requests_are_refused(served: Served, asked: str) -> None:
    assert served.page.ask(f"/api/spans?{asked}")[0] == 400


def test_numbers_have_bounds(served: Served) -> None:
    found = served.page.json("/api/spans?begin=0&end=1&columns=99999999&rows=99999999&first=-5")
    assert (found["columns"], len(found["rows"]), found["first"]) == (80, 500, 0)
    assert served.page.ask("/api/future/99999999999999999999999999")[0] == 200


def test_a_future_is_explained(served: Served) -> None:
    found = served.page.json("/api/future/1")
    assert found["state"] == "running"
    assert "price(row=7) has run on h" in found["text"]


def test_figures_are_for_programs(served: Served) -> None:
    status, headers, text = served.page.ask("/metrics")
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/plain")
    assert "fedfutures_workers 1000.0" in text


def test_a_page_that_controls_ends_futures(tmp_path: Path) -> None:
    found = Served(tmp_path, FUTURES, controls=True)
    try:
        found.page.open()
        assert '"controls": true' in found.page.text
        assert found.page.ask("/api/future/1/cancel", method="POST", token="x")[0] == 401
        assert (
            found.page.ask("/api/future/1/cancel", method="POST", headers={"Origin": "http://evil.example"})[0] == 403
        )
        assert found.page.ask("/api/future/1/cancel", method="POST")[0] == 202
        assert found.run.cancelled == [1]
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
            assert found.page.ask("/api/future/1/cancel", method=method)[0] == 403
        assert found.page.ask("/api/future/1/cancel")[0] == 405
    finally:
        found.end()
    assert found.page.address
