"""What a Worker does before its first Future: it becomes like the program.

It imports the program, or puts an empty module in its place; it runs the Executor's initializer; and what both have set
in the process, directory and environment for instance, becomes the state in which each Future begins.
"""

from __future__ import annotations

import io
import re
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

from ..host.settings import Settings
from ..node.workload import NOT_READY
from ..program import process
from ..program.modules import MAIN
from ..program.namespaces import Namespaces
from ..program.pickling import VariableUnpickler, find
from ..program.snapshots import key_of
from ..supervision.actions import INITIALIZER_EXIT_CODE
from ..wire import functions
from ..wire.captured import may_be_written
from ..wire.messages import GENERATORS
from . import current, interrupts
from .deferred import defer_outcomes
from .descriptors import Descriptors
from .ground import Ground
from .importing import Answers, OriginFinder, OriginLoader
from .initializing import unpack
from .interrupts import is_of_futures
from .leaving import Departure
from .process_parts import Values
from .process_state import merged
from .program import install_empty
from .slices import OfItems, Slice
from .worker import Worker

is_of_futures(__name__)

_NO_ATTRIBUTE = re.compile(r"Can't get (?:local )?(?:attribute|object) '?([\w.<>]+)'? on <module '([\w.]+)'")


class Preparation:
    """Prepares one Worker."""

    def __init__(self, settings: Settings, worker: Worker, ground: Ground) -> None:
        self._settings, self._worker, self._ground = settings, worker, ground
        driver, payloads = worker.driver, worker.payloads
        self._answers = Answers(driver, worker.submissions, payloads, worker.files, settings.host)
        self._asked: set[bytes] = set()
        self._before: Values | None = None  # the process as it was before the program's changes
        self._namespaces = Namespaces(
            self._answers.of_program, payloads.load_with, self._change_process, may_be_written
        )  # fmt: skip
        worker.surroundings.see_by(self._namespaces)
        payloads.attend(self._bring_missing, self._answers.segment)
        worker.local.pickler.attend(self._bring_missing)
        worker.sights.show(GENERATORS, lambda asker: self._namespaces.generators.report())
        functions.SnapshotCallable.come_from(self._namespaces.callables)
        OfItems.run_by(worker.isolation.run_items)
        Slice.run_at(worker.surroundings.running)

    def run(self) -> None:
        """Import the program, run the initializer, and take the state that they leave as the one to begin from."""
        worker, settings = self._worker, self._settings
        finder = None
        if settings.code:
            finder = OriginFinder(self._answers)
            finder.install(settings.beside)
            defer_outcomes(worker.driver, worker.submissions)
            worker.duties.take_more(False)
            worker.driver.step(NOT_READY)
            worker.start()
        self._ground.watch()
        self._ground.run_imports_by(self._around)
        OriginLoader.run_by(self._around)
        self._import_program(finder)
        Departure(worker.driver, worker.calls, worker.cells, worker.end, settings.departure).attend()
        if settings.initializer is not None:
            self._initialize(settings.initializer)
        interrupts.take()
        worker.isolation.begin()
        self._namespaces.generators.begin()
        Descriptors()
        worker.duties.take_more(True)

    def _import_program(self, finder: OriginFinder | None) -> None:
        if self._settings.program is None:
            install_empty()
            return
        ground = self._ground
        if not ground.has_program:
            current.become(self._worker)  # an Executor that the program makes at its top level joins this Federation
            ground.import_program(*self._settings.program, finder)
            current.become(None)
        if ground.failure is not None:
            self._namespaces.note_failure(MAIN, ground.failure)

    def _initialize(self, body: bytes) -> None:
        namespaces = self._namespaces
        try:
            initializer = unpack(body)
            if initializer.digest:
                namespaces.learn(initializer.digest, initializer.snapshot, initializer.values)
                namespaces.switch(initializer.digest)
            function = functions.load(initializer.definition, self._worker.payloads)
            if type(function) is functions.SnapshotCallable:
                function = function.found()
            arguments, _ = self._worker.payloads.load(initializer.payload)
            before = namespaces.before_changes()
            function(*arguments)
            namespaces.keep_what_changed(before)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            raise SystemExit(INITIALIZER_EXIT_CODE) from None

    # -- imports -----------------------------------------------------------------------------------------------------

    def _around(self, run: Callable[[types.ModuleType], object], module: types.ModuleType) -> None:
        """Keep what a module sets in its process when it is imported, be it in the middle of a Future."""
        worker = self._worker
        if not worker.runners.is_main_thread() or not worker.state.base:
            run(module)
            return
        try:
            with worker.state.importing() as changes:
                worker.isolation.import_in_base(run, module)
        finally:
            if self._before is not None:
                for part, (was, now) in changes.items():
                    self._before[part] = merged(self._before[part], was, now)

    def _bring_missing(self, error: Exception) -> bool:
        """A pickle speaks of what this process does not have in a module: the program may have put it there."""
        found = _NO_ATTRIBUTE.search(str(error))
        if found is None:
            return False
        name, module = found[1], found[2]
        key = key_of("class", f"{module}:{name}", self._namespaces.origin)
        if key in self._asked or module not in sys.modules:
            return False
        self._asked.add(key)
        try:
            [body] = self._answers.of_program([key])
            value = self._worker.payloads.load_with(body, self._unpickle)
        except Exception:
            return False
        owner: Any = sys.modules[module]
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part, None)
        setattr(owner, last, value)
        return True

    def _unpickle(self, stream: Any, buffers: Any) -> Any:
        return VariableUnpickler(io.BytesIO(stream), buffers, find).load()

    # -- the process -------------------------------------------------------------------------------------------------

    def _change_process(self, changes: dict[str, Any]) -> None:
        """Make the process as the program's is from now on; what is not among the changes is as at the beginning."""
        worker = self._worker
        if self._before is None:
            self._before = dict(worker.state.base) or worker.state.read()
        worker.state.set_base(self._before)
        contexts = {name: value for name, value in changes.items() if name in ("decimal", "numpy errors")}
        with worker.state.importing():
            process.apply({name: value for name, value in changes.items() if name not in contexts})
            worker.isolation.run_in_base(process.apply, contexts)
