"""zeppy's interface, for programs that were written for it.

``from fedfutures.compat import zeppy`` instead of ``import zeppy``; or no change at all: ``python -m fedfutures --as
zeppy prog.py``.
"""

from . import ppipes, ptcp
from .ppipes import zmq_parallelpipe

__all__ = ["ppipes", "ptcp", "zmq_parallelpipe"]

__version__ = "0.1.4"
"""The version whose interface this is."""
