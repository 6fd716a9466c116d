"""Who holds the private directories of a run, and who removes them when nobody is left.

Each process that needs the directories for life (the Origin, the host process, each Broker) holds a shared lock on each
of them. The kernel releases it when the process ends, however it ends; pids would say less, since they are used again,
and containers that share ``/dev/shm`` have pids of their own. So whoever gets the exclusive lock knows that nobody else
is left: it removes the directory. That is a Broker whose host process was killed, or the next host process that starts
on this machine. Sources: flock(2), which locks directories, too; on NFS it does not, and such directories stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence

from .job_directory import directory_of_job, suits_shared_memory
from .system import PREFIX, make_disk_directory, make_private_directory, remove, remove_tree, shared_memory_base

SWEEP_SECONDS = 0.02
"""For how long a host process that starts looks for what runs before it have left; the rest is left to the next."""
MADE_ANEW_AT_MOST = 8
_NAME = re.compile(re.escape(PREFIX) + "[0-9a-f]{15}")


class Hold:
    """The locks of one process on the directories of its run; those that are gone or "" are passed over."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._descriptors: dict[str, int] = {}
        for path in paths:
            descriptor = _held(path) if path else -1
            if descriptor >= 0:
                self._descriptors[path] = descriptor

    def add(self, make: Callable[[], str]) -> str:
        """Make a directory by `make`, hold it and return its path.

        The host process of another run may take it for one that nobody holds before it is held: then it is made anew.
        """
        path = ""
        for _ in range(MADE_ANEW_AT_MOST):
            path = make()
            if not path or (descriptor := _held(path)) >= 0:
                break
        else:
            raise FileNotFoundError(f"{path} was removed as soon as it was made")
        if path:
            self._descriptors[path] = descriptor
        return path

    def add_all(self, given: Sequence[str], *, lasting: bool) -> list[str]:
        """Hold the private directories of a run and return their paths: for sockets, in shared memory, on disk.

        `given`: they are those of a host process that was killed; else they are made, for `lasting` see
        :func:`.system.make_private_directory`. In a batch job that has a directory of its own, they are made there.
        """
        job, memory = directory_of_job(os.environ), shared_memory_base()
        shared = job if job is not None and suits_shared_memory(job, memory) else memory
        ways: list[Callable[[], str]] = [functools.partial(private_directory, path) for path in given]
        ways = ways or [
            lambda: make_private_directory(job, lasting=lasting),
            lambda: make_private_directory(shared),
            make_disk_directory,
        ]
        return [self.add(way) for way in ways]

    def let_go(self) -> None:
        """Hold them no longer; in a forked process, which shares the locks, leave them to its parent."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def remove_if_last(self, seconds: float) -> bool:
        """Remove the directories that nobody else holds, or lets go of within `seconds`; return whether that is all."""
        deadline = time.monotonic() + seconds
        left = dict(self._descriptors)
        while True:
            for path, descriptor in list(left.items()):
                if _is_last(descriptor):
                    remove_tree(path)
                    del left[path]
            if not left or time.monotonic() > deadline:
                return not left
            time.sleep(0.005)


def is_private_name(name: str) -> bool:
    """Whether a directory of this name is one that a run has made.

    >>> is_private_name("fedfutures-h0123456789abcde"), is_private_name("fedfutures-home")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def private_directory(path: str) -> str:
    """Return the path of a private directory, made again where it was removed, by Brokers of a killed host process.

    Raises PermissionError where others may enter it, or it belongs to somebody else.
    """
    if path:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        found = os.lstat(path)
        if found.st_uid != os.geteuid() or found.st_mode & 0o77:
            raise PermissionError(f"{path} is not private")
    return path


def remove_abandoned(places: Iterable[str], seconds: float = SWEEP_SECONDS) -> list[str]:
    """Remove the directories of this user's runs in `places` that nobody holds; return their paths.

    It follows no symbolic links, touches no directory of another user, and stops after `seconds`.
    """
    deadline = time.monotonic() + seconds
    removed: list[str] = []
    for place in dict.fromkeys(places):
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if time.monotonic() > deadline:
                    return removed
                if is_private_name(entry.name) and _remove_if_abandoned(entry.path, deadline):
                    removed.append(entry.path)
    return removed


def usual_places() -> list[str]:
    """Return the directories in which runs on this machine make theirs."""
    chosen = (os.environ.get(name, "") for name in ("XDG_RUNTIME_DIR", "TMPDIR"))
    return [place for place in ("/dev/shm", *chosen, "/tmp", "/var/tmp") if place]


def _held(path: str) -> int:
    """Return a descriptor that holds a directory: -1 if that is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:  # somebody is removing it
        os.close(descriptor)
        return -1
    except OSError:  # a file system without locks, where nobody can take it for abandoned
        return descriptor
    if os.fstat(descriptor).st_nlink == 0:
        os.close(descriptor)
        return -1
    return descriptor


def _is_last(descriptor: int) -> bool:
    """Whether nobody else holds this directory; if somebody does, this process holds it no longer either."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_if_abandoned(path: str, deadline: float) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.fstat(descriptor).st_uid != os.geteuid() or not _is_last(descriptor):
            return False
        for name in os.listdir(descriptor):
            if time.monotonic() > deadline:
                return False
            remove(os.path.join(path, name))
        os.rmdir(path)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
