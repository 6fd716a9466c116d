"""The Worker: executes Futures, may submit more. The Origin is one with no Demand.

``fedfutures.worker.name`` is the name of this process: ``host.number`` in a Worker, "origin" elsewhere.
"""

from __future__ import annotations


def __getattr__(name: str) -> str:
    if name == "name":
        from . import current

        return current.name
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
