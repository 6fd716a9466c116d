"""``--page``: the link is printed, and the run does not wait for it, whatever becomes of it."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from launching import Running, eventually, launch, write

pytest.importorskip("uvicorn")

from served import Page

pytestmark = pytest.mark.host

SECONDS = 20.0
PROGRAM = """
    import sys, time
    from fedfutures import futures

    def nap(seconds):
        time.sleep(seconds)
        return 7

    if __name__ == "__main__":
        print(futures.submit(nap, float(sys.argv[1])).result())
"""


@pytest.mark.parametrize("controls", [False, True])
def test_the_link_is_printed(tmp_path: Path, controls: bool) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    running = Running(["-n", "1", "--page", *(["--page-control"] * controls), "prog.py", "600"], cwd=tmp_path)
    assert running.process.stderr is not None
    line = running.process.stderr.readline()
    found = re.fullmatch(r"fedfutures: (http://127\.0\.0\.1:\d+/\?key=\S+) \(opens once; .*\)\n", line)
    assert found is not None, line
    page = Page(found[1])
    page.open()

    def number() -> int:
        workers = page.json("/api/run")["workers"]
        return int(workers[0]["future"]) if workers else 0

    assert eventually(lambda: number() > 0, SECONDS)
    explained = page.json(f"/api/future/{number()}")
    assert explained["call"] == "nap(seconds=600.0)"
    assert "in nap" in explained["traceback"]
    status = page.ask(f"/api/future/{number()}/cancel", method="POST")[0]
    if controls:
        assert status == 202
        assert "CancelledError" in running.end(seconds=SECONDS).err
    else:
        assert status == 403
        running.kill()
        running.process.communicate(timeout=SECONDS)
    assert running.gone()


def test_a_run_goes_on_without_its_page(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = launch("-n", "1", "--page", port, "prog.py", "3", cwd=tmp_path)
    said = f"fedfutures: the page cannot be served: port {port} cannot be used: Address already in use\n"
    assert (ended.code, ended.out, ended.err) == (0, "7\n", said)


def test_a_short_run_does_not_wait_for_it(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "1", "--page", "prog.py", "0", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "7\n")
    assert ended.err == "" or "(opens once; " in ended.err


@pytest.mark.parametrize("port", ["65536", "-1", "x"])
def test_a_port_is_a_number(tmp_path: Path, port: str) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch(f"--page={port}", "prog.py", cwd=tmp_path)
    assert ended.code == 2
    assert "--page" in ended.err
