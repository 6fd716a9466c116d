"""What is refused as a checkpoint, and what is saved of a damaged one."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fedfutures.checkpoint.store import opened_store

from .files import filled, refused, whole

ANOTHER = """
import sys
from fedfutures.checkpoint.store import opened_store
from fedfutures.errors import CheckpointRefused
try:
    opened_store(sys.argv[1])
except CheckpointRefused as error:
    print(error)
"""


KILLED = """
import os, sys
from fedfutures.checkpoint.store import opened_store
calls = 0
def struck(call):
    def ends(*args):
        global calls
        calls += 1
        if calls == int(sys.argv[2]):
            os._exit(9)
        call(*args)
    return ends
os.link, os.rename = struck(os.link), struck(os.rename)
opened_store(sys.argv[1]).close()
"""


def test_two_programs_do_not_write_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened_store(str(tmp_path / "c"))
    command = [sys.executable, "-c", ANOTHER, str(tmp_path / "c")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    store.close()
    assert "another program has it open; wait until that ends" in said


def test_foreign_files_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    text, database = tmp_path / "notes.txt", tmp_path / "mail.db"
    text.write_text("dear diary")
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE mails (text)")
    connection.close()
    before = database.read_bytes()
    assert "it is no checkpoint (it begins with b'dear diary')" in refused(text)
    assert "no checkpoint, and is left as it is" in refused(database)
    assert (text.read_text(), database.read_bytes()) == ("dear diary", before)
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA application_id = 7")
    connection.close()
    assert "another application" in refused(database)
    (tmp_path / "directory").mkdir()
    assert "no regular file" in refused(tmp_path / "directory")
    assert "No such file" in refused(tmp_path / "nowhere" / "c")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "c", 1)
    with sqlite3.connect(tmp_path / "c") as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    assert "its format is 9, that of this fedfutures 1" in refused(tmp_path / "c")


@pytest.mark.parametrize("damage", ["cut", "zeroed", "noise"])
def test_what_is_whole_of_a_damaged_file_is_kept(tmp_path: Path, caplog: Any, damage: str) -> None:
    path = tmp_path / "c"
    given = filled(path, 2000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if damage == "cut":
        del content[middle:]
    else:
        content[middle : middle + 16384] = bytes(16384) if damage == "zeroed" else os.urandom(16384)
    path.write_bytes(content)
    saved = whole(path, given)
    assert 500 < saved < 2000
    assert f"checkpoint {path} was damaged: {saved:,} results are whole and were kept" in caplog.text
    assert (tmp_path / "c.damaged").read_bytes()[:100] == bytes(content[:100])
    caplog.clear()
    assert whole(path, given) == saved
    assert caplog.text == ""


def test_a_file_of_which_nothing_can_be_saved_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    filled(path, 10)
    path.write_bytes(path.read_bytes()[:100] + os.urandom(5000))
    assert f"it is damaged, and no result in it is whole; move it away to begin a new one: mv {path}" in refused(path)
    assert not (tmp_path / "c.repaired").exists()


def test_an_empty_file_is_a_new_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "c").touch(0o600)
    assert whole(tmp_path / "c", filled(tmp_path / "c", 2)) == 2


@pytest.mark.parametrize("at", [1, 2])
def test_a_program_that_is_killed_as_it_repairs_loses_nothing(tmp_path: Path, at: int) -> None:
    path = tmp_path / "c"
    filled(path, 400)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    command = [sys.executable, "-c", KILLED, str(path), str(at)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 9
    store = opened_store(str(path))
    assert 0 < store.count < 400
    store.close()
