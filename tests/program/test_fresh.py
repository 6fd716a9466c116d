"""What no process can hand on: a fresh one of its kind, or what says why when it is used."""

from __future__ import annotations

import contextvars
import copy
import io
import operator
import os
import pickle
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedfutures.errors import VariableNotCarried
from fedfutures.program.fresh import Unavailable, kind_of, reduce, unavailable
from fedfutures.wire.payload import Payloads


def made(obj: Any) -> Any:
    """Return the fresh one, by way of a pickle."""
    found = reduce(obj)
    assert found is not None
    make, arguments, *state = Payloads().load(Payloads().dump(found))
    fresh = make(*arguments)
    for attributes in state:
        vars(fresh).update(attributes)
    return fresh


# -- fresh ones ------------------------------------------------------------------------------------------------------


def test_locks_come_unlocked() -> None:
    for lock in (threading.Lock(), threading.RLock()):
        with lock:
            found = made(lock)
        assert type(found) is type(lock)
        assert found.acquire(blocking=False)
        found.release()


def test_thread_local_data_are_those_of_the_thread_that_submits() -> None:
    local = threading.local()
    local.x = 1
    assert vars(made(local)) == {"x": 1}


def test_context_variables_have_the_value_that_they_have() -> None:
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")
    found = made(variable)
    assert found.name == "variable"
    with pytest.raises(LookupError):
        found.get()
    variable.set([5])
    assert made(variable).get() == [5]
    assert made(contextvars.ContextVar("other", default=7)).get() == 7


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_a_file_is_read_on_where_it_was_read_to(tmp_path: Path, mode: str) -> None:
    (tmp_path / "file").write_text("one\ntwo\nthree\n")
    with open(tmp_path / "file", mode) as file:
        file.readline()
        with made(file) as found:
            assert found.mode == mode
            assert found.readline() == file.readline()


def test_a_raw_file_is_read_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"onetwo")
    with open(tmp_path / "file", "rb", buffering=0) as file:
        file.read(3)
        with made(file) as found:
            assert found.read(3) == b"two"


@pytest.mark.parametrize("mode", ["w", "a", "x", "wb", "ab"])
def test_a_file_that_is_written_is_written_on(tmp_path: Path, mode: str) -> None:
    texts: Any = (b"one", b"two") if "b" in mode else ("one", "two")
    with open(tmp_path / "file", mode) as file:
        file.write(texts[0])
        with made(file) as found:
            found.write(texts[1])
        assert (tmp_path / "file").read_bytes() == b"onetwo"


def test_a_file_that_is_being_gone_through_has_no_second_one(tmp_path: Path) -> None:
    """It does not tell its place then."""
    (tmp_path / "file").write_text("one\ntwo\n")
    with open(tmp_path / "file") as file:
        next(file)
        assert reduce(file) is None


def test_the_encoding_of_a_file_stays(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w", encoding="latin-1", errors="replace") as file, made(file) as found:
        assert (found.encoding, found.errors) == ("latin-1", "replace")


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("text")
    monkeypatch.chdir(tmp_path)
    with open("file") as file:
        monkeypatch.chdir("/")
        found = reduce(file)
    assert found is None or os.path.isfile(found[1][0])


def test_standard_streams_are_those_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        with open(os.devnull, "w" if name != "stdin" else "r") as file:
            monkeypatch.setattr(sys, name, file)
            assert made(file) is file


def test_a_file_that_has_no_second_one(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+") as both:
        assert reduce(both) is None
    assert reduce(both) is None  # closed
    with open(tmp_path / "gone", "w") as gone:
        os.unlink(tmp_path / "gone")
        assert reduce(gone) is None
    read, write = os.pipe()
    with open(read, "rb") as reader, open(write, "wb") as writer:
        assert reduce(reader) is reduce(writer) is None


def test_a_database_in_a_file_is_opened_again(tmp_path: Path) -> None:
    first = sqlite3.connect(tmp_path / "base.db", isolation_level=None)
    first.execute("CREATE TABLE t (x)")
    found = made(first)
    assert found.execute("SELECT * FROM t").fetchall() == []
    assert found.isolation_level is None
    found.close()
    first.isolation_level = ""
    first.execute("INSERT INTO t VALUES (1)")
    assert first.in_transaction
    assert reduce(first) is None
    first.close()
    memory = sqlite3.connect(":memory:")
    assert reduce(memory) is None
    memory.close()


def test_a_database_that_was_closed_has_no_second_one(tmp_path: Path) -> None:
    closed = sqlite3.connect(tmp_path / "base.db")
    closed.close()
    assert reduce(closed) is None


def test_what_goes_its_own_way() -> None:
    for value in (1, "text", [1], {}, object(), io.StringIO(), threading.Event(), len, int):
        assert reduce(value) is None


# -- what cannot be had ----------------------------------------------------------------------------------------------


@pytest.fixture
def stand_in() -> Any:
    """What stands for a socket."""
    make, arguments = unavailable(("settings", "SOCKET"), io.StringIO(), TypeError("cannot pickle it"))
    return make(*arguments)


USES: list[Callable[[Any], Any]] = [
    lambda value: value.send,
    lambda value: setattr(value, "x", 1),
    lambda value: delattr(value, "x"),
    lambda value: value(1),
    bool, len, iter, next, str, int, float, bytes, hash, os.fspath, operator.index,
    lambda value: value[0],
    lambda value: operator.setitem(value, 0, 1),
    lambda value: operator.delitem(value, 0),
    lambda value: 1 in value,
    lambda value: value == 1,
    lambda value: value != 1,
    lambda value: value < 1,
    lambda value: value + 1,
    lambda value: 1 + value,
    lambda value: value * 2,
    lambda value: value / 2,
    lambda value: value - 1,
    lambda value: value @ value,
    lambda value: value.__enter__(),
    lambda value: [*value],
    lambda value: {**value},
    lambda value: f"{value}",
    lambda value: value // 2,
    lambda value: value % 2,
    lambda value: value ** 2,
    lambda value: -value,
    lambda value: abs(value),
    lambda value: value | 1,
    lambda value: value & 1,
    lambda value: value >> 1,
    lambda value: reversed(value),
    lambda value: round(value),
]  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_whatever_is_wanted_of_it_raises(stand_in: Any, use: Callable[[Any], Any]) -> None:
    with pytest.raises(
        VariableNotCarried, match=r"settings\.SOCKET was set .*_io\.StringIO: cannot pickle it"
    ) as raised:
        use(stand_in)
    error = raised.value
    assert (error.variable, error.kind, error.reason) == ("settings.SOCKET", "_io.StringIO", "cannot pickle it")


def test_it_can_be_shown_passed_on_and_copied(stand_in: Any) -> None:
    assert repr(stand_in) == "<_io.StringIO of settings.SOCKET, which cannot travel>"
    for found in (pickle.loads(pickle.dumps(stand_in)), copy.copy(stand_in), copy.deepcopy(stand_in), [stand_in][0]):
        assert type(found) is Unavailable
        assert repr(found) == repr(stand_in)
    assert hasattr(stand_in, "__array__") is False  # what asks for a protocol is told that there is none


def test_kinds() -> None:
    assert [kind_of(value) for value in (1, [], io.StringIO())] == ["int", "list", "_io.StringIO"]
