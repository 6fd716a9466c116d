"""What one Future changes in its process is undone before the next one runs, and is given back to one that waits.

What changes a *part* of the state (:mod:`.process_parts`) is watched, and notes the part as *dirty*; so a Future pays
for what it touches. The *base* is the state in which each Future begins. What an import changes in the middle of a
Future becomes part of it, for the module is not imported again. Changes that C extensions make go unnoticed.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import locale
import os
import resource
import signal
import socket
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .process_parts import (
    PARTS,
    RECURSION_MARGIN,
    SYS_LISTS,
    SYS_NAMES,
    TIMERS,
    Values,
    get_recursion_limit,
    set_timer,
)

_MISSING = object()

WATCHED = (
    (os, "chdir", "directory"), (os, "fchdir", "directory"), (os, "umask", "umask"),
    (os, "putenv", "environment"), (os, "unsetenv", "environment"), (os, "sched_setaffinity", "affinity"),
    (signal, "signal", "handlers"), (signal, "setitimer", "timers"), (signal, "alarm", "timers"),
    (resource, "setrlimit", "resource limits"), (socket, "setdefaulttimeout", "socket timeout"),
    (locale, "_setlocale", "locale"), (gc, "enable", "collector"), (gc, "disable", "collector"),
    (gc, "set_threshold", "collector"), (sys, "settrace", "tracing"), (sys, "setprofile", "tracing"),
    (sys, "setswitchinterval", "switch interval"), (sys, "set_asyncgen_hooks", "event loop"),
    (warnings, "_filters_mutated", "warnings"), (warnings, "_filters_mutated_lock_held", "warnings"),
)  # fmt: skip
"""What changes which part. Those of ``warnings`` all end in one that has the registries of modules forgotten."""


def _noting_method(name: str) -> Callable[..., Any]:
    function = getattr(list, name)

    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return function(self, *args, **kwargs)
        finally:
            self.changed()

    return functools.update_wrapper(noting, function)


class WatchedList(list[Any]):
    """A list that says when it is changed."""

    def __init__(self, entries: Iterable[Any], changed: Callable[[], object]) -> None:
        super().__init__(entries)
        self.changed = changed

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self),)


for _name in (
    "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort", "__delitem__", "__iadd__", "__imul__",
    "__setitem__",
):  # fmt: skip
    setattr(WatchedList, _name, _noting_method(_name))


class ProcessState:
    """The state of this process: what it is to be between Futures, and which parts may differ.

    `dirty` has the names of the parts that may differ from the base. `calm` says that there are none; who has another
    reason to look after the state before the next Future runs may set it to False.
    """

    def __init__(self) -> None:
        self.calm = True
        self.dirty: set[str] = set()
        self.base: Values = {}
        self.column: list[Any] | None = None  # of the slice that runs; emptied by a change, which ends the slice's loop
        self._writer = 0  # the thread that writes parts
        self._importing: set[str] | None = None  # what was changed during the import that is under way

    # -- watching ----------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Hear of changes from now on."""
        for module, name, part in WATCHED:
            if hasattr(module, name):
                setattr(module, name, self._noting(getattr(module, name), part))
        self._watch_recursion_limit()
        self._watch_sys()

    def _noting(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def noting(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            finally:  # also of one that failed: it may have done a part of it
                self.note(part)

        noting.__name__ = noting.__qualname__ = function.__name__
        noting.__doc__, noting.__module__ = function.__doc__, function.__module__
        return noting

    def _watch_recursion_limit(self) -> None:
        limit = get_recursion_limit()
        read, write = PARTS["recursion limit"][:2]

        def setrecursionlimit(limit: int, /) -> None:
            write(limit)
            self.note("recursion limit")

        sys.setrecursionlimit, sys.getrecursionlimit = setrecursionlimit, read
        write(limit)

    def _watch_sys(self) -> None:
        note, names = self.note, frozenset(SYS_NAMES + SYS_LISTS)

        class WatchedSys(types.ModuleType):
            def __setattr__(self, name: str, value: Any) -> None:
                super().__setattr__(name, value)
                if name in names:
                    note("sys")

            def __delattr__(self, name: str) -> None:
                super().__delattr__(name)
                if name in names:
                    note("sys")

            def __reduce__(self) -> tuple[Any, tuple[str]]:
                return __import__, ("sys",)

        sys.__class__ = WatchedSys
        for name in ("path", "argv"):
            vars(sys)[name] = WatchedList(getattr(sys, name), lambda: note("sys"))

    def disturb(self) -> None:
        """Somebody has a reason to look after the state before the next Future runs."""
        self.calm = False

    def swap_column(self, column: list[Any] | None) -> list[Any] | None:
        """Have this column emptied by a change, and return the one that was before."""
        before, self.column = self.column, column
        return before

    def add_quietly(self, part: str) -> bool:
        """A part may differ, and no slice is to end its loop for it; return whether that is new."""
        if part in self.dirty:
            return False
        self.dirty.add(part)
        self.calm = False
        return True

    def note(self, part: str) -> None:
        """A part may have changed."""
        if self._writer == threading.get_ident():  # what is written is what it is to be
            return
        if self._importing is not None:
            self._importing.add(part)
            return
        self.dirty.add(part)
        self.calm = False
        if self.column is not None:
            self.column.clear()

    # -- the base ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take the present state as the base."""
        self.base = self.read()
        self.dirty.clear()
        self.calm = True

    def read(self) -> Values:
        """Return the present state, all parts."""
        return {name: part.read() for name, part in PARTS.items()}

    def set_base(self, base: Values) -> None:
        """Make this the present state, and the one in which Futures begin."""
        if self.base:
            self.base = dict(base)
        self._write(base, set(base))
        self.dirty.clear()
        self.calm = True

    @contextlib.contextmanager
    def importing(self) -> Iterator[dict[str, tuple[Any, Any]]]:
        """What is changed meanwhile becomes part of the base, whatever a Future has changed before.

        Gives a dict that has afterwards, for each part that was changed, what it was and what it has become.
        """
        changes: dict[str, tuple[Any, Any]] = {}
        if self._importing is not None:  # inside of another import, which will keep it
            yield changes
            return
        before = {name: PARTS[name].read() for name in tuple(self.dirty)}
        self._importing = set()
        try:
            yield changes
        finally:
            changed, self._importing = self._importing, None
            for name in changed:
                was, now = before.get(name, self.base.get(name)), PARTS[name].read()
                changes[name] = was, now
                if self.base:
                    self.base[name] = merged(self.base[name], was, now)

    # -- around Futures ----------------------------------------------------------------------------------------------

    def restore(self, *, of_main_thread: bool = True) -> None:
        """Undo what the Future that has just finished changed."""
        names = self._dirty(of_main_thread)
        self.dirty -= names  # before they are written: a thread may change them once more meanwhile
        self.calm = not self.dirty
        try:
            if self.base:
                self._write(self.base, names)
        except BaseException:  # of a signal handler, most likely: it is still to be done
            self.dirty |= names
            self.calm = False
            raise

    def _dirty(self, of_main_thread: bool) -> set[str]:
        return {name for name in tuple(self.dirty) if of_main_thread or not PARTS[name].of_main_thread}

    def suspend(self, *, of_main_thread: bool = True) -> Values:
        """Undo what a Future that is about to wait has changed; :meth:`resume` does it again with what this returns."""
        values = {name: PARTS[name].read() for name in self._dirty(of_main_thread)}
        self.restore(of_main_thread=of_main_thread)
        return values

    def resume(self, values: Values) -> None:
        """Give a Future that goes on what it had changed."""
        self.dirty.update(values)
        self.calm = not self.dirty
        self._write(values, set(values))

    def _write(self, values: Values, names: set[str]) -> None:
        if "timers" in names:  # first of all: one that is due now would find another handler
            for which in TIMERS:
                set_timer(which, 0)
        self._writer = threading.get_ident()
        try:
            for name, part in PARTS.items():
                if name in names:
                    part.write(values[name])
        finally:
            self._writer = 0


def is_shallow() -> bool:
    """Whether so few frames are on the stack that a Future which runs on top of them has all that it may use."""
    try:
        sys._getframe(RECURSION_MARGIN // 2)
    except ValueError:
        return True
    return False


def alarm_at(values: Values) -> float | None:
    """Return when the timer of real time in a suspended state is due, on the monotonic clock; None for no such timer.

    >>> alarm_at({"timers": (100.0, {int(signal.ITIMER_REAL): (2.5, 0.0)})})
    102.5
    """
    at, timers = values.get("timers", (0.0, {}))
    left = timers.get(signal.ITIMER_REAL, (0.0, 0.0))[0]
    return at + left if left else None


def merged(base: Any, was: Any, now: Any) -> Any:
    """Return `base` with the changes that have made `now` of `was`.

    >>> merged({"a": 1, "b": 2}, {"a": 5}, {"a": 5, "c": 3}), merged(["x"], ["x", "y"], ["z", "x", "y"])
    ({'a': 1, 'b': 2, 'c': 3}, ['z', 'x'])
    >>> merged(18, 18, 63), merged(18, 63, 63)
    (63, 18)
    """
    if isinstance(base, dict):
        changed = {name for name in was.keys() | now.keys() if was.get(name, _MISSING) != now.get(name, _MISSING)}
        kept = {name: value for name, value in base.items() if name not in changed}
        for name in changed & now.keys():
            kept[name] = merged(base[name], was[name], now[name]) if name in base and name in was else now[name]
        return kept
    if isinstance(base, list):
        if base == was:
            return now
        left = [entry for entry in base if entry not in was or entry in now]
        first = next((place for place, entry in enumerate(now) if entry in was), len(now))
        new = [entry for entry in now if entry not in was]
        front = [entry for entry in now[:first] if entry in new]
        return [*front, *left, *(entry for entry in new if entry not in front)]
    return base if now == was else now
