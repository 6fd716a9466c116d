"""Handlers of signals that raise while our own code runs: no Future is lost, no interrupt is swallowed."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import interrupting
import pytest
import signal_program
from launching import Ended, Running, python, write

pytestmark = pytest.mark.host
ROUNDS = "8"


def interrupted(program: Path, launched: bool = False, *, after: float, seconds: float) -> tuple[Running, Ended]:
    """Run a program, send it Ctrl-C so many seconds after it says "begun", and wait for its end."""
    running = Running(["-n", "2", str(program)] if launched else [str(program)], fedfutures=launched)
    assert running.process.stdout is not None
    assert running.process.stdout.readline() == "begun\n"
    time.sleep(after)
    running.process.send_signal(signal.SIGINT)
    return running, running.end(seconds=seconds)


@pytest.fixture(autouse=True)
def _ends_in_time() -> None:
    """In place of the bound for tests in this process: programs have one of their own, and are killed then."""


def test_interrupts_at_any_moment() -> None:
    """For many more rounds: ``python tests/futures/interrupting.py 300``."""
    ended = python(str(Path(interrupting.__file__)), ROUNDS)
    assert " 0 problems" in ended.out, ended.out + ended.err
    assert ended.code == 0
    assert int(ended.out.split(" interrupts")[0].split()[-1]) > 50


def test_what_programs_do_with_signals() -> None:
    ended = python(str(Path(signal_program.__file__)))
    assert ended.out.splitlines() == [f"{case.__name__} right" for case in signal_program.CASES], ended.err
    assert ended.code == 0


@pytest.mark.parametrize("launched", [True, False], ids=["launched", "an Executor"])
def test_ctrl_c_says_what_was_cut_off_and_shows_the_line_of_the_program(tmp_path: Path, launched: bool) -> None:
    program = write(
        tmp_path / "slow.py",
        """\
        import time
        from fedfutures import Executor, futures
        if __name__ == "__main__":
            source = %s
            calls = [source.submit(time.sleep, 30) for _ in range(8)]
            print("begun", flush=True)
            calls[0].result()  # here it is
        """
        % ("futures" if launched else "Executor(max_workers=2)"),
    )
    running, ended = interrupted(program, launched, after=0.1, seconds=20)
    assert ended.code in (-signal.SIGINT, 130)
    lines = ended.err.splitlines()
    assert "fedfutures: the program was interrupted: 8 Futures were cut off" in lines
    assert "    calls[0].result()  # here it is" in lines
    assert "KeyboardInterrupt" in lines
    assert ended.err.count("  File ") <= 3
    assert "postponing.py" not in ended.err
    assert running.gone()


def test_ctrl_c_at_the_end_of_a_program_is_one_line(tmp_path: Path) -> None:
    program = write(
        tmp_path / "ends.py",
        """\
        import time
        from fedfutures import Executor
        if __name__ == "__main__":
            executor = Executor(max_workers=2)
            calls = [executor.submit(time.sleep, 30) for _ in range(8)]
            print("begun", flush=True)
        """,
    )
    running, ended = interrupted(program, after=0.5, seconds=20)
    assert ended.err.splitlines() == ["fedfutures: the program was interrupted: 8 Futures were cut off"]
    assert running.gone()


def test_ctrl_c_in_code_of_the_program_shows_no_code_of_ours(tmp_path: Path) -> None:
    program = write(
        tmp_path / "sleeps.py",
        """\
        import time
        from fedfutures import Executor
        if __name__ == "__main__":
            with Executor(max_workers=1) as executor:
                executor.submit(abs, 1).result()
                print("begun", flush=True)
                time.sleep(60)
        """,
    )
    running, ended = interrupted(program, after=0.2, seconds=20)
    assert ended.err.splitlines()[-1] == "KeyboardInterrupt"
    assert ended.err.count("  File ") == 1
    assert running.gone()


@pytest.mark.parametrize("end", ["executor.shutdown(wait=False)", "del executor"])
def test_ctrl_c_while_the_end_waits_for_an_executor_says_what_was_cut_off(tmp_path: Path, end: str) -> None:
    program = write(
        tmp_path / "left.py",
        f"""\
        import time
        from fedfutures import Executor
        if __name__ == "__main__":
            executor = Executor(max_workers=2)
            call = executor.submit(time.sleep, 30)
            {end}
            print("begun", flush=True)
        """,
    )
    running, ended = interrupted(program, after=0.5, seconds=15)
    assert "fedfutures: the program was interrupted: 1 Future was cut off" in ended.err.splitlines()
    assert running.gone()


@pytest.mark.parametrize("launched", [True, False], ids=["launched", "an Executor"])
def test_ctrl_c_while_the_end_waits_for_threads_ends_the_program(tmp_path: Path, launched: bool) -> None:
    """Python itself only says that it was interrupted, and goes on."""
    program = write(
        tmp_path / "threads.py",
        """\
        import threading, time
        from fedfutures import Executor, futures
        def run():
            call = source.submit(time.sleep, 30)
            print("begun", flush=True)
            call.result()
        if __name__ == "__main__":
            source = %s
            threading.Thread(target=run).start()
        """
        % ("futures" if launched else "Executor(max_workers=2)"),
    )
    running, ended = interrupted(program, launched, after=0.5, seconds=15)
    assert "fedfutures: the program was interrupted: 1 Future was cut off" in ended.err.splitlines()
    if launched:
        assert ended.code in (-signal.SIGINT, 130)
    assert running.gone()
