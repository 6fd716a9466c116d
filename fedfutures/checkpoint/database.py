"""The SQLite file of a checkpoint: its schema, opening it, and what can be saved of a damaged one.

A file is opened by one program at a time (``locking_mode=EXCLUSIVE``, which also needs no shared memory, so it works on
network file systems). With a write-ahead log, a program may be killed at any moment. Each row has a digest of its own,
so a row that was altered is not trusted, though SQLite can read it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from ..errors import CheckpointRefused
from .ownership import create_ours, refuse_existing

MAGIC = b"SQLite format 3\0"
APPLICATION = 0x66656466
VERSION = 1
ATTEMPTS_AT_MOST = 20_000
"""So often a damaged file is read in smaller pieces."""
LOCK_SECONDS = 0.3
PAGES_OF_LOG = 8_000
"""So long (32 MiB) the write-ahead log becomes before it is copied to the file: keys are spread over all its pages."""
_SCHEMA = (
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
    "CREATE TABLE results (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, name TEXT NOT NULL, body BLOB, "
    "size INTEGER NOT NULL, digest BLOB NOT NULL, made REAL NOT NULL)",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)
COLUMNS = "key, name, body, size, digest, made"
INSERT = f"INSERT OR REPLACE INTO results ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"

INSERT_FACT = "INSERT OR REPLACE INTO facts VALUES (?, ?)"


class Row(NamedTuple):
    """A result: its key, the name of its function, its pickle (None: in a file beside), and what else is known."""

    key: bytes
    name: str
    body: bytes | None
    size: int
    digest: bytes
    made: float

    def is_whole(self) -> bool:
        """Whether the row is as it was written; of a large one the file is yet to be looked at."""
        if type(self.key) is not bytes or type(self.digest) is not bytes:
            return False
        return self.body is None or (type(self.body) is bytes and digest_of(self.key, self.body) == self.digest)


def digest_of(key: bytes, body: Any) -> bytes:
    """Return the digest by which a result is known to be whole."""
    made = blake2b(key, digest_size=16)
    made.update(body)
    return made.digest()


class Opened(NamedTuple):
    """A database that is this program's alone, and what is to be said of it."""

    connection: sqlite3.Connection
    notice: str


def opened(path: str) -> Opened:
    """Open a checkpoint, make it if there is none, or save what is whole of a damaged one.

    Raises CheckpointRefused for a file that is none, is in use, or is not this user's alone.
    """
    for suffix in ("-wal", "-journal"):
        refuse_existing(path + suffix)
    if not refuse_existing(path):
        try:
            os.close(create_ours(path, os.O_EXCL))
        except OSError as error:
            raise CheckpointRefused(f"checkpoint {path}: it cannot be made: {error.strerror}") from None
    _refuse_foreign(path)
    connection = _connected(path)
    try:
        if _is_whole(path, connection):
            return Opened(connection, "")
        return _repaired(path, connection)
    except BaseException:
        connection.close()
        raise


def _refuse_foreign(path: str) -> None:
    try:
        with open(path, "rb") as file:  # before SQLite has it open: to close it would release SQLite's locks
            head = file.read(100)
    except OSError as error:
        raise CheckpointRefused(f"checkpoint {path}: {error.strerror}") from None
    if head and head[:16] != MAGIC:
        raise CheckpointRefused(
            f"checkpoint {path}: it is no checkpoint (it begins with {head[:16]!r}), and is left as it is; "
            f"give the checkpoint another name"
        )
    found = int.from_bytes(head[68:72], "big")
    if found not in (0, APPLICATION):
        raise CheckpointRefused(
            f"checkpoint {path}: it is a database of another application, and is left as it is; give the checkpoint "
            f"another name"
        )


def _connected(path: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    except sqlite3.Error as error:
        raise CheckpointRefused(f"checkpoint {path}: {error}") from None
    return connection


def _is_whole(path: str, connection: sqlite3.Connection) -> bool:
    """Prepare a database; return False if it is damaged."""
    try:
        is_new = not _one(connection, "PRAGMA application_id")
        if is_new and _one(connection, "SELECT count(*) FROM sqlite_master"):
            raise CheckpointRefused(
                f"checkpoint {path}: it is a database, but no checkpoint, and is left as it is; give the checkpoint "
                f"another name"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_OF_LOG}")
        connection.execute("BEGIN IMMEDIATE")
        version = _one(connection, "PRAGMA user_version")
        if is_new:
            for line in _SCHEMA:
                connection.execute(line)
        elif version != VERSION:
            raise CheckpointRefused(
                f"checkpoint {path}: its format is {version}, that of this fedfutures {VERSION}; give the checkpoint "
                f"another name, or read it with the fedfutures that made it"
            )
        connection.execute("COMMIT")
        return bool(_one(connection, "PRAGMA quick_check(1)") == "ok")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise CheckpointRefused(
                f"checkpoint {path}: another program has it open; wait until that ends, or give this one another file"
            ) from None
        if "disk I/O" in str(error) or "malformed" in str(error):
            return False
        raise CheckpointRefused(f"checkpoint {path}: {error}") from None
    except sqlite3.DatabaseError:
        return False


def _one(connection: sqlite3.Connection, line: str) -> Any:
    return connection.execute(line).fetchone()[0]


def _repaired(path: str, damaged: sqlite3.Connection) -> Opened:
    """Write what is whole of a damaged file to a new one, and put this in its place."""
    fresh = path + ".repaired"
    for name in (fresh, fresh + "-wal"):
        if refuse_existing(name):
            os.unlink(name)
    os.close(create_ours(fresh, os.O_EXCL))
    made = _connected(fresh)
    count = 0
    try:
        _is_whole(fresh, made)
        made.execute("BEGIN")
        for row in salvaged(damaged):
            made.execute(INSERT, row)
            count += 1
        made.execute("COMMIT")
    finally:
        made.close()
        damaged.close()
    if not count:
        os.unlink(fresh)
        raise CheckpointRefused(
            f"checkpoint {path}: it is damaged, and no result in it is whole; move it away to begin a new one: "
            f"mv {path} {path}.damaged"
        )
    aside = _unused(path + ".damaged")
    _move_aside(path, aside)
    if os.path.exists(path + "-wal"):
        os.rename(path + "-wal", aside + "-wal")
    os.rename(fresh, path)
    connection = _connected(path)
    _is_whole(path, connection)
    return Opened(
        connection,
        f"checkpoint {path} was damaged: {count:,} results are whole and were kept, the others are computed again; "
        f"the damaged file is {aside}",
    )


def _move_aside(path: str, aside: str) -> None:
    """Give a file that is about to be replaced another name; it keeps its own until then."""
    try:
        os.link(path, aside)
    except OSError:  # this file system has no hard links
        os.rename(path, aside)


def _unused(path: str) -> str:
    name, number = path, 1
    while os.path.lexists(name):
        number += 1
        name = f"{path}{number}"
    return name


def salvaged(connection: sqlite3.Connection) -> Iterator[Row]:
    """Yield the rows that can be read and are whole."""
    try:
        connection.execute("PRAGMA writable_schema = ON")  # else SQLite reads nothing of a file that was cut short
        last = _one(connection, "SELECT max(id) FROM results") or 0
    except sqlite3.Error:
        last = 1 << 24
    ranges, attempts = [(0, last)], 0
    while ranges and attempts < ATTEMPTS_AT_MOST:
        first, last = ranges.pop()
        attempts += 1
        try:
            line = f"SELECT {COLUMNS} FROM results WHERE id > ? AND id <= ? ORDER BY id"
            rows = [Row(*row) for row in connection.execute(line, (first, last))]
        except (sqlite3.Error, UnicodeDecodeError):
            if last - first > 1:
                middle = (first + last) // 2
                ranges += [(middle, last), (first, middle)]
            continue
        yield from (row for row in rows if row.is_whole())
