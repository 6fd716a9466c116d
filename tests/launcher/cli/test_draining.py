"""``--drain``: what a program that gets SIGTERM or SIGHUP waits for."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from launching import Ended, Running, write

pytestmark = pytest.mark.host

PROGRAM = """
    import signal, sys, time
    from fedfutures import futures

    def work(number):
        print("begun", flush=True)
        time.sleep({seconds})
        open(f"done-{{number}}", "w").close()

    if __name__ == "__main__":
        {install}
        todo = [futures.submit(work, number) for number in range(6)]
        todo[-1].add_done_callback(lambda future: print("called", flush=True))
        time.sleep(60)
        print("not to be reached", flush=True)
"""


def run(directory: Path, drain: str, number: int, *, seconds: float = 0.3, install: str = "", to_all: bool = False,
        times: int = 1) -> Ended:  # fmt: skip
    """Run a program, signal it when its first Futures have begun, and wait for its end."""
    write(directory / "prog.py", PROGRAM.format(seconds=seconds, install=install))
    running = Running(["-n", "2", "--no-prefix", "--drain", drain, "prog.py"], cwd=directory)
    try:
        assert running.process.stdout is not None
        assert running.process.stdout.readline() == "begun\n"
        for _ in range(times):
            for pid in running.processes() if to_all else [running.process.pid]:
                os.kill(pid, number)
            time.sleep(0.3)
        ended = running.end(seconds=20)
        assert running.gone()
    finally:
        running.kill()
    return ended


@pytest.mark.parametrize(
    ("number", "to_all"), [(signal.SIGTERM, False), (signal.SIGHUP, False), (signal.SIGTERM, True)]
)
def test_open_futures_finish_and_the_program_ends_by_the_signal(number: int, to_all: bool, tmp_path: Path) -> None:
    ended = run(tmp_path, "20", number, to_all=to_all)
    assert ended.code == -number
    assert len(list(tmp_path.glob("done-*"))) == 6
    lines = ended.out.splitlines()
    assert lines.count("called") == 1, lines
    assert "not to be reached" not in lines
    name = signal.Signals(number).name
    assert f"fedfutures: {name}: the program waits 20 s at most, since 6 Futures were open" in ended.err
    assert "Traceback" not in ended.err


def test_what_takes_longer_is_cut_off(tmp_path: Path) -> None:
    ended = run(tmp_path, "0.5", signal.SIGTERM, seconds=30.0)
    assert ended.code == -signal.SIGTERM
    assert ended.err.splitlines()[-1] == "fedfutures: SIGTERM came 0.5 s ago: 6 Futures were cut off"


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    ended = run(tmp_path, "20", signal.SIGTERM, seconds=30.0, times=2)
    assert ended.code == -signal.SIGTERM
    assert "cut off" not in ended.err


def test_a_handler_of_the_program_comes_first(tmp_path: Path) -> None:
    ended = run(tmp_path, "20", signal.SIGTERM, seconds=30.0, install="signal.signal(15, lambda *_: sys.exit(4))")
    assert ended.code == 4
    assert ended.err == "fedfutures: the program exited with code 4: 6 Futures were cut off\n"
