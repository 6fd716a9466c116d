"""fedfutures: ``futures.map`` and ``futures.submit`` over many machines.

The public face, listed here and nowhere else. Nothing is started by an import, and the parts are imported when they
are first asked for: ``python -m fedfutures`` has its host processes under way before it loads the rest.
"""

from __future__ import annotations

import importlib

from .host import starting
from .version import __version__

TYPE_CHECKING = False  # and no import of typing: a typing.py in the working directory would be found first
if TYPE_CHECKING:
    from logging import Logger

    from . import errors, futures, logging as logging, shared, worker
    from .futures.executor import Executor
    from .futures.inquiry import explain, statistics
    from .futures.pool import Pool
    from .host.hosts import Hosts
    from .program.probes import changed
    from .worker.future import Future
    from .worker.retries import Retries

    IS_ORIGIN: bool
    IS_RUNNING: bool
    SIZE: int
    logger: Logger

__all__ = [
    "IS_ORIGIN", "IS_RUNNING", "SIZE", "Executor", "Future", "Hosts", "Pool", "Retries", "__version__", "changed",
    "errors", "explain", "futures", "logger", "shared", "statistics", "worker",
]  # fmt: skip

# ``fedfutures.logging`` is not in __all__: ``from fedfutures import *`` would hide the standard library's.
_PLACES = {
    "Executor": ("fedfutures.futures.executor", "Executor"),
    "Future": ("fedfutures.worker.future", "Future"),
    "Hosts": ("fedfutures.host.hosts", "Hosts"),
    "Pool": ("fedfutures.futures.pool", "Pool"),
    "Retries": ("fedfutures.worker.retries", "Retries"),
    "changed": ("fedfutures.program.probes", "changed"),
    "errors": ("fedfutures.errors", ""),
    "explain": ("fedfutures.futures.inquiry", "explain"),
    "futures": ("fedfutures.futures", ""),
    "shared": ("fedfutures.shared", ""),
    "statistics": ("fedfutures.futures.inquiry", "statistics"),
    "logging": ("fedfutures.logging", ""),
    "logger": ("fedfutures.worker.future", "logger"),
    "worker": ("fedfutures.worker", ""),
}


starting.compose(
    "fedfutures.host_process", "fedfutures.keeper_process", "fedfutures_launcher.connector.keeping",
    "fedfutures_launcher.page.serving",
    lambda: importlib.import_module("fedfutures_launcher.connector.start"),
)  # fmt: skip
"""What the parts start is said here: they know of nothing that stands above them."""


def _part(name: str) -> object:
    """Return a part of the face, or a fact about this process.

    IS_ORIGIN: not in a Worker. IS_RUNNING: in a Federation. SIZE: its number of Workers, 0 without one.
    worker.name: ``host.number`` in a Worker, "origin" elsewhere.
    """
    if name in _PLACES:
        module, attribute = _PLACES[name]
        with starting.LoadingModules():
            found: object = importlib.import_module(module)
        return getattr(found, attribute) if attribute else found
    if name in ("IS_ORIGIN", "IS_RUNNING", "SIZE"):
        from .worker import current

        if name == "IS_ORIGIN":
            return current.is_origin
        return current.node is not None if name == "IS_RUNNING" else current.node.size if current.node else 0
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if not TYPE_CHECKING:  # for type checkers an attribute that there is not is an error
    __getattr__ = _part


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
