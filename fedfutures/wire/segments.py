"""Shared memory between the processes of one host: files in a private directory on a memory file system.

A :class:`Segments` writes large buffers to files of their own and maps those of others, read-only unless asked. The
directory belongs to the run: the host process makes it (mode 0700) and removes it with all that is in it, so nothing
outlives a run whichever way it ends. ``multiprocessing.shared_memory`` is not used: it starts a tracker process that
unlinks segments other processes still need (CPython issue 82300).

A file is removed by its receiver once mapped (results), or by its submitter once the last Future that uses it has
resolved (arguments): :meth:`Segments.release`.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence

SHARED_FROM_BYTES = 1 << 20
"""Buffers and pickles from this size on travel through shared memory between the processes of one host."""


class Segments:
    """Writes and maps the segments of one process in the directory `path`; `owner` makes file names unique."""

    def __init__(self, path: str, owner: str) -> None:
        self._path = path
        self._owner = owner
        self._count = 0
        self._users: dict[str, int] = {}  # of own segments: payloads that need the file

    def write(self, buffer: memoryview | bytes) -> str:
        """Copy `buffer` into a new segment and return its name."""
        self._count += 1
        name = f"{self._owner}-{self._count}"
        descriptor = os.open(os.path.join(self._path, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(buffer).cast("B")
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        self._users[name] = 1
        return name

    def retain(self, name: str) -> None:
        """One more payload needs this own segment."""
        self._users[name] += 1

    def map(self, name: str, *, take: bool = False) -> mmap.mmap:
        """Map a segment read-only; with `take`, writable, and its file is removed: it is the caller's alone."""
        path = self._file(name)
        descriptor = os.open(path, (os.O_RDWR if take else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            access = mmap.ACCESS_WRITE if take else mmap.ACCESS_READ
            mapped = mmap.mmap(descriptor, os.fstat(descriptor).st_size, access=access)
        finally:
            os.close(descriptor)
        if take:
            self.release([name])
        return mapped

    def release(self, names: Sequence[str]) -> None:
        """A payload that needed these segments is done; a file nobody else needs goes. Mappings of it stay valid."""
        for name in names:
            if self._users.get(name, 1) > 1:
                self._users[name] -= 1
                continue
            self._users.pop(name, None)
            try:
                os.unlink(self._file(name))
            except FileNotFoundError:
                pass  # its Worker died and the host process was there first, or the run is over

    def _file(self, name: str) -> str:
        if "/" in name or name.startswith("."):
            raise ValueError(f"not a segment name: {name!r}")
        return os.path.join(self._path, name)
