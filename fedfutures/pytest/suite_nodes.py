"""The processes of a suite: their numbers, and what plug-ins see of them."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest


class Numbers:
    """Of Workers, by name: each process of a suite has one, which a name like ``gw0`` is made of."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}
        self._lock = threading.Lock()

    def give(self, worker: str) -> None:
        """Give a Worker the next number, if it has none."""
        with self._lock:
            self._given.setdefault(worker, len(self._given))

    def all(self) -> dict[str, int]:
        """Return those that were given."""
        with self._lock:
            return dict(self._given)


class Gateway(NamedTuple):
    """What plug-ins ask of one process of the suite; the names are pytest-xdist's."""

    id: str

    def _rinfo(self) -> Any:
        return SimpleNamespace(platform=sys.platform, version_info=tuple(sys.version_info))


class SuiteNode:
    """One process of the suite, for plug-ins that know pytest-xdist's hooks, as pytest-cov does."""

    def __init__(self, config: pytest.Config, worker: str, output: dict[str, Any]) -> None:
        self.config = config
        self.gateway = Gateway(worker)
        self.nodemanager = SimpleNamespace(roots=[str(config.rootpath)])
        self.workerinput: dict[str, Any] = {}
        self.workeroutput = output
