"""What a Worker's process is before it has a node: it watches its own state, knows its locks, and imports the program.

A Worker that is forked from a template has the ground of that one, in which the program has been imported.
"""

from __future__ import annotations

import importlib._bootstrap_external as external
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .locks import Locks
from .process_state import ProcessState
from .program import import_program

if TYPE_CHECKING:
    from .importing import OriginFinder

Run = Callable[[types.ModuleType], object]


def _plainly(run: Run, module: types.ModuleType) -> None:
    run(module)


class Ground:
    """Of one process. `around` runs the body of each module that is imported."""

    def __init__(self) -> None:
        self.state = ProcessState()
        self.locks = Locks()
        self.around: Callable[[Run, types.ModuleType], object] = _plainly
        self.is_watching = False
        self.has_program = False
        self.failure: BaseException | None = None  # which the import of the program has raised

    def watch(self) -> None:
        """Hear of changes of the process, of locks and of imports from now on."""
        if self.is_watching:
            return
        self.is_watching = True
        self.state.watch()
        self.locks.install()
        plain = external._LoaderBasics.exec_module  # type: ignore[attr-defined]

        def exec_module(loader: Any, module: types.ModuleType) -> None:
            self.around(lambda module: plain(loader, module), module)
            self.locks.imported(module.__name__)

        external._LoaderBasics.exec_module = exec_module  # type: ignore[attr-defined]

    def run_imports_by(self, around: Callable[[Run, types.ModuleType], object]) -> None:
        """Have this run what modules do when they are imported."""
        self.around = around

    def import_program(self, kind: str, place: str, finder: OriginFinder | None = None) -> None:
        """Import the program, once; what that raises is kept."""
        self.has_program = True
        try:
            import_program(kind, place, finder)
        except BaseException as error:
            self.failure = error
