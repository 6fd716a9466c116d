"""The file of a checkpoint: kept results, what is refused, and what is saved of a damaged file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import greenlet
import pytest

from fedfutures.checkpoint import store as stores
from fedfutures.checkpoint.store import LARGE_BYTES, Store, opened_store

from .files import filled, keys, whole


def test_what_was_added_is_there_at_once_and_later(tmp_path: Path) -> None:
    store = opened_store(str(tmp_path / "c"))
    store.add([b"k" * 16], "work", [b"body"])
    assert (store.body(b"k" * 16), store.body(b"x" * 16)) == (b"body", None)
    store.close()
    again = opened_store(str(tmp_path / "c"))
    assert (again.body(b"k" * 16), again.body(b"x" * 16), again.count) == (b"body", None, 1)
    again.close()
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600


def test_large_results_go_to_files_beside(tmp_path: Path, caplog: Any) -> None:
    path = tmp_path / "c"
    given = filled(path, 3, LARGE_BYTES + 1)
    files = sorted((tmp_path / "c.d").iterdir())
    assert [file.name for file in files] == [key.hex() for key in given]
    assert whole(path, given) == 3
    files[0].write_bytes(b"\0" + files[0].read_bytes()[1:-1])
    files[1].unlink()
    assert whole(path, given) == 1
    assert "a result of work is computed again: it is not as it was written" in caplog.text


def test_a_program_has_one_store_for_a_file(tmp_path: Path) -> None:
    first, second = opened_store(str(tmp_path / "c")), opened_store(str(tmp_path / "." / "c"))
    assert first is second
    first.close()
    second.add([b"k" * 16], "work", [b"body"])  # still open
    second.close()
    assert whole(tmp_path / "c", []) == 0
    third = opened_store(str(tmp_path / "c"))
    assert third.count == 1
    third.close()


def test_an_altered_result_is_not_trusted(tmp_path: Path, caplog: Any) -> None:
    path = tmp_path / "c"
    given = filled(path, 3)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE results SET body = ? WHERE key = ?", (b"\x02" * 200, given[1]))
    connection.close()
    assert whole(path, given) == 2
    assert "a result of work is computed again" in caplog.text


def test_a_disk_that_is_full_ends_keeping_not_the_program(
    tmp_path: Path, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened_store(str(tmp_path / "c"))

    def full(self: Store, rows: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "_write", full)
    store.add([b"k" * 16], "work", [b"body"])
    store.flush()
    store.add([b"l" * 16], "work", [b"body"])
    store.close()
    assert caplog.text.count("no more results are kept: database or disk is full; the program goes on") == 1


def test_other_versions_are_said(tmp_path: Path, caplog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "versions", lambda: {"Python": "3.10", "numpy": "1.0"})
    filled(tmp_path / "c", 1)
    monkeypatch.setattr(stores, "versions", lambda: {"Python": "3.10", "numpy": "2.0", "scipy": "1.0"})
    assert whole(tmp_path / "c", keys(1)) == 1
    assert "its results were made with numpy 1.0, now 2.0; they count even so" in caplog.text


def test_no_code_of_a_package_runs_for_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(types.ModuleType):
        def __getattr__(self, name: str) -> str:
            raise AssertionError(f"{name} was made")

    monkeypatch.setitem(sys.modules, "lazy_package", Lazy("lazy_package"))
    found = stores.versions()
    assert found["greenlet"] == greenlet.__version__
    assert "lazy_package" not in found


def test_removing_results_removes_their_files(tmp_path: Path) -> None:
    given = filled(tmp_path / "c", 4, LARGE_BYTES + 1)
    store = opened_store(str(tmp_path / "c"))
    assert store.remove(given[:2]) == 2
    assert [row.key for row in store.rows()] == given[2:]
    store.close()
    assert len(list((tmp_path / "c.d").iterdir())) == 2


FORKS = """
import gc, os, signal, sys
from fedfutures.checkpoint.store import opened_store

store = opened_store(sys.argv[1])
store.add([b"k" * 16], "work", [b"body"])
store.flush()
read, write = os.pipe()
if os.fork() == 0:
    os.close(write)
    os.read(read, 1)  # until the program has ended
    store.add([b"l" * 16], "work", [b"of the fork"])
    print(store.body(b"k" * 16))
    store.close()
    del store
    gc.collect()
else:
    store.add([b"m" * 16], "work", [b"more"])
    store.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_the_program_has_forked_leaves_the_file_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKS, str(tmp_path / "c")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout.split(), ended.stderr) == (["None"], "")
    store = opened_store(str(tmp_path / "c"))
    assert [row.key[:1] for row in store.rows()] == [b"k", b"m"]
    store.close()


def test_a_store_that_is_closed_has_nothing(tmp_path: Path) -> None:
    given = filled(tmp_path / "c", 1)
    store = opened_store(str(tmp_path / "c"))
    store.close()
    assert store.body(given[0]) is None
