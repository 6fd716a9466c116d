"""Programs of other systems run here: each module has the names of one of them, and does its work by fedfutures.

You change one import, ``from fedfutures.compat.scoop import futures``, or none: ``python -m fedfutures --as scoop
prog.py``. These layers are for programs that are there; new ones use :mod:`fedfutures` itself.
"""

STANDS_FOR = {name: f"{__name__}.{name}" for name in ("ezpool", "mpi4py", "pp", "scoop", "seppo", "zeppy")} | {
    "ppft": f"{__name__}.pp"
}
"""By the name that programs import, the module that stands in for it."""
