"""The log of a keeper, which is its standard error."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from fedfutures.standing.log import Log, opened


@contextlib.contextmanager
def logging(path: Path) -> Iterator[None]:
    """Have a log as standard error."""
    before = os.dup(2)
    with opened(str(path)) as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def test_its_size_is_bounded_and_the_last_lines_are_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with logging(path):
        log = Log(str(path), 1000)
        for number in range(100):
            log.say(f"line {number}")
            files = [path, path.with_name("log.1")]
            text = "".join(file.read_text() for file in reversed(files) if file.exists())
            assert re.search(rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d line {number}$", text, re.M)
            assert all(file.stat().st_size < 1100 for file in files if file.exists())
        assert sorted(os.listdir(path.parent)) == ["log", "log.1"]


def test_one_that_was_removed_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with logging(path):
        log = Log(str(path))
        path.unlink()
        log.bound()
        log.say("here")
        assert path.read_text().endswith(" here\n")


def test_what_cannot_be_written_goes_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with logging(path):
        with open("/dev/full", "wb") as full:
            os.dup2(full.fileno(), 2)
        Log(str(path)).say("the disk is full")
        with opened("/nowhere/log") as file:
            assert file.name == os.devnull
        os.symlink("/dev/full", path.with_name("link"))
        with opened(str(path.with_name("link"))) as file:
            assert file.name == os.devnull
