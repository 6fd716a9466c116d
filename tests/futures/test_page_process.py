"""The page of a run is served by a process of its own, which ends with the run, however that ends."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from launching import CHAIN, Running, eventually, free_port, launch, python, write

pytest.importorskip("uvicorn")

from recorded import RecordedRun, news_of
from served import Page

from fedfutures import Executor
from fedfutures.errors import NotSupportedHere, StartFailed
from fedfutures.futures import page_process as module
from fedfutures.futures.page_process import PageProcess

pytestmark = pytest.mark.host

SECONDS = 20.0


def listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_each_link_opens_once_and_the_end_is_the_end(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path, news_of(100), 100)
    page = PageProcess(str(tmp_path))
    first, second = Page(page.link()), Page(page.link())
    assert first.address != second.address
    for one in (first, second):
        one.open()
    assert eventually(lambda: first.json("/api/run")["sums"]["futures"] == 100, SECONDS)
    page.end()
    assert not listens(first.port)
    run.close()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        page = PageProcess(str(tmp_path), taken.getsockname()[1])
        with pytest.raises(StartFailed, match=f"port {taken.getsockname()[1]} cannot be used: Address already in use"):
            page.link()
        page.end()


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError(\"No module named 'uvicorn'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    page = PageProcess(str(tmp_path))
    with pytest.raises(
        StartFailed, match=r"No module named 'uvicorn'. Install what it needs: python -m pip install st"
    ):
        page.link()
    page.end()


def test_one_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_SECONDS", 0.5)
    (tmp_path / "uvicorn.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    page = PageProcess(str(tmp_path))
    with pytest.raises(StartFailed, match=r"its process has said nothing for 0\.5 s"):
        page.link()
    page.end()


def test_where_no_process_can_be_started_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "executable", str(tmp_path / "no python"))
    with pytest.raises(StartFailed, match=r"the page cannot be served: .*no python"):
        PageProcess(str(tmp_path))


def test_an_executor_has_a_page(tmp_path: Path) -> None:
    with Executor(1, page=True) as executor:
        page = Page(executor.page)
        page.open()
        assert executor.submit(pow, 2, 5).result() == 32
        assert eventually(lambda: page.json("/api/run")["sums"]["futures"] == 1, SECONDS)
        assert page.json("/api/run")["pid"] == os.getpid()
    assert not listens(page.port)
    with pytest.raises(StartFailed, match="the run has ended, and its page with it"):
        _ = executor.page
    with Executor(1, page=(port := free_port())) as executor:
        assert Page(executor.page).port == port
    with Executor(1) as executor, pytest.raises(NotSupportedHere, match="make it with page=True"):
        _ = executor.page
    with pytest.raises(NotSupportedHere, match="for an Executor with Workers of its own"):
        Executor(mode="serial", page=True)


@pytest.mark.parametrize("bad", ["8000", 65536, -1, 1.5, None])
def test_a_port_is_a_number(bad: object) -> None:
    with pytest.raises((TypeError, ValueError), match="page"):
        Executor(1, page=bad)  # type: ignore[arg-type]


def test_it_ends_with_a_program_that_is_killed(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import time
        from fedfutures import Executor

        if __name__ == "__main__":
            executor = Executor(1, page=True)
            print(executor.page, flush=True)
            time.sleep(600)
        """,
    )
    running = Running(["prog.py"], cwd=tmp_path, fedfutures=False)
    assert running.process.stdout is not None
    page = Page(running.process.stdout.readline().strip())
    page.open()
    os.kill(running.process.pid, signal.SIGKILL)
    assert eventually(lambda: not listens(page.port), SECONDS)
    assert eventually(running.gone, SECONDS)
    running.process.communicate(timeout=SECONDS)


def test_it_ends_with_the_program_though_a_forked_process_lives(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import os, time
        from fedfutures import Executor

        if __name__ == "__main__":
            executor = Executor(1, page=True)
            address = executor.page
            if os.fork() == 0:
                time.sleep(600)
            print(address, flush=True)
            time.sleep(600)
        """,
    )
    running = Running(["prog.py"], cwd=tmp_path, fedfutures=False)
    assert running.process.stdout is not None
    page = Page(running.process.stdout.readline().strip())
    os.kill(running.process.pid, signal.SIGKILL)
    assert eventually(lambda: not listens(page.port), SECONDS)
    running.kill()
    running.process.communicate(timeout=SECONDS)


def test_a_page_that_is_slow_to_start_cuts_nothing_off(tmp_path: Path) -> None:
    """Its threads are none of the program's: what callbacks submit while the program ends is waited for."""
    (tmp_path / "uvicorn.py").write_text("import time; time.sleep(600)")
    write(tmp_path / "prog.py", CHAIN)
    ended = launch("-n", "1", "--page", "prog.py", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert (ended.code, ended.out) == (0, "done\n"), ended.err


def test_a_program_that_forgets_its_executor_ends(tmp_path: Path) -> None:
    program = """
        from fedfutures import Executor

        if __name__ == "__main__":
            executor = Executor(1, page=True)
            print(executor.submit(pow, 2, 5).result())
        """
    ended = python("prog.py", cwd=write(tmp_path / "prog.py", program).parent)
    assert (ended.code, ended.out, ended.err) == (0, "32\n", "")
