"""``mpi4py.futures``, for programs that were written for it; nothing else of mpi4py is here.

``from fedfutures.compat.mpi4py.futures import MPIPoolExecutor``, or ``python -m fedfutures --as mpi4py prog.py``.
"""

from . import futures

__all__ = ["futures"]
