"""What two interpreters must have in common for a fork of one to be as good as a start of the other.

A host server forks host processes for programs. A fork has the options of the server's interpreter, and whatever
Python, the C library and the loader have read from the environment as they began. Where a program has others, the host
server starts the program's own interpreter instead, which takes some tenths of a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from ..host.flags import ROOT, interpreter_flags
from ..version import __version__

READ_AT_START = (
    "PYTHON", "LD_", "MALLOC_", "GLIBC_TUNABLES", "LC_", "LANG", "LOCPATH", "FEDFUTURES_FAIL", "FEDFUTURES_JOURNAL"
)  # fmt: skip
"""How the names begin of the variables that a process reads once. ``TZ`` can be read again."""
_PACKAGE = os.path.join(ROOT, "fedfutures")


def identity(environ: Mapping[str, str] = os.environ, python: Sequence[str] | None = None) -> dict[str, str]:
    """Return what must be equal; `python`: the command of another interpreter than this one."""
    return {
        "python": "\0".join(python or [sys.executable]),
        "version": sys.version,
        "prefix": sys.prefix,
        "package": _PACKAGE,
        "fedfutures": f"{__version__} {_made()}",
        "flags": "\0".join(interpreter_flags()),
        **{name: value for name, value in environ.items() if name.startswith(READ_AT_START)},
    }


def _made() -> int:
    """When this package was installed: another one of the same version may have taken its place since."""
    return os.stat(os.path.join(_PACKAGE, "__init__.py")).st_mtime_ns


OURS = identity()
"""That of this process, as it began."""
