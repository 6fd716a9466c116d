"""Files of the program at a Worker: their names say which version, and each is fetched once."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures.errors import SealBroken
from fedfutures.node import events as rules
from fedfutures.wire.names import OF_USER
from fedfutures.worker.files import Files, constant_of, described, with_digest


class Driver:
    """Notes what is asked for; `answer` is what happens when the sockets are drained."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked: list[Any] = []
        self.answer: Any = lambda: None

    def step(self, event: Any) -> None:
        self.asked.append(event)

    def drain(self) -> None:
        self.answer()

    def wake_other(self) -> None:
        self.asked.append("woken")


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def files(driver: Driver, tmp_path: Path) -> Files:
    for name in ("shared", "run"):
        (tmp_path / name).mkdir()
    facts = {name: str(tmp_path / name) for name in ("shared", "run")}
    home: Any = SimpleNamespace(wait=lambda future, timeout: None)
    return Files(driver, home, facts)  # type: ignore[arg-type]


def test_a_changed_file_has_another_name_and_the_same_constant(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1")
    name, size, place = described(str(path))
    assert (name.startswith(OF_USER), name.endswith(".csv"), size, place) == (True, True, 1, str(path))
    assert described(os.path.relpath(path)) == (name, size, place)
    path.write_text("23")
    other, size, _ = described(str(path))
    assert other != name
    assert size == 2
    os.utime(path, ns=(0, 1))
    assert described(str(path))[0] not in (name, other)
    assert constant_of("a") != constant_of("b")
    assert constant_of("\udcff").isascii()


@pytest.mark.parametrize("suffix", ["", ".", ".tar-gz", ".é", "." + "a" * 16])
def test_a_suffix_that_is_odd_or_long_is_left_out(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    assert "." not in described(str(path))[0]


def test_a_file_that_is_not_there_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        described(str(tmp_path / "none"))


def test_a_shared_file_is_read_where_the_link_leads(files: Files, driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "shared" / "file-1").symlink_to("/data/a.csv")
    assert files.path_of("file-1", "/data/a.csv") == "/data/a.csv"
    assert driver.asked == []


def test_a_copy_that_is_here_is_used(files: Files, driver: Driver, tmp_path: Path) -> None:
    copy = tmp_path / "run" / "file-1"
    copy.touch()
    assert files.path_of("file-1", "/data/a.csv") == str(copy)
    assert driver.asked == []


def test_a_file_is_fetched_and_waited_for(files: Files, driver: Driver, tmp_path: Path) -> None:
    copy = tmp_path / "run" / "file-1"

    def answer() -> None:
        copy.touch()
        files.on_fetched(rules.FileFetched("file-1", 3))

    driver.answer = answer
    assert files.path_of("file-1", "/data/a.csv") == str(copy)
    assert driver.asked == [rules.FetchFile("file-1"), "woken"]


def test_a_copy_that_was_altered_on_its_way_is_not_used(files: Files, driver: Driver, tmp_path: Path) -> None:
    original, copy = tmp_path / "a.csv", tmp_path / "run" / "file-1"
    original.write_text("1,2")
    *_, digest = with_digest(described(str(original)))
    copy.write_text("1,3")
    for _ in range(2):
        with pytest.raises(SealBroken, match=r"the copy of .*a\.csv is not what the program's file was"):
            files.path_of("file-1", str(original), digest)
    copy.write_text("1,2")
    assert files.path_of("file-1", str(original), digest) == str(copy)
    copy.write_text("a Future may write to its copy")
    assert files.path_of("file-1", str(original), digest) == str(copy)


def test_a_file_that_cannot_be_read_any_more_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    what = described(str(tmp_path / "a"))
    (tmp_path / "a").unlink()
    assert with_digest(what) == (*what, b"")


def test_a_file_that_is_not_to_be_had_is_named_as_the_program_does(files: Files, driver: Driver) -> None:
    driver.answer = lambda: files.on_fetched(rules.FileFetched("file-1", -1))
    with pytest.raises(FileNotFoundError, match=r"/data/a\.csv"):
        files.path_of("file-1", "/data/a.csv")


def test_a_file_on_its_way_is_not_asked_for_again(files: Files, driver: Driver) -> None:
    future = files.fetch("file-1")
    assert files.fetch("file-1") is future
    assert driver.asked == [rules.FetchFile("file-1")]
    files.on_fetched(rules.FileFetched("file-2", 3))
    assert not future.done()
    files.on_fetched(rules.FileFetched("file-1", 3))
    assert future.result(0) == 3
    assert files.fetch("file-1") is not future
