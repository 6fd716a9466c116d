"""Files of the program's that Futures read: each host fetches one when the first of its Workers asks for it.

In the program, a file is registered: the directory that the processes of its host share gets a symbolic link to it,
under a name that changes with the file, and a shared constant maps the path that the user writes to that name. In a
Future the constant leads to the link, or on another host to the copy in the run's directory, which the Broker makes.
In a run with a key the constant says the digest of the file, too, and the copy is compared with that.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from ..errors import SealBroken
from ..node import events as rules
from ..wire.digests import digest_of_file
from ..wire.names import OF_USER
from .driver import Driver
from .future import Future, settle
from .submissions import Submissions

CONSTANT = "fedfutures file "
SUFFIX_CHARACTERS_AT_MOST = 16


def constant_of(path: str) -> str:
    """Return the name of the shared constant for the path of a file."""
    return CONSTANT + hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def described(path: str) -> tuple[str, int, str]:
    """Return what the constant of a file says: (name, size in bytes, path at the Origin); raises OSError."""
    place = os.path.abspath(path)
    with open(place, "rb") as file:
        status = os.fstat(file.fileno())
    what = f"{place}\0{status.st_size}\0{status.st_mtime_ns}".encode("utf-8", "surrogateescape")
    suffix = os.path.splitext(place)[1]
    if not suffix[1:].isalnum() or not suffix.isascii() or len(suffix) > SUFFIX_CHARACTERS_AT_MOST:
        suffix = ""
    return OF_USER + hashlib.blake2b(what, digest_size=8).hexdigest() + suffix, status.st_size, place


def with_digest(what: tuple[str, int, str]) -> tuple[str, int, str, bytes]:
    """Add to what the constant of a file says the digest of its bytes; b"" where it cannot be read any more."""
    try:
        with open(what[2], "rb") as file:
            return (*what, digest_of_file(file.fileno()))
    except OSError:
        return (*what, b"")


class Files:
    """The files of the program, as a Worker has them."""

    def __init__(self, driver: Driver, submissions: Submissions, facts: dict[str, Any]) -> None:
        self._driver, self._submissions, self._facts = driver, submissions, facts
        self._coming: dict[str, Future[int]] = {}

    @property
    def directory(self) -> str:
        """A directory on disk that the processes of this host share, as long as the run lasts."""
        return str(self._facts.get("disk") or self._facts.get("run") or "")

    def path_of(self, name: str, place: str, digest: bytes | None = None) -> str:
        """Return where the file of this name is on this host; wait for it as long as it is on its way.

        Raises FileNotFoundError when the Origin does not have it any more, and SealBroken when what came has another
        `digest`, if there is one.
        """
        link, copy = (os.path.join(self._facts[kind], name) for kind in ("shared", "run"))
        if os.path.islink(link):
            return os.readlink(link)
        if not os.path.exists(copy):
            with self._driver.lock:
                future = self.fetch(name)
            self._driver.drain()
            future.result()
        if not os.path.exists(copy):
            raise FileNotFoundError(f"{place}: the Origin's host does not have this file any more")
        if digest is not None:
            self._check(copy, name, place, digest)
        return copy

    def _check(self, copy: str, name: str, place: str, digest: bytes) -> None:
        """Compare a copy with the digest, once on each host: an empty file beside it says that somebody has done so."""
        checked = os.path.join(self._facts["run"], f".checked-{name}")
        if os.path.exists(checked):
            return
        with open(copy, "rb") as file:
            is_right = digest_of_file(file.fileno()) == digest
        if not is_right:
            raise SealBroken(
                f"the copy of {place} is not what the program's file was when it called shared.file: the file has "
                f"changed since, or a Broker on the way has altered it"
            )
        os.close(os.open(checked, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))

    def fetch(self, name: str) -> Future[int]:
        """Have a segment brought to this host; the Future is done when it is here. The node's lock is held."""
        future = self._coming.get(name)
        if future is None:
            future = self._coming[name] = Future(self._submissions)
            self._driver.step(rules.FetchFile(name))
        return future

    def on_fetched(self, action: rules.FileFetched) -> None:
        """A segment is here, or is not to be had. The node's lock is held."""
        future = self._coming.pop(action.name, None)
        if future is not None:
            settle(future, action.size)
            self._driver.wake_other()
