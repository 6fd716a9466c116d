"""The log of a keeper: what it has done, and when. Its size is bounded; a full disk costs lines and nothing else."""

from __future__ import annotations

import contextlib
import os
import time
from typing import IO

LOG_BYTES = 1 << 20
"""When the log has so many bytes it becomes ``log.1``, in place of the one before, and a new one begins."""


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
