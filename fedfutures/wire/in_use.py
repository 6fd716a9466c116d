"""Whether a file is in use: whether any process, this one too, has it open or mapped.

The kernel grants a lease for writing only on a file that nobody else has open. A mapping keeps its file open, also
after its descriptor was closed and in forked processes. Where there are no leases (other kernels, some file systems),
the file counts as in use.
"""

from __future__ import annotations

import fcntl
import os
import signal


def is_in_use(path: str) -> bool:
    """Whether another descriptor or a mapping of this file exists, or nobody can say; raises FileNotFoundError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise
    except OSError:
        return True
    try:
        return is_open_elsewhere(descriptor)
    finally:
        os.close(descriptor)


def is_open_elsewhere(descriptor: int) -> bool:
    """Whether this file was opened besides this once, for writing, or nobody can say; its own maps do not count."""
    try:
        # The kernel sends us a signal if somebody opens the file now; the usual one would end this process.
        fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, _F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, _F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return True
    return False


_F_SETSIG: int = getattr(fcntl, "F_SETSIG", 10)
_F_SETLEASE: int = getattr(fcntl, "F_SETLEASE", 1024)
