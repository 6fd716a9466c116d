"""Whether a file is in use: whether any process, this one too, has it open or mapped.

The kernel is asked: it grants a lease for writing only on a file that nobody else has open, and a mapping keeps its
file open, in forked processes too, also where its descriptor is closed. Where no lease is to be had (other kernels,
some file systems), the answer is that the file is in use.
"""

from __future__ import annotations

import fcntl
import os
import signal


def is_in_use(path: str) -> bool:
    """Return whether another descriptor or a mapping of this file exists; True where nobody can say.

    Raises FileNotFoundError.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise
    except OSError:
        return True
    try:
        # Whoever opens the file in this moment has a signal sent to us; the usual one would end this process.
        fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, _F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, _F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


_F_SETSIG: int = getattr(fcntl, "F_SETSIG", 10)
_F_SETLEASE: int = getattr(fcntl, "F_SETLEASE", 1024)
