"""The log of a keeper: what it has done, and when. Its size is bounded; a full disk costs lines and nothing else."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import IO

LOG_BYTES = 1 << 20
"""When the log has so many bytes it becomes ``log.1``, in place of the one before, and a new one begins."""
LOOK_SECONDS = 0.1
"""How often who follows it looks for new lines."""


def opened(path: str) -> IO[bytes]:
    """Open a log for more lines; where that cannot be written, they go nowhere."""
    try:
        return open(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "ab", 0
        )
    except OSError:
        return open(os.devnull, "ab", 0)


class Log:
    """The log at `path`, which is this process's standard error as well: what Python says there is in it, too."""

    def __init__(self, path: str, size: int = LOG_BYTES) -> None:
        self._path, self._size = path, size

    def say(self, text: str) -> None:
        """Add a line."""
        at = time.strftime("%Y-%m-%d %H:%M:%S")
        with contextlib.suppress(OSError):
            os.write(2, f"{at} {text}\n".encode("utf-8", "backslashreplace"))
        self.bound()

    def bound(self) -> None:
        """Begin a new file if this one is full, or was removed."""
        with contextlib.suppress(OSError):
            found = os.fstat(2)
            if found.st_size >= self._size:
                os.replace(self._path, f"{self._path}.1")
            elif found.st_nlink:
                return
            with opened(self._path) as file:
                os.dup2(file.fileno(), 2)


# -- for who reads it --------------------------------------------------------------------------------------------------


def size_of(path: str) -> int:
    """Return how many bytes a log has; 0 if it is not there."""
    with contextlib.suppress(OSError):
        return os.stat(path).st_size
    return 0


def last_lines(path: str, count: int) -> tuple[list[str], int]:
    """Return the last lines, those of the file before included, and how many bytes of the log they come up to."""
    former, lines = _read(f"{path}.1", 0)[0], _read(path, 0)
    found = [*former.splitlines(), *lines[0].splitlines()]
    return found[max(0, len(found) - count) :], lines[1]


def followed(path: str, at: int, goes_on: Callable[[], bool]) -> Iterator[str]:
    """Yield each line that comes behind these bytes, as long as `goes_on` says so, and what has come by then."""
    rest, inode = "", _inode(path)
    while True:
        is_last = not goes_on()
        if _inode(path) != inode:
            text, _ = _read(f"{path}.1", at)
            inode, at = _inode(path), 0
            rest += text
        text, at = _read(path, at)
        *lines, rest = (rest + text).split("\n")
        yield from lines
        if is_last:
            return
        time.sleep(LOOK_SECONDS)


def _inode(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(path).st_ino
    return 0


def _read(path: str, at: int) -> tuple[str, int]:
    """Return what a file has behind so many bytes, and how many it has."""
    try:
        with open(path, "rb") as file:
            file.seek(at)
            data = file.read()
    except OSError:
        return "", at
    return data.decode("utf-8", "replace"), at + len(data)
