"""SCOOP's interface (https://scoop.readthedocs.io), for programs that were written for it.

``from fedfutures.compat.scoop import futures`` instead of ``from scoop import futures``; or no change at all:
``python -m fedfutures --as scoop prog.py``. :mod:`fedfutures.compat.scoop.__main__` takes SCOOP's own command line.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple

import fedfutures

from ...host.here import host_here
from . import futures, shared, utils

__all__ = [
    "BROKER", "BROKER_NAME", "CONFIGURATION", "DEBUG", "IS_ORIGIN", "IS_RUNNING", "MAIN_MODULE", "SHUTDOWN_REQUESTED",
    "SIZE", "VALID", "WORKER_NAME", "BrokerInfo", "futures", "logger", "shared", "utils", "worker",
]  # fmt: skip

__version__, __revision__ = "0.7", "2.0"
"""The version whose interface this is."""

CONFIGURATION: dict[str, Any] = {}
DEBUG = SHUTDOWN_REQUESTED = False
VALID = True
TIME_BETWEEN_PARTIALDEBUG, TIME_BETWEEN_STATUS_REPORTS, TIME_BETWEEN_STATUS_PRUNING = 30, 25, 60


class BrokerInfo(NamedTuple):
    """Where the Broker of this process is. It has no ports: 0 stands in their place."""

    hostname: str
    task_port: int = 0
    info_port: int = 0
    externalHostname: str = ""


def _part(name: str) -> object:
    """Return a fact about this process."""
    if name in ("IS_ORIGIN", "IS_RUNNING", "SIZE", "logger"):
        return getattr(fedfutures, name)
    own = fedfutures.worker.name
    host = host_here() if own == "origin" else own.rpartition(".")[0]
    if name == "MAIN_MODULE":
        return getattr(sys.modules["__main__"], "__file__", None) or sys.argv[0]
    if name == "worker":
        return own, f"{host}.broker"
    if name in ("WORKER_NAME", "BROKER_NAME"):
        return own if name == "WORKER_NAME" else f"{host}.broker"
    if name == "BROKER":
        return BrokerInfo(host, externalHostname=os.uname().nodename)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__getattr__ = _part
