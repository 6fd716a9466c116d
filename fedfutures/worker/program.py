"""The user's program in a Worker: imported when something of it is first needed, under another name than ``__main__``.

As ``multiprocessing`` does when it spawns, so that ``if __name__ == "__main__"`` keeps the program's own run to the
Origin, while classes that it defines or makes at import exist here. On a host that does not share the Origin's files
its text comes from the Origin (:mod:`.importing`). Until then a stand-in module sits in its place
and imports it when asked for an attribute. A program without a main guard is never imported: its import would run it.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from typing import TYPE_CHECKING, Any

from ..wire.functions import AT_IMPORT, plain
from ..wire.payload import MAIN_NAMES
from . import current

if TYPE_CHECKING:
    from .importing import OriginFinder

_NAME = MAIN_NAMES[1]


class Program(types.ModuleType):
    """The stand-in; :meth:`load` replaces it by the real module."""

    def __init__(self, kind: str, place: str, finder: OriginFinder | None = None) -> None:
        super().__init__(_NAME)
        self.__dict__["_finder"] = finder
        self.__dict__["_program"] = (kind, place)
        self.__dict__["_failure"] = None

    def install(self) -> None:
        """Sit where the program is looked for."""
        for name in MAIN_NAMES:
            sys.modules[name] = self

    def load(self) -> types.ModuleType:
        """Import the program, once; raise what that raised, each time."""
        if sys.modules[_NAME] is not self:
            return sys.modules[_NAME]
        if self._failure is not None:
            raise ImportError(f"the program cannot be imported by Workers: {self._failure!r}") from self._failure
        try:
            spec = self._find()
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            for name in MAIN_NAMES:
                sys.modules[name] = module
            current.importing_program = True
            spec.loader.exec_module(module)
            vars(module)[AT_IMPORT] = {name: plain(value) for name, value in list(vars(module).items())}
        except BaseException as error:
            self.install()
            self.__dict__["_failure"] = error
            raise ImportError(f"the program cannot be imported by Workers: {error!r}") from error
        finally:
            current.importing_program = False
        return module

    def _find(self) -> importlib.machinery.ModuleSpec:
        if self._finder is not None:
            return self._finder.program(_NAME)  # type: ignore[no-any-return]
        kind, place = self._program
        if kind == "module":
            found = importlib.util.find_spec(place)
            assert found is not None
            assert found.origin is not None
            place = found.origin
        spec = importlib.util.spec_from_loader(_NAME, importlib.machinery.SourceFileLoader(_NAME, place))
        assert spec is not None
        return spec

    def load_again(self) -> bool:
        """Import the program if that has not been tried; return whether anything has changed."""
        if sys.modules.get(_NAME) is not self or self._failure is not None:
            return False
        try:
            self.load()
        except ImportError:
            return False
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        try:
            return getattr(self.load(), name)
        except ImportError as error:
            raise AttributeError(f"{name}: {error}") from error
