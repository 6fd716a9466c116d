"""A checkpoint: results by key, written behind the program's back by a thread of its own.

Results wait in memory for :data:`EVERY_SECONDS`, or until there are :data:`MANY` of them, and are then written in one
transaction. A result larger than :data:`LARGE_BYTES` goes to a file in the directory ``FILE.d``; its row, which says
its digest, is written after the file is whole. When the file cannot be written any more, this is said once, and the
program goes on.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence

from ..program.modules import is_program
from .database import COLUMNS, INSERT, INSERT_FACT, Row, digest_of, opened
from .ownership import create_ours, open_ours, refuse_existing

logger = logging.getLogger("fedfutures")

LARGE_BYTES = 64 << 10
EVERY_SECONDS = 0.05
MANY = 512
NAMED_AT_MOST = 5
BYTES_WAITING_AT_MOST = 64 << 20
"""Beyond this who adds a result writes, too, and so waits for the disk."""

_open: dict[str, Store] = {}
_opening = threading.Lock()


class Store:
    """The results in one file. For any thread."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._directory = path + ".d"
        self._lock = threading.RLock()  # held while the database is used
        self._waiting: dict[bytes, Row] = {}  # these are not written yet
        self._bytes = 0
        self._some, self._many = threading.Event(), threading.Event()  # wait; the second: enough for a transaction
        self._thread: threading.Thread | None = None
        self._facts: dict[str, str] = {}  # to be written
        self._compared: set[str] = set()
        self._users = 0
        self._pid = os.getpid()
        self.failure = ""  # why nothing is written any more
        self._made_directory = refuse_existing(self._directory, directory=True)
        self._database, notice = opened(path)
        if notice:
            logger.warning("%s", notice)
        self.count = int(self._database.execute("SELECT count(*) FROM results").fetchone()[0])
        self._compare_versions()

    @property
    def is_empty(self) -> bool:
        """Whether there is no result."""
        return not self.count and not self._waiting

    # -- reading -----------------------------------------------------------------------------------------------------

    def body(self, key: bytes) -> bytes | None:
        """Return the pickle of a result; None if there is none, or it is not as it was written, which is said."""
        row = self._waiting.get(key)
        if row is not None and row.body is not None:
            return row.body
        row = self._row(key)
        if row is None:
            return None
        try:
            body = self._beside(key) if row.body is None else row.body
            if row.is_whole() and digest_of(key, body) == row.digest:
                return body
            reason = "it is not as it was written"
        except OSError as error:
            reason = str(error)
        logger.warning("checkpoint %s: a result of %s is computed again: %s", self.path, row.name, reason)
        return None

    def _row(self, key: bytes) -> Row | None:
        if os.getpid() != self._pid:  # of a process that the program has forked: SQLite is not to be used there
            return None
        try:
            with self._lock:
                found = self._database.execute(f"SELECT {COLUMNS} FROM results WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        return None if found is None else Row(*found)

    def _beside(self, key: bytes) -> bytes:
        with open_ours(self._place(key)) as file:
            return file.read()

    def _place(self, key: bytes) -> str:
        return os.path.join(self._directory, key.hex())

    def rows(self) -> Iterator[Row]:
        """Yield all rows, the oldest first, without their pickles."""
        self.flush()
        line = f"SELECT {COLUMNS.replace('body', 'NULL')} FROM results ORDER BY id"
        with self._lock:
            found = self._database.execute(line).fetchall()
        return (Row(*row) for row in found)

    # -- writing -----------------------------------------------------------------------------------------------------

    def add(self, keys: Sequence[bytes], name: str, bodies: Sequence[bytes]) -> None:
        """Keep results of one function; they are written soon. There may be more keys than results."""
        if self.failure or os.getpid() != self._pid:
            return
        now, waiting = time.time(), self._waiting
        for key, body in zip(keys, bodies):
            waiting[key] = Row(key, name, body, len(body), digest_of(key, body), now)
            self._bytes += len(body)
        if self._thread is None:
            self._start()
        if not self._some.is_set():
            self._some.set()
        if self._bytes > BYTES_WAITING_AT_MOST:
            self.flush()
        elif len(self._waiting) >= MANY and not self._many.is_set():
            self._many.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_on, name="fedfutures-checkpoint", daemon=True)
                self._thread.start()

    def _write_on(self) -> None:
        while self._users and not self.failure:
            self._some.wait()
            self._many.wait(EVERY_SECONDS)
            self._some.clear()
            self._many.clear()
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if not self._waiting or self.failure or os.getpid() != self._pid:
            return
        with self._lock:
            rows = list(self._waiting.copy().values())
            try:
                self._write(rows)
            except (OSError, sqlite3.Error) as error:
                with contextlib.suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                self._give_up(error)
                return
            for row in rows:
                self._waiting.pop(row.key, None)
            self._bytes = sum(row.size for row in self._waiting.copy().values())

    def _give_up(self, error: Exception) -> None:
        if not self.failure:
            self.failure = str(error)
            logger.error("checkpoint %s: no more results are kept: %s; the program goes on", self.path, error)

    def _write(self, rows: Iterable[Row]) -> None:
        made = [row if row.size <= LARGE_BYTES else self._aside(row) for row in rows]
        self._database.execute("BEGIN")
        self._database.executemany(INSERT, made)
        facts, self._facts = self._facts, {}
        self._database.executemany(INSERT_FACT, facts.items())
        self._database.execute("COMMIT")
        self.count += len(made)

    def _aside(self, row: Row) -> Row:
        """Write a large result to a file of its own, and return its row without it."""
        if not self._made_directory:
            os.mkdir(self._directory, 0o700)
            self._made_directory = True
        place = self._place(row.key)
        with os.fdopen(create_ours(place + ".part", os.O_TRUNC), "wb") as file:
            file.write(row.body or b"")
        os.rename(place + ".part", place)
        return row._replace(body=None)

    def remove(self, keys: list[bytes]) -> int:
        """Remove results, and files beside that no result has; return how many files those were."""
        with self._lock:
            self._database.execute("BEGIN")
            self._database.executemany("DELETE FROM results WHERE key = ?", [(key,) for key in keys])
            self._database.execute("COMMIT")
            self._database.execute("VACUUM")
        kept = {row.key.hex() for row in self.rows()}
        names = os.listdir(self._directory) if self._made_directory else []
        orphans = [name for name in names if name not in kept]
        for name in orphans:
            os.unlink(os.path.join(self._directory, name))
        return len(orphans)

    # -- life --------------------------------------------------------------------------------------------------------

    def use(self) -> None:
        """Count one more user."""
        self._users += 1

    def close(self) -> None:
        """Write what waits; with its last user the file is closed."""
        with _opening:
            self._users -= 1
            if self._users:
                self.flush()
                return
            _open.pop(self.path, None)
        self.flush()
        self._some.set()
        self._many.set()
        if os.getpid() != self._pid:
            return
        with self._lock:
            with contextlib.suppress(sqlite3.Error):
                self._note_versions()
            self._database.close()
            self.failure = "it is closed"

    # -- what functions consist of -----------------------------------------------------------------------------------

    def compare(self, name: str, module: str, parts: dict[str, bytes]) -> None:
        """Say once what of a function has changed since the last run that has kept results of it."""
        fact = f"function {module}.{name}"
        if fact in self._compared:
            return
        self._compared.add(fact)
        now = {part: digest.hex() for part, digest in parts.items()}
        try:
            with self._lock:
                found = self._database.execute("SELECT value FROM facts WHERE name = ?", (fact,)).fetchone()
            before = json.loads(found[0]) if found is not None else now
        except (sqlite3.Error, ValueError):
            return
        self._facts[fact] = json.dumps(now)
        changed = sorted(_shown(part) for part in {*before, *now} if before.get(part) != now.get(part))
        if changed:
            more = f" and {len(changed) - NAMED_AT_MOST} more" if len(changed) > NAMED_AT_MOST else ""
            logger.warning(
                "checkpoint %s: %s is not what it was in the run before, whose results of it do not count; changed: "
                "%s%s",
                self.path, name, ", ".join(changed[:NAMED_AT_MOST]), more,
            )  # fmt: skip

    # -- versions, which are no part of any key ----------------------------------------------------------------------

    def _note_versions(self) -> None:
        if self.count:
            self._database.executemany(INSERT_FACT, sorted(versions().items()))

    def _compare_versions(self) -> None:
        before = dict(self._database.execute("SELECT name, value FROM facts").fetchall())
        now = versions()
        changed = [
            f"{name} {before[name]}, now {now[name]}" for name in now if before.get(name, now[name]) != now[name]
        ]
        if changed:
            logger.warning(
                "checkpoint %s: its results were made with %s; they count even so (for others: another file)",
                self.path, "; ".join(sorted(changed)),
            )  # fmt: skip


def _shown(part: str) -> str:
    """Return the name of a variable as the program has it."""
    return part.removeprefix("__main__:").replace(":", ".")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that are loaded, as far as they say it without running code.

    Some make ``__version__`` when it is asked for, and that may warn, or import half of the package.
    """
    found = {"Python": ".".join(map(str, sys.version_info[:2]))}
    for name, module in list(sys.modules.items()):
        said = getattr(module, "__dict__", {}) if "." not in name and name[:1] != "_" else {}
        version = said.get("__version__")
        if isinstance(version, str) and name not in sys.stdlib_module_names and not is_program(name):
            found[name] = version
    return found


def opened_store(path: str) -> Store:
    """Open a checkpoint, or return the one that this program has open; each caller closes it once."""
    place = os.path.realpath(path)
    with _opening:
        found = _open.get(place)
        if found is None:
            found = _open[place] = Store(place)
        found.use()
    return found


@atexit.register
def _write_all() -> None:
    for store in list(_open.values()):
        store.flush()
