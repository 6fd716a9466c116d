"""SIGUSR1 explains the run, unless the program, or whoever started it, has other plans for it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from launching import launch, write

pytestmark = pytest.mark.host


def test_a_program_says_what_takes_long(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import os, signal, time
        from fedfutures import futures

        if __name__ == "__main__":
            future = futures.submit(time.sleep, 2)
            while not future.running():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGUSR1)
            future.result()
        """,
    )
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "fedfutures: sleep(2) has run on " in ended.err


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "lambda *_: print('mine')"])
def test_a_program_may_use_it_otherwise(tmp_path: Path, handler: str) -> None:
    write(
        tmp_path / "prog.py",
        f"""
        import os, signal
        from fedfutures import futures

        if __name__ == "__main__":
            signal.signal(signal.SIGUSR1, {handler})
            os.kill(os.getpid(), signal.SIGUSR1)
            print(futures.submit(abs, -1).result())
        """,
    )
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == "1"


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import signal

        if __name__ == "__main__":
            print(signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN)
        """,
    )
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (ended.out, ended.err) == ("True\n", "")
