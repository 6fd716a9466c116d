"""``--progress`` of a program that asks each Future for its result."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from launching import launch, write

pytestmark = pytest.mark.host

PROGRAM = """
    import sys, time
    from fedfutures import futures

    def nap(seconds):
        time.sleep(seconds)
        if seconds == 0.3:
            raise ValueError
        return seconds

    def ask(several):
        return sum(future.exception() is None for future in several)

    if __name__ == "__main__":
        if sys.argv[1] == "asks":
            print(ask([futures.submit(nap, 0.3 if number == 5 else 0.1) for number in range(40)]))
            time.sleep(0.3)
            print(ask([futures.submit(nap, 0.01) for _ in range(5)]))
        else:
            several = [futures.submit(nap, 0.05) for _ in range(60)]
            print(len(list(futures.as_completed(several))))
"""


def test_what_is_open_is_shown_where_nothing_else_is(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "2", "--progress", "prog.py", "asks", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "39\n5\n")
    first, last = ended.err.splitlines()
    assert re.fullmatch(r"\d+ of 40 done \(\d+ %\), \d+\.\d/s, .* left(, 1 failed)?", first), ended.err
    assert re.fullmatch(r"40 of 40 done \(100 %\) in [\d.]+ m?s, \d+\.\d/s, 1 failed", last), ended.err


def test_what_shows_its_own_progress_is_shown_once(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "2", "--progress", "prog.py", "waits", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "60\n")
    assert len([line for line in ended.err.splitlines() if "60 of 60 done (100 %) in " in line]) == 1, ended.err


def test_it_is_quiet_if_that_is_wanted(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-q", "-n", "2", "--progress", "prog.py", "asks", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
