"""Which directories of a host hold segments, and how much more they can hold.

A run has two directories on each host: one on the memory file system, and one on disk (in ``TMPDIR``) for values that
the first has no room for. Memory file systems are small in places: Docker gives 64 MB. A segment has the same name
wherever it is, so who reads it looks into one directory after the other.
"""

from __future__ import annotations

import errno
import os

from ..errors import NoRoom

SPARE_BYTES = 1 << 20
"""So much of a file system is left to others: locks and queues of ``multiprocessing``, for instance."""
GRACEFUL = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM,
        errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO,
    }
)  # fmt: skip
"""Errors of a directory that another directory may not have."""


class Places:
    """The directories of a host that hold segments, the preferred one first; `host` names it to people."""

    def __init__(self, host: str, *directories: str) -> None:
        self.host = host
        self.directories = [directory for directory in dict.fromkeys(directories) if directory]

    def find(self, name: str) -> str:
        """Return the path of a file; of one that is nowhere, the path that it would have in the preferred directory."""
        for directory in self.directories:
            path = os.path.join(directory, name)
            if os.path.lexists(path):
                return path
        return os.path.join(self.directories[0], name)

    def free(self) -> str:
        """Say how much room there is, for people."""
        return ", ".join(f"{os.path.dirname(place)} has {free_bytes(place):,} bytes free" for place in self.directories)

    def no_room(self, size: int, problems: list[OSError]) -> NoRoom:
        """Return the error to raise when no directory could take in `size` bytes, for these reasons."""
        found = [
            (os.path.dirname(directory), free_bytes(directory), problem.strerror or str(problem))
            for directory, problem in zip(self.directories, problems)
        ]
        return NoRoom(self.host, size, found)


def free_bytes(directory: str) -> int:
    """Return how many bytes a directory's file system can take in; 0 where that is not to be had."""
    try:
        state = os.statvfs(directory)
    except OSError:
        return 0
    return state.f_bavail * state.f_frsize


def check_fits(directory: str, size: int) -> None:
    """Raise OSError where `size` bytes more would fill a directory's file system."""
    if size + SPARE_BYTES > free_bytes(directory):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), directory)


def write_file(path: str, view: memoryview) -> None:
    """Write a segment's file, a new one or one that is used again; one that could not be written is removed.

    All of it is written before anybody maps it: a page of a map that cannot be had would end the process (SIGBUS).
    """
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.ftruncate(descriptor, view.nbytes)
        while view:
            view = view[os.write(descriptor, view) :]
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def reserve(descriptor: int, size: int) -> None:
    """Give a file its size and the space for that; raise OSError where there is none."""
    os.ftruncate(descriptor, size)
    if size:
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # of a file system that cannot
                raise
