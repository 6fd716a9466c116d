"""The hello of a host process that a host server has forked: what the bootstrap of one says that ssh has started.

:mod:`fedfutures_launcher.remote.hello` reads it.

>>> hello("", "").startswith(MAGIC)
True
"""

from __future__ import annotations

import contextlib
import json
import os
import sys

from ..version import __version__
from ..wire.messages import PROTOCOL
from .system import processors

MAGIC = b"\n\x1efedfutures "
"""Nothing else that a login prints begins so."""
SERVER = "FEDFUTURES_SERVER"
"""The variable with the door of the host server, for a host process that it starts by another interpreter."""


def of_platform() -> dict[str, str]:
    """Return what kind of machine this is: "system", "machine", "libc", "byteorder", "implementation"."""
    libc = ""
    with contextlib.suppress(AttributeError, ValueError, OSError):  # another libc than glibc does not say
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    found = os.uname()
    return {
        "system": found.sysname, "machine": found.machine, "libc": libc, "byteorder": sys.byteorder,
        "implementation": sys.implementation.name,
    }  # fmt: skip


def hello(server: str, address: str) -> bytes:
    """Return the line. `server`: the door of the host server; `address`: of this host for others."""
    import cloudpickle

    facts = {
        "fedfutures": __version__, "protocol": PROTOCOL, "cloudpickle": cloudpickle.__version__, "error": None,
        "python": sys.version_info[:3], "executable": sys.executable, "processors": processors(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "host": os.uname().nodename,
        "address": address, "server": server, **of_platform(),
    }  # fmt: skip
    return MAGIC + json.dumps(facts).encode() + b"\n"
