"""``fedfutures page``: a page of a run that is there, until it is interrupted; a token for other programs."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Running, eventually, launch, write

pytest.importorskip("uvicorn")

from served import Page

from fedfutures.seeing.runs import chosen, runs
from fedfutures_launcher.verbs.page import token_in

pytestmark = pytest.mark.host

SECONDS = 20.0
PROGRAM = """
    import time
    from fedfutures import futures

    if __name__ == "__main__":
        futures.submit(time.sleep, 600.0).result()
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    write(tmp_path / "prog.py", PROGRAM)
    running = Running(["-n", "1", "prog.py"], cwd=tmp_path)
    assert eventually(lambda: bool(chosen(runs(), str(running.process.pid))), SECONDS)
    yield running
    running.kill()
    running.process.communicate(timeout=SECONDS)


def test_it_serves_until_it_is_interrupted_and_after_the_end_of_the_run(running: Running, tmp_path: Path) -> None:
    serving = Running(["page", str(running.process.pid), "--token-file", "token"], cwd=tmp_path)
    assert serving.process.stdout is not None
    page = Page(serving.process.stdout.readline().strip())
    page.open()
    token = (tmp_path / "token").read_text().strip()
    assert token != page.token, "who opens a link does not get it"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert eventually(lambda: page.json("/api/run")["pid"] == running.process.pid, SECONDS)
    assert "fedfutures_workers 1.0" in page.ask("/metrics", token=token)[2]
    running.kill()
    assert eventually(lambda: page.json("/api/run")["over"] != "", SECONDS)
    assert page.json("/api/run")["pid"] == running.process.pid, "what was known last is kept"
    os.kill(serving.process.pid, signal.SIGINT)
    ended = serving.end()
    assert (ended.code, "Traceback" in ended.err) == (0, False)
    assert serving.gone()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "no run of yours on this machine is called nobody"),
        (["--port", "x"], "x is not a number from 0 to 65535"),
        (["--port", "99999"], "99999 is not a number from 0 to 65535"),
    ],
)
def test_what_cannot_be_served(words: list[str], said: str, tmp_path: Path) -> None:
    ended = launch("page", *words, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_port_that_is_taken(running: Running, tmp_path: Path) -> None:
    serving = Running(["page", str(running.process.pid)], cwd=tmp_path)
    assert serving.process.stdout is not None
    port = Page(serving.process.stdout.readline().strip()).port
    ended = launch("page", str(running.process.pid), "--port", str(port), cwd=tmp_path)
    assert (ended.code, f"port {port} cannot be used: Address already in use" in ended.err) == (2, True)
    serving.kill()
    serving.process.communicate(timeout=SECONDS)


def test_a_token_is_secret(tmp_path: Path) -> None:
    path = str(tmp_path / "token")
    made = token_in(path)
    assert token_in(path) == made
    os.chmod(path, 0o640)
    with pytest.raises(ValueError, match=f"others may read the token in {path}: chmod 600 {path}"):
        token_in(path)
    for text in ("short", "x" * 31 + "\n", "y" * 40 + "\nGET / HTTP/1.1"):
        Path(path).write_text(text)
        os.chmod(path, 0o600)
        with pytest.raises(ValueError, match="has no token"):
            token_in(path)
    with pytest.raises(OSError, match="No such file"):
        token_in(str(tmp_path / "none" / "token"))
