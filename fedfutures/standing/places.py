"""Where standing Federations are recorded: a private directory for each, by name, of this user on this machine.

``$XDG_STATE_HOME/fedfutures/HOST/NAME`` (by default ``~/.local/state``) has the files

record
    What the keeper was told, and where its door is, as JSON. It is there as long as the Federation stands, whether or
    not its keeper lives.
lock
    The keeper holds a lock on it (flock(2)), and the kernel releases that however the keeper ends.
log
    What the keeper and the host processes of joined programs have said.

No file has a secret. Sockets are in another directory, since home directories may be on a network.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from typing import Any

from ..errors import StartFailed
from ..host.here import host_here

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def checked_name(name: str) -> str:
    """Return the name of a standing Federation; raise StartFailed for what can be none.

    >>> checked_name("lab-2")
    'lab-2'
    """
    if NAME.fullmatch(name) is None:
        raise StartFailed(
            f"{name!r} cannot be the name of a standing Federation: 1 to 64 letters, digits and . _ -, and the first "
            "one is a letter or a digit", 2
        )  # fmt: skip
    return name


def base() -> str:
    """Return the directory of all standing Federations of this user on this machine."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "fedfutures", host_here())


def names() -> list[str]:
    """Return the names of the Federations that stand, or have not been taken down."""
    try:
        found = os.listdir(base())
    except OSError:
        return []
    return sorted(name for name in found if NAME.fullmatch(name) and StandingPlace(name).record() is not None)


class StandingPlace:
    """The directory of one standing Federation."""

    def __init__(self, name: str) -> None:
        self.name = checked_name(name)
        self.path = os.path.join(base(), name)
        self._lock = -1

    @property
    def log(self) -> str:
        """The path of the log."""
        return os.path.join(self.path, "log")

    def make(self) -> None:
        """Make the directory. Raises StartFailed where that is impossible, or where others may write."""
        try:
            os.makedirs(os.path.dirname(base()), mode=0o700, exist_ok=True)
            for path in (base(), self.path):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(path, 0o700)
        except OSError as error:
            raise StartFailed(
                f"the standing Federation {self.name} cannot be recorded in {self.path}: {error.strerror}. "
                "The variable XDG_STATE_HOME names another directory", 2
            ) from None  # fmt: skip
        self.check()

    def check(self) -> None:
        """Raise StartFailed unless this user alone may change what is recorded."""
        for path in (base(), self.path):
            found = os.lstat(path)
            if found.st_uid != os.geteuid():
                raise StartFailed(f"{path} belongs to another user (uid {found.st_uid}), so nothing is started", 2)
            if found.st_mode & 0o077:
                raise StartFailed(f"others may enter {path}, so nothing is started; try: chmod 700 {path}", 2)

    def take(self) -> bool:
        """Lock the place for this process, for life; return whether nobody else had. Raises StartFailed."""
        try:
            self._lock = os.open(os.path.join(self.path, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = -1
            return False
        except OSError as error:
            raise StartFailed(
                f"{self.path}/lock cannot be locked: {error.strerror}. The variable XDG_STATE_HOME names another "
                "directory", 2
            ) from None  # fmt: skip
        return True

    def is_taken(self) -> bool:
        """Whether a keeper lives."""
        if not os.path.exists(os.path.join(self.path, "lock")):
            return False
        if not self.take():
            return True
        self.let_go()
        return False

    def let_go(self) -> None:
        """Unlock the place."""
        os.close(self._lock)
        self._lock = -1

    def record(self) -> dict[str, Any] | None:
        """Return what is recorded; None: nothing is, or nothing that can be read."""
        try:
            with open(os.path.join(self.path, "record"), encoding="utf-8") as file:
                value = json.load(file)
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) and isinstance(value.get("door"), str) else None

    def write(self, record: dict[str, Any]) -> None:
        """Record this in place of what was there. Raises StartFailed."""
        path = os.path.join(self.path, "record")
        try:
            with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(record, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{path}.new", path)
        except OSError as error:
            raise StartFailed(f"{path} cannot be written: {error.strerror}", 2) from None

    def forget(self) -> None:
        """Remove the record: the Federation does not stand any more."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.path, "record"))
