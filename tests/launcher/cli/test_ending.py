"""How a launched program ends: what is waited for, what is cut off, and with which exit status."""

from __future__ import annotations

import signal
import textwrap

import pytest
from launching import Ended, python

from fedfutures_launcher.cli.ending import is_normal

FEDERATION = """
import atexit, sys
from fedfutures_launcher.cli.ending import run_to_end

class Federation:
    cut_short = None

    def on_said(self):
        print("said", flush=True)

    def drain(self):
        print("drain", flush=True)

    def cut_off(self, why):
        print("cut off:", why, flush=True)

    def finish(self, *, program_ends):
        print("finish", program_ends, flush=True)

"""


def run(program: str) -> Ended:
    """Run a program to its end, with a Federation that says what it is asked to do."""
    text = f"{FEDERATION}\ndef program():\n{textwrap.indent(textwrap.dedent(program), '    ')}\n"
    return python("-c", f"{text}\nrun_to_end(Federation(), program)\n")


def test_zero_and_none_are_the_codes_of_a_program_that_has_come_to_its_end() -> None:
    assert [code for code in (None, 0, False, 1, True, 256, -1, "", "0", 0.0) if is_normal(code)] == [None, 0, False]


@pytest.mark.host
@pytest.mark.parametrize("last", ["print('last')", "sys.exit()", "sys.exit(0)"])
def test_a_normal_end_waits_for_futures_before_and_after_threads_and_callbacks(last: str) -> None:
    ended = run(f"atexit.register(print, 'callback')\n{last}")
    lines = [line for line in ended.out.splitlines() if line != "last"]
    assert lines == ["drain", "drain", "callback", "finish True"]
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.host
def test_another_exit_code_cuts_off_what_runs() -> None:
    ended = run("sys.exit(259)")
    assert ended.out.splitlines() == ["cut off: the program exited with code 3", "finish True"]
    assert ended.code == 3


@pytest.mark.host
def test_a_text_as_exit_code_is_printed_and_counts_as_one() -> None:
    ended = run("sys.exit('no input')")
    assert ended.out.splitlines()[0] == "cut off: the program exited with code 1"
    assert (ended.code, ended.err) == (1, "no input\n")


@pytest.mark.host
def test_an_exception_is_reported_as_python_does_before_what_runs_is_cut_off() -> None:
    ended = run("1 / 0")
    assert ended.out.splitlines() == ["cut off: the program failed", "finish True"]
    assert ended.code == 1
    assert ended.err.startswith("Traceback (most recent call last):\n")
    assert ended.err.endswith("ZeroDivisionError: division by zero\n")
    assert "ending.py" not in ended.err


@pytest.mark.host
def test_an_interrupt_ends_the_program_as_the_signal_does() -> None:
    ended = run("raise KeyboardInterrupt")
    assert ended.out.splitlines() == ["cut off: the program was interrupted"]
    assert ended.code == -signal.SIGINT
    assert ended.err.endswith("KeyboardInterrupt\n")


@pytest.mark.host
def test_a_program_exits_with_the_code_of_the_future_that_is_named() -> None:
    ended = run(
        """
        from fedfutures.errors import RemoteTraceback
        end = SystemExit(5)
        end.__cause__, end.__notes__ = RemoteTraceback("SystemExit: 5"), ["in work(2)"]
        raise end
        """
    )
    assert ended.err == "fedfutures: SystemExit from work(2) ends the program\n"
    assert ended.code == 5


REACHED = "from fedfutures.errors import WalltimeReached\nerror = WalltimeReached(9, 1, '--walltime', '3 Futures')\n"


@pytest.mark.host
@pytest.mark.parametrize(
    ("program", "lines"),
    [
        ("raise error", ["said", "cut off: the program failed", "finish True"]),
        ("Federation.cut_short = error", ["drain", "said", "cut off: the program failed", "finish True"]),
        (
            "import atexit\natexit.register(setattr, Federation, 'cut_short', error)",
            ["drain", "drain", "finish True", "said"],
        ),
    ],
    ids=["in the program", "while it waits", "still later"],
)
def test_a_program_that_the_walltime_cuts_short_has_an_exit_code_of_its_own(program: str, lines: list[str]) -> None:
    ended = run(REACHED + program)
    assert ended.out.splitlines() == lines
    assert ended.code == 75
    assert ended.err.count("the walltime of 9 s (--walltime) is over") == 1
    assert "ending.py" not in ended.err


@pytest.mark.host
def test_a_program_that_catches_it_ends_as_it_wants() -> None:
    ended = run(f"{REACHED}try:\n    raise error\nexcept WalltimeReached:\n    sys.exit(3)")
    assert (ended.code, ended.err) == (3, "")
