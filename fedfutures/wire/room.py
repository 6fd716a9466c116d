"""Which directories of a host hold segments, and how much more they can hold.

A run has one on the memory file system, which may be small (Docker gives 64 MB), and one on disk (in ``TMPDIR``) for
what the first has no room for. A segment has the same name in either.
"""

from __future__ import annotations

import contextlib
import errno
import os

from ..errors import NoRoom

SPARE_BYTES = 1 << 20
"""What segments leave free of a file system for others, such as locks and queues of ``multiprocessing``."""
GRACEFUL = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM,
    errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO,
})  # fmt: skip
"""Errors of a directory that another directory may not have."""


_UNNAMED: int = getattr(os, "O_TMPFILE", os.O_DIRECTORY)  # where it is not known, it is an error: EISDIR
UNNAMED_UNKNOWN = frozenset({errno.EISDIR, errno.EOPNOTSUPP, errno.EINVAL})
"""What systems say that have no files without a name."""


MADE, HANDED_OVER = 0o600, 0o700
"""The mode of a segment's file says who removes it when its maker dies: nobody needs one that is only made; one that
was handed over belongs to the receiver of the outcome, and stays."""
OF_HERE = 0o200
"""The mode of a segment that came from another host lacks this bit: nobody writes to it here."""


class Places:
    """The directories of a host that hold segments, the preferred one first; `host` names it to people."""

    def __init__(self, host: str, *directories: str) -> None:
        self.host = host
        self.directories = [directory for directory in dict.fromkeys(directories) if directory]

    def find(self, name: str) -> str:
        """Return the path of a file; of one that is nowhere, the path that it would have in the preferred directory."""
        paths = [os.path.join(directory, name) for directory in self.directories]
        return next(filter(os.path.lexists, paths), paths[0])

    def hand_over(self, name: str) -> None:
        """Mark the file of an outcome, which its receiver removes from now on: if that dies, its host does."""
        with contextlib.suppress(OSError):
            path = self.find(name)
            os.chmod(path, HANDED_OVER & (os.stat(path).st_mode | ~OF_HERE))

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
    """Return how many bytes a directory's file system can take in; 0 where it does not say."""
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
    """Write a segment's file, new or used again; remove it if that fails.

    All of it is written before anybody maps it: a page of a map that does not exist would end the process (SIGBUS).
    """
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, MADE)
    try:
        os.ftruncate(descriptor, view.nbytes)
        while view:
            view = view[os.write(descriptor, view) :]
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def create_unnamed(directory: str, size: int) -> int:
    """Return a descriptor of a file of `size` bytes that has no name; raise OSError where there is no room for it."""
    descriptor = os.open(directory, _UNNAMED | os.O_RDWR | os.O_CLOEXEC, MADE)
    try:
        reserve(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def name_unnamed(descriptor: int, path: str) -> None:
    """Give a file of :func:`create_unnamed` a name, of which it may have several (open(2), ``O_TMPFILE``)."""
    own = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(str(descriptor), path, src_dir_fd=own)
    finally:
        os.close(own)


def reserve(descriptor: int, size: int) -> None:
    """Give a file its size and the space for that; raise OSError where there is none."""
    os.ftruncate(descriptor, size)
    if size:
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # of a file system that cannot
                raise
