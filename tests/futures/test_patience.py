"""Ends that take long, exits that come from Futures, calls that run serially: what a person is told."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from launching import launch, python, write

from fedfutures import Executor, futures
from fedfutures.futures import patience
from fedfutures.futures.advice import advice

ENDS = """
    import sys
    import time
    from fedfutures import Executor, futures

    def slow(seconds):
        time.sleep(seconds)

    def sends(seconds):
        futures.submit(slow, seconds)

    def work(code):
        sys.exit(code)

    def main(how):
        if how == "submit":
            for _ in range(2):
                futures.submit(slow, 2.6)
        elif how == "map":
            futures.map(slow, [2.6, 2.6])
        elif how == "nested":
            futures.submit(sends, 3.5)
        elif how == "executor":
            with Executor(max_workers=1) as executor:
                executor.submit(slow, 2.6)
        elif how == "quick":
            futures.submit(slow, 0.1)
        elif how == "exit":
            futures.submit(work, int(sys.argv[2])).result()
        elif how == "own":
            sys.exit(int(sys.argv[2]))

    if __name__ == "__main__":
        main(sys.argv[1])
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    write(tmp_path / "prog.py", ENDS)
    return tmp_path


@pytest.mark.host
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("submit", r"waiting for 2 Futures \(slow\(2\.6\) runs on \S+\.[12]\) since 2 s\. Ctrl-C ends the wait"),
        (
            "map",
            r"waiting for the calls of map\(slow\) \(slow\(.*\) runs on \S+\.[12]\) since 2 s\. Ctrl-C .*",
        ),
        (
            "nested",
            r"waiting for [12] Futures? that Futures have submitted and not waited for, since [23] s\. .*",
        ),
    ],
)
def test_an_end_that_takes_long_says_whom_it_waits_for(how: str, says: str, program: Path) -> None:
    ended = launch("-n", "2", "prog.py", how, cwd=program)
    assert (ended.code, ended.out) == (0, "")
    assert re.fullmatch(f"fedfutures: {says}\n", ended.err), ended.err


@pytest.mark.host
def test_an_executor_too(program: Path) -> None:
    ended = python("prog.py", "executor", cwd=program)
    assert re.fullmatch(r"fedfutures: waiting for 1 Future \(slow\(2\.6\) runs on .*\n", ended.err), ended.err


@pytest.mark.host
def test_nothing_is_said_of_a_short_end_or_with_quiet(program: Path) -> None:
    assert launch("-n", "1", "prog.py", "quick", cwd=program).err == ""
    assert launch("-q", "-n", "2", "prog.py", "submit", cwd=program).err == ""


@pytest.mark.host
def test_arguments_that_are_no_plain_values_are_not_loaded() -> None:
    with Executor(max_workers=1) as executor:
        plain, other = executor.submit(pow, 2, 3), executor.submit(repr, Path())
        texts = patience.call_text(plain), patience.call_text(other)
    assert texts[0] in ("pow(2, 3)", "one")  # where it was done before
    assert texts[1] in ("repr(...)", "one")


@pytest.mark.host
@pytest.mark.parametrize("code", [0, 3])
def test_an_exit_from_a_future_is_said_to_be_its(code: int, program: Path) -> None:
    ended = launch("-n", "1", "prog.py", "exit", str(code), cwd=program)
    assert (ended.code, ended.out) == (code, "")
    assert re.fullmatch(r"fedfutures: SystemExit from work\(.* ends the program\n", ended.err), ended.err
    assert launch("-n", "1", "prog.py", "own", str(code), cwd=program).err == ""


# ------------------------------------------------------------------------------------------------------------- serially


@pytest.mark.host
def test_the_warning_of_serial_calls_has_a_command_that_works(tmp_path: Path) -> None:
    write(tmp_path / "a prog.py", "from fedfutures import futures\nprint(futures.submit(abs, -3).result())\n")
    ended = python("a prog.py", "x y", cwd=tmp_path)
    assert ended.out == "3\n"
    assert ended.err == (
        "futures run serially in this process; for Workers, run python -m fedfutures 'a prog.py' 'x y' or use "
        "Executor().map\n"
    )
    assert launch("a prog.py", "x y", cwd=tmp_path).out == "3\n"


@pytest.mark.host
def test_where_an_executor_is_open_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/no/such/program"])
    assert "executor = Executor(); executor.map(" in advice()
    with Executor(max_workers=1) as executor:
        assert executor.submit(abs, -1).result() == 1
        assert advice() == "the Executor that is open has Workers: call its submit and map"
    assert futures.submit(abs, -1).result() == 1
