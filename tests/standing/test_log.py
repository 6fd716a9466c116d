"""The log of a keeper, which is its standard error."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from fedfutures.standing.log import Log, followed, last_lines, opened, size_of


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


def test_the_last_lines_are_those_of_two_files(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert (last_lines(str(path), 3), size_of(str(path))) == (([], 0), 0)
    path.with_name("log.1").write_text("one\ntwo\n")
    path.write_text("three\n")
    assert last_lines(str(path), 2) == (["two", "three"], 6)
    assert last_lines(str(path), 9) == (["one", "two", "three"], 6)


def test_who_follows_it_misses_nothing_when_a_new_file_begins(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    steps = iter(
        [lambda: None, lambda: add(path, "one\ntw"), lambda: add(path, "o\nthree\n"), lambda: turn(path), None]
    )

    def goes_on() -> bool:
        step = next(steps)
        if step is not None:
            step()
        return step is not None

    assert list(followed(str(path), size_of(str(path)), goes_on)) == ["one", "two", "three", "four", "five"]


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def turn(path: Path) -> None:
    add(path, "four\n")
    path.rename(path.with_name("log.1"))
    add(path, "five\n")
