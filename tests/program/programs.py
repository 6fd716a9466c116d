"""Programs of one process: modules that are not there as files, and an Origin and a Worker that have each its own."""

from __future__ import annotations

import functools
import os
import sys
import textwrap
import types
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from fedfutures.program import modules, pickling, snapshots
from fedfutures.program.modules import Key, lookup
from fedfutures.program.namespaces import Namespaces
from fedfutures.program.reach import Reach
from fedfutures.program.tokens import Finding, Named, examine
from fedfutures.program.variables import Snapshot, Variables

BESIDE = "beside"
TESTS = str(Path(__file__).parent.parent) + os.sep


def look_anew(monkeypatch: pytest.MonkeyPatch, test_module: str) -> None:
    """Have every test find the program's modules by itself: others leave theirs, as many and of other names.

    The modules of other tests are no part of the program. There are some 200, and every look at what has a name would
    go through all that they have.
    """
    monkeypatch.setattr(modules, "last_modules", ((-1, ""), []))
    monkeypatch.setattr(modules, "verdicts", modules.verdicts | _of_other_tests(test_module, len(sys.modules)))


@functools.lru_cache(maxsize=1)
def _of_other_tests(test_module: str, count: int) -> dict[str, tuple[types.ModuleType, bool]]:
    """Return the verdicts on modules of other tests; `count` has them looked up again when modules were added."""
    kept = {test_module, __name__, *modules.MAIN_NAMES}
    loaded = {name: found for name, found in sys.modules.items() if name not in kept}
    files = {name: getattr(found, "__file__", None) for name, found in loaded.items()}
    return {name: (loaded[name], False) for name, file in files.items() if str(file).startswith(TESTS)}


def execute(text: str, name: str = BESIDE) -> types.ModuleType:
    """Return what an import of this text makes; not in ``sys.modules``."""
    made = types.ModuleType(name)
    run_in(made, text)
    return made


def run_in(module: types.ModuleType, text: str) -> None:
    """Run some more of a program."""
    exec(compile(textwrap.dedent(text), module.__name__, "exec", dont_inherit=True), module.__dict__)


def make(text: str, monkeypatch: pytest.MonkeyPatch, name: str = BESIDE) -> types.ModuleType:
    """Import a module of this text, which is put in ``sys.modules`` before it runs, as ``import`` does."""
    made = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, made)
    run_in(made, text)
    return made


def finding(name: str, module: str = BESIDE) -> Finding:
    """Look at a variable."""
    return examine(lookup((module, name)), Named(), (module, name))


def token(name: str, module: str = BESIDE) -> bytes | None:
    """Return the token of a variable by itself."""
    return finding(name, module).token


def reach_of(keys: Iterable[Key]) -> Reach:
    """Return the reach of code that reads these variables."""
    reach = Reach()
    reach.reads |= set(keys)
    return reach


def know_classes(monkeypatch: pytest.MonkeyPatch, by_class: Any, by_id: Any, made_here: Any, came: Any) -> None:
    """Have this process know these classes, which have been pickled by value: two processes know each its own."""
    monkeypatch.setattr(cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", by_class)
    monkeypatch.setattr(cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_ID", by_id)
    monkeypatch.setattr(pickling, "_made_here", made_here)
    monkeypatch.setattr(pickling, "_came", came)


def know_no_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a process that has neither sent nor got a class."""
    known = weakref.WeakKeyDictionary(), weakref.WeakValueDictionary(), weakref.WeakSet(), weakref.WeakSet()
    know_classes(monkeypatch, *known)


class Sides:
    """An Origin and a Worker in one process: the one that is at work has its modules in ``sys.modules``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, text: str, **more: str) -> None:
        """`text` is that of the module ``beside``; `more` are others by name."""
        self._monkeypatch = monkeypatch
        texts = {**more, BESIDE: text}
        self._trackers: dict[int, tuple[Any, Any, Any, Any]] = {}
        self._origin, self._worker = ({name: types.ModuleType(name) for name in texts} for _ in range(2))
        for side in (self._worker, self._origin):
            self._use(side)
            for name, source in texts.items():
                run_in(side[name], source)
        self.variables = Variables()
        self.asked: list[str] = []
        self.namespaces = Namespaces(self._fetch, lambda body, unpickle: unpickle(body, ()))

    def _use(self, side: dict[str, types.ModuleType]) -> None:
        for name, module in side.items():
            self._monkeypatch.setitem(sys.modules, name, module)
        known = self._trackers.setdefault(
            id(side),
            (weakref.WeakKeyDictionary(), weakref.WeakValueDictionary(), weakref.WeakSet(), weakref.WeakSet()),
        )
        know_classes(self._monkeypatch, *known)

    @property
    def here(self) -> types.ModuleType:
        """The Origin's module."""
        return self._origin[BESIDE]

    @property
    def there(self) -> types.ModuleType:
        """The Worker's module."""
        return self._worker[BESIDE]

    def other(self, name: str) -> tuple[types.ModuleType, types.ModuleType]:
        """Return another module of both."""
        return self._origin[name], self._worker[name]

    def change(self, text: str) -> None:
        """Let the program run some more."""
        self._use(self._origin)
        run_in(self.here, text)

    def snapshot(self, *names: str | Key, **more: Any) -> Snapshot:
        """Take a snapshot of these variables, and of all that they reach, in the Origin."""
        self._use(self._origin)
        keys: Iterable[Key] = [name if isinstance(name, tuple) else (BESIDE, name) for name in names]
        return self.variables.snapshot(self.variables.reached_from(reach_of(keys)), **more)

    def switch(self, snapshot: Snapshot) -> types.ModuleType:
        """Bring the Worker to a snapshot, and leave it at work; returns its module."""
        self._use(self._worker)
        self.namespaces.switch(snapshot.digest)
        return self.there

    def see(self, *names: str) -> types.ModuleType:
        """Let the Worker see these variables as they stand."""
        return self.switch(self.snapshot(*names))

    def within(self, call: Callable[[], Any]) -> Any:
        """Run something in the Worker."""
        self._use(self._worker)
        return call()

    def _fetch(self, keys: Sequence[bytes]) -> list[bytes]:
        self._use(self._origin)
        found = []
        for key in keys:
            kind, what, _ = snapshots.asked_for(key)
            self.asked.append(kind)
            body = (self.variables.body_of_snapshot if kind == "state" else self.variables.body_of_value)(what)
            assert body is not None, f"{kind} {what!r} is not to be had"
            found.append(body)
        self._use(self._worker)
        return found
