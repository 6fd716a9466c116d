"""The descriptors that a Worker lives on cannot be closed by user code.

``os.close`` of one says EBADF, as for a number that is not open, and ``os.closerange`` leaves them out.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable


class Descriptors:
    """Those that are open when it is made, and what leads to the Broker at any time."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._reserved = {fd: identity for fd in _open_descriptors() if (identity := _identity(fd)) is not None}
        setattr(os, "close", self._guarded_close(os.close))  # noqa: B010
        setattr(os, "closerange", self._guarded_closerange(os.closerange))  # noqa: B010

    def _is_reserved(self, fd: int) -> bool:
        """Whether the Worker needs this descriptor; a number may have come to name something else."""
        identity = _identity(fd)
        return identity is not None and (self._reserved.get(fd) == identity or _leads_to_broker(fd))

    def _guarded_close(self, close: Callable[[int], None]) -> Callable[[int], None]:
        def guarded(fd: int) -> None:
            if self._is_reserved(fd) and os.getpid() == self._pid:
                raise OSError(errno.EBADF, "this descriptor belongs to the Worker")
            close(fd)

        return guarded

    def _guarded_closerange(self, closerange: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def guarded(fd_low: int, fd_high: int, /) -> None:
            if os.getpid() == self._pid:
                for reserved in filter(self._is_reserved, sorted(_open_descriptors())):
                    if fd_low <= reserved < fd_high:
                        closerange(fd_low, reserved)
                        fd_low = reserved + 1
            closerange(fd_low, fd_high)

        return guarded


def _open_descriptors() -> list[int]:
    """Return the descriptors that are open; the one that the listing itself takes is among them."""
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return []


def _identity(fd: int) -> tuple[int, int] | None:
    """Return device and inode."""
    try:
        status = os.fstat(fd)
    except (OSError, OverflowError):
        return None
    return status.st_dev, status.st_ino


def _leads_to_broker(fd: int) -> bool:
    """Whether this is a connection that ZeroMQ has made since: they come and go with the Broker."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    try:
        with socket.socket(fileno=os.dup(fd)) as connection:
            peer = connection.getpeername()
    except OSError:
        return False
    return isinstance(peer, str) and os.path.basename(os.path.dirname(peer)).startswith("fedfutures-")
