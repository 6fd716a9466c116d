"""Where standing Federations are recorded: a private directory for each, by name, of this user on this machine.

``$XDG_STATE_HOME/fedfutures/HOST/NAME`` (by default ``~/.local/state``) has the files

record
    What the keeper was told, and where its door is, as JSON. It is there as long as the Federation stands, whether or
    not its keeper lives.
lock
    The keeper holds a lock on it (flock(2)), and the kernel releases that however the keeper ends.
log, log.1
    What the keeper has said (:mod:`.log`).

allowed, server_key
    The keys that may come by TCP, and that of the server which they come to (:mod:`fedfutures_launcher.ssh.own_keys`).

No other file has a secret. Sockets are in another directory, since home directories may be on a network.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
import time
from typing import Any

from ..errors import StartFailed
from ..host.here import host_here

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LOCK, RECORD = "lock", "record"


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
    """Return the directory of all standing Federations of this user on this machine. Raises StartFailed."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise StartFailed(
                "this user has no home directory, in which standing Federations are recorded; try: "
                "export XDG_STATE_HOME=/tmp/$USER-state", 2
            )  # fmt: skip
        state = os.path.join(home, ".local", "state")
    return os.path.join(state, "fedfutures", host_here())


def names() -> list[str]:
    """Return the names of the Federations that stand, or have not been taken down."""
    try:
        found = os.listdir(base())
    except (OSError, StartFailed):
        return []
    return sorted(name for name in found if NAME.fullmatch(name) and StandingPlace(name).record() is not None)


class StandingPlace:
    """The directory of one standing Federation."""

    def __init__(self, name: str, state: str | None = None) -> None:
        self.name = checked_name(name)
        self._base = state or base()  # the directory of all, where that is not as this process would say
        self.path = os.path.join(self._base, name)
        self._lock = -1

    @staticmethod
    def at(path: str) -> StandingPlace:
        """Return the place whose directory is `path`, wherever this process would look for it."""
        return StandingPlace(os.path.basename(path), os.path.dirname(path))

    @property
    def log(self) -> str:
        """The path of the log."""
        return os.path.join(self.path, "log")

    def make(self) -> None:
        """Make the directory. Raises StartFailed where that is impossible, or where others may write."""
        try:
            os.makedirs(os.path.dirname(os.path.dirname(self._base)), mode=0o700, exist_ok=True)
            for path in self._private():
                with contextlib.suppress(FileExistsError):
                    os.mkdir(path, 0o700)
        except OSError as error:
            raise StartFailed(
                f"the standing Federation {self.name} cannot be recorded in {self.path}: {error.strerror}. "
                "The variable XDG_STATE_HOME names another directory", 2
            ) from None  # fmt: skip
        self.check()

    def _private(self) -> tuple[str, str, str]:
        return os.path.dirname(self._base), self._base, self.path

    def check(self) -> None:
        """Raise StartFailed unless this user alone may change what is recorded."""
        for path in self._private():
            try:
                found = os.lstat(path)
            except OSError as error:
                raise StartFailed(f"{path} cannot be looked at: {error.strerror}", 2) from None
            if stat.S_ISLNK(found.st_mode):
                raise StartFailed(f"{path} is a symbolic link, so nothing is started; try: mv {path} {path}.old", 2)
            if not stat.S_ISDIR(found.st_mode):
                raise StartFailed(f"{path} is no directory, so nothing is started; try: mv {path} {path}.old", 2)
            if found.st_uid != os.geteuid():
                raise StartFailed(f"{path} belongs to another user (uid {found.st_uid}), so nothing is started", 2)
            if found.st_mode & 0o077:
                raise StartFailed(f"others may enter {path}, so nothing is started; try: chmod 700 {path}", 2)

    # -- the lock ----------------------------------------------------------------------------------------------------

    def take(self, seconds: float = 0.1) -> bool:
        """Lock the place; return whether nobody else has, or has let go within `seconds`. Raises StartFailed."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._lock = os.open(os.path.join(self.path, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # a keeper, or who looks whether there is one
                self.let_go()
            except OSError as error:
                self.let_go()
                raise StartFailed(
                    f"{self.path}/{LOCK} cannot be locked: {error.strerror}. The variable XDG_STATE_HOME names another "
                    "directory", 2
                ) from None  # fmt: skip
            else:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)

    @property
    def lock(self) -> int:
        """The descriptor that holds the lock, -1 without it; a process that inherits it keeps the place locked."""
        return self._lock

    def adopt(self, descriptor: int) -> None:
        """The lock is this process's own from now on: it has inherited it."""
        with contextlib.suppress(OSError):
            os.set_inheritable(descriptor, False)
            self._lock = descriptor

    def is_taken(self) -> bool:
        """Whether a keeper lives, or is being started."""
        try:
            descriptor = os.open(os.path.join(self.path, LOCK), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # those who look do not keep each other out
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return False

    def has_lock(self) -> bool:
        """Whether what this process has locked is still what others would lock."""
        try:
            there, ours = os.stat(os.path.join(self.path, LOCK)), os.fstat(self._lock)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def let_go(self) -> None:
        """Unlock the place, unless another process has inherited the lock."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    # -- the record --------------------------------------------------------------------------------------------------

    def stands(self) -> bool:
        """Whether something is recorded, readable or not: the Federation was not taken down."""
        try:
            os.lstat(os.path.join(self.path, RECORD))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def record(self) -> dict[str, Any] | None:
        """Return what is recorded; None: nothing is, or nothing that can be read."""
        try:
            with open(os.path.join(self.path, RECORD), encoding="utf-8") as file:
                value = json.load(file)
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) and isinstance(value.get("door"), str) else None

    def write(self, record: dict[str, Any]) -> None:
        """Record this in place of what was there. Raises StartFailed."""
        write_whole(os.path.join(self.path, RECORD), json.dumps(record))

    def forget(self) -> None:
        """Remove the record: the Federation does not stand any more."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.path, RECORD))


def write_whole(path: str, text: str) -> None:
    """Write a file that only its owner may read: whoever opens it finds all of it, or what was there before.

    Raises StartFailed.
    """
    try:
        with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)
    except OSError as error:
        raise StartFailed(f"{path} cannot be written: {error.strerror}", 2) from None
