"""The user's program in a Worker: imported before the first Future, under another name than ``__main__``.

So ``if __name__ == "__main__"`` keeps the program's own run to the Origin. On a host that does not share the Origin's
files its text comes from there (:mod:`.importing`). A program without a main guard is never imported, for that would
run it: an empty module has its place, and what Futures need of it comes with their snapshots.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import types
from typing import TYPE_CHECKING, Any

from ..program.modules import MAIN, MAIN_NAMES, made_module
from . import current

if TYPE_CHECKING:
    from .importing import OriginFinder

_NAME = MAIN_NAMES[1]


def install_empty() -> None:
    """Put an empty module where the program is looked for."""
    _install(made_module(MAIN))


def import_program(kind: str, place: str, finder: OriginFinder | None = None) -> None:
    """Import the program: the file at `place`, or the module of that name. Raises what that raises."""
    spec = _find(kind, place, finder)
    loader: Any = spec.loader
    module = made_module(_NAME)
    module.__file__, module.__loader__ = spec.origin, loader
    # As under python: a file has no spec, and a module that of its name, by which it finds what stands beside it.
    module.__spec__ = spec if kind == "module" else None
    module.__package__ = place.rpartition(".")[0] if kind == "module" else None
    if module.__package__:
        importlib.import_module(module.__package__)
    _install(module)
    current.importing_program = current.unusual = True
    try:
        exec(loader.get_code(spec.name), vars(module))
    except BaseException:
        install_empty()
        raise
    finally:
        current.importing_program = current.unusual = False


def _install(module: types.ModuleType) -> None:
    for name in MAIN_NAMES:
        sys.modules[name] = module


def _find(kind: str, place: str, finder: OriginFinder | None) -> importlib.machinery.ModuleSpec:
    if finder is not None:
        return finder.program(place if kind == "module" else _NAME)
    if kind == "module":
        found = importlib.util.find_spec(place)
        assert found is not None
        return found
    spec = importlib.util.spec_from_loader(_NAME, importlib.machinery.SourceFileLoader(_NAME, place))
    assert spec is not None
    return spec
