"""Parallel Python's interface (``pp``, and ``ppft``, its fork), for programs that were written for it.

``from fedfutures.compat import pp`` instead of ``import pp``; or no change at all: ``python -m fedfutures --as pp
prog.py``. :mod:`fedfutures.compat.pp.server` is ``ppserver``.
"""

from . import common
from .jobs import DestroyedServerError, Server, Statistics, Submitted, Template

__all__ = [
    "DestroyedServerError", "Server", "Statistics", "Submitted", "Template", "__version__", "common", "copyright",
    "version",
]  # fmt: skip

__version__ = version = "1.7.8"
"""The version of ppft whose interface this is."""
copyright = "fedfutures has written this anew; Parallel Python is of Vitalii Vanovschi and Mike McKerns"
_USE_SUBPROCESS = True
SHOW_EXPECTED_EXCEPTIONS = False
_Task, _Statistics = Submitted, Statistics
