"""One module stands in for another: who imports ``scoop`` gets ``fedfutures.compat.scoop``.

So a program that was written for another system runs without a changed line: ``python -m fedfutures --as scoop
prog.py``. A finder of ``sys.meta_path`` stands before all others, and both names are those of one module object.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_modules: dict[str, str] = {}
"""By the name that programs import, the module that stands in."""


def install(pairs: Iterable[Sequence[str]]) -> None:
    """Have modules stand in for others from now on: pairs of the name that programs import, and the module.

    What was imported by such a name before stays as it is.
    """
    _modules.update((name, module) for name, module in pairs)
    if _modules and _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def installed() -> list[list[str]]:
    """Return the pairs of this process, as :func:`install` takes them."""
    return [[name, module] for name, module in _modules.items()]


class StandInFinder:
    """Finds the modules that stand in, and what is below them."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """Return the spec of a module (PEP 451); None: another finder is to look for it."""
        root, dot, rest = name.partition(".")
        if root not in _modules:
            return None
        real = _modules[root] + dot + rest
        found = importlib.util.find_spec(real)
        if found is None:
            return None
        loader: Any = _Loader(real)
        return ModuleSpec(name, loader, origin=found.origin, is_package=found.submodule_search_locations is not None)


class _Loader:
    def __init__(self, real: str) -> None:
        self._real = real
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._real)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the machinery of imports has set that of the other name


_FINDER: Any = StandInFinder()
