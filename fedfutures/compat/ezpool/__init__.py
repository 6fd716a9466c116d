"""ezpool's interface, for programs that were written for it.

``from fedfutures.compat.ezpool import Pool`` instead of ``from ezpool import Pool``; or no change at all: ``python -m
fedfutures --as ezpool prog.py``.
"""

from .pool import EzPool, EzPool as Pool
from .scheduler import JobManager
from .worker import BaseWorker, EchoWorker, build_worker, run_worker

__all__ = ["BaseWorker", "EchoWorker", "EzPool", "JobManager", "Pool", "build_worker", "run_worker"]
