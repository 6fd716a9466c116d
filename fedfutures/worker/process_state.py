"""What one Future changes in its process is undone before the next one runs, and is given back to one that waits.

The state of a process has *parts*: directory, environment, signal handlers, timers, and so on; :data:`PARTS` has them
all, each with how it is read and how it is written. What changes a part is watched: functions of the standard library
are wrapped, and assignments to names of ``sys`` are heard of. They note the part as *dirty*. So a Future that touches
nothing pays nothing, and one that sets a variable of the environment pays for the environment only.

The *base* is the state in which each Future begins: the process as the import of the program has left it. What an
import changes later, in the middle of a Future, becomes part of the base too, for the module is not imported again.

Changes that C extensions make by themselves go unnoticed.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
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
import time
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..program import process
from . import seeding

RECURSION_MARGIN = 300
"""Frames that a Worker's stack may have beside those of the Future: what runs it, and who waits for it in its place."""
_SYS_NAMES = ("stdin", "stdout", "stderr", "excepthook", "displayhook", "unraisablehook", "tracebacklimit")
_SYS_LISTS = ("argv", "path", "meta_path", "path_hooks")
_SIGNALS = sorted(map(int, signal.valid_signals()))
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = sorted(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))
_MISSING = object()
_SOON = 1e-6

_variables: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]
_chdir, _umask = os.chdir, os.umask
_set_handler, _set_timer = signal.signal, signal.setitimer
_get_recursion_limit, _set_recursion_limit = sys.getrecursionlimit, sys.setrecursionlimit
_set_trace, _set_profile, _set_switch_interval = sys.settrace, sys.setprofile, sys.setswitchinterval
_set_timeout, _set_limit = socket.setdefaulttimeout, resource.setrlimit
_set_locale: Callable[..., Any] = locale._setlocale  # type: ignore[attr-defined]

Values = dict[str, Any]
"""What parts of the state are, by name."""


class StatePart(NamedTuple):
    """One part of the state of a process."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    of_main_thread: bool = False  # only the main thread can set it, and only it heeds it


def _write_directory(directory: str | None) -> None:
    if directory is not None:
        with contextlib.suppress(OSError):  # it was removed
            _chdir(directory)


def _read_environment() -> dict[Any, Any]:
    """Return a copy of the encoded variables: decoding them would take ten times as long."""
    return dict(_variables)


def _write_environment(environment: dict[Any, Any]) -> None:
    if _variables == environment:
        return
    zone = os.environ.get("TZ")
    for name in _variables.keys() - environment.keys():
        del os.environ[os.fsdecode(name)]
    for name, value in environment.items():
        if _variables.get(name) != value:
            os.environ[os.fsdecode(name)] = os.fsdecode(value)
    if os.environ.get("TZ") != zone:
        time.tzset()


def _read_umask() -> int:
    umask = _umask(0o077)
    _umask(umask)
    return umask


def _read_handlers() -> dict[int, Any]:
    return {number: _signal.getsignal(number) for number in _SIGNALS}  # signal.getsignal makes enums: ten times as slow


def _write_handlers(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        if handler is not None and _signal.getsignal(number) is not handler:
            with contextlib.suppress(OSError, ValueError):
                _set_handler(number, handler)


def _read_timers() -> tuple[float, dict[int, tuple[float, float]]]:
    return time.monotonic(), {which: signal.getitimer(which) for which in _TIMERS}


def _write_timers(timers: tuple[float, dict[int, tuple[float, float]]]) -> None:
    """Set timers as they were; the one of real time has gone on meanwhile."""
    at, values = timers
    for which, (left, interval) in values.items():
        if left and which == signal.ITIMER_REAL:
            left = max(_SOON, left - (time.monotonic() - at))
        if left:
            _set_timer(which, left, interval)


def _read_sys() -> Values:
    names = {name: getattr(sys, name, _MISSING) for name in _SYS_NAMES}
    lists = {name: getattr(sys, name) for name in _SYS_LISTS}
    return names | {name: list(entries) for name, entries in lists.items()} | {"lists": lists}


def _write_sys(values: Values) -> None:
    present = vars(sys)  # whose items are set without being heard of
    for name in _SYS_NAMES:
        if values[name] is _MISSING:
            present.pop(name, None)
        else:
            present[name] = values[name]
    for name, entries in values["lists"].items():
        present[name] = entries
        if entries != values[name]:
            list.__setitem__(entries, slice(None), values[name])  # which is not heard of


def _read_warnings() -> tuple[Any, ...]:
    """Return the list of filters, what is in it, and what shows warnings: ``catch_warnings`` changes all of them."""
    module: Any = warnings
    return module.filters, list(module.filters), module.showwarning, getattr(module, "_showwarnmsg_impl", None)


def _write_warnings(values: tuple[Any, ...]) -> None:
    module: Any = warnings
    module.filters, filters, module.showwarning, show = values
    if show is not None:
        module._showwarnmsg_impl = show
    module.filters[:] = filters
    _forget_registries()


def _read_limits() -> dict[int, tuple[int, int]]:
    return {which: resource.getrlimit(which) for which in _LIMITS}


def _write_limits(limits: dict[int, tuple[int, int]]) -> None:
    for which, (soft, hard) in limits.items():
        present = resource.getrlimit(which)
        if present == (soft, hard):
            continue
        try:
            _set_limit(which, (soft, hard))
        except (OSError, ValueError):  # a hard limit that was lowered is so for good
            with contextlib.suppress(OSError, ValueError):
                unlimited = resource.RLIM_INFINITY
                most = present[1] if soft == unlimited or (present[1] != unlimited and soft > present[1]) else soft
                _set_limit(which, (most, present[1]))


def _write_collector(values: tuple[bool, tuple[int, int, int]]) -> None:
    enabled, thresholds = values
    (_enable_collector if enabled else _disable_collector)()
    _set_thresholds(*thresholds)


def _read_event_loop() -> tuple[Any, Any, Any]:
    """Return the hooks for asynchronous generators, which every running loop sets, that loop, and its task."""
    asyncio: Any = sys.modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    return sys.get_asyncgen_hooks(), loop, None if loop is None else asyncio.current_task(loop)


def _write_event_loop(values: tuple[Any, Any, Any]) -> None:
    hooks, loop, task = values
    _set_asyncgen_hooks(*hooks)
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is loop:
        return
    swap = getattr(asyncio.tasks, "_swap_current_task", None)  # Python 3.12
    if swap is not None and (running := asyncio._get_running_loop()) is not None:
        swap(running, None)
    asyncio._set_running_loop(loop)
    if swap is not None and task is not None:
        swap(loop, task)


def _write_tracing(functions: tuple[Any, Any]) -> None:
    _set_trace(functions[0])
    _set_profile(functions[1])


_set_asyncgen_hooks = sys.set_asyncgen_hooks
_enable_collector, _disable_collector, _set_thresholds = gc.enable, gc.disable, gc.set_threshold

PARTS: dict[str, StatePart] = {
    "directory": StatePart(process.directory, _write_directory),
    "environment": StatePart(_read_environment, _write_environment),
    "umask": StatePart(_read_umask, _umask),
    "sys": StatePart(_read_sys, _write_sys),
    "warnings": StatePart(_read_warnings, _write_warnings),
    "locale": StatePart(lambda: _set_locale(locale.LC_ALL), lambda value: _set_locale(locale.LC_ALL, value)),
    "recursion limit": StatePart(
        lambda: _get_recursion_limit() - RECURSION_MARGIN,
        lambda limit: _set_recursion_limit(limit + RECURSION_MARGIN),
    ),
    "socket timeout": StatePart(socket.getdefaulttimeout, _set_timeout),
    "resource limits": StatePart(_read_limits, _write_limits),
    "collector": StatePart(lambda: (gc.isenabled(), gc.get_threshold()), _write_collector),
    seeding.PART: StatePart(seeding.read, seeding.write),
    "switch interval": StatePart(sys.getswitchinterval, _set_switch_interval),
    "event loop": StatePart(_read_event_loop, _write_event_loop, of_main_thread=True),
    "tracing": StatePart(lambda: (sys.gettrace(), sys.getprofile()), _write_tracing, of_main_thread=True),
    # Handlers before timers: a timer of what goes on again may be due at once.
    "handlers": StatePart(_read_handlers, _write_handlers, of_main_thread=True),
    "timers": StatePart(_read_timers, _write_timers, of_main_thread=True),
}
if sys.platform == "linux":
    _set_affinity = os.sched_setaffinity
    PARTS["affinity"] = StatePart(lambda: os.sched_getaffinity(0), lambda processors: _set_affinity(0, processors))

_WATCHED = (
    (os, "chdir", "directory"), (os, "fchdir", "directory"), (os, "umask", "umask"),
    (os, "putenv", "environment"), (os, "unsetenv", "environment"), (os, "sched_setaffinity", "affinity"),
    (signal, "signal", "handlers"), (signal, "setitimer", "timers"), (signal, "alarm", "timers"),
    (resource, "setrlimit", "resource limits"), (socket, "setdefaulttimeout", "socket timeout"),
    (locale, "_setlocale", "locale"), (gc, "enable", "collector"), (gc, "disable", "collector"),
    (gc, "set_threshold", "collector"), (sys, "settrace", "tracing"), (sys, "setprofile", "tracing"),
    (sys, "setswitchinterval", "switch interval"), (sys, "set_asyncgen_hooks", "event loop"),
    (warnings, "_filters_mutated", "warnings"), (warnings, "_filters_mutated_lock_held", "warnings"),
)  # fmt: skip
"""Who changes what. The functions of ``warnings`` all end in one that has the registries of modules forgotten."""

_forget_registries: Callable[[], object] = getattr(warnings, "_filters_mutated", lambda: None)


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
        for module, name, part in _WATCHED:
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
        limit = _get_recursion_limit()
        read, write = PARTS["recursion limit"][:2]

        def setrecursionlimit(limit: int, /) -> None:
            write(limit)
            self.note("recursion limit")

        sys.setrecursionlimit, sys.getrecursionlimit = setrecursionlimit, read
        write(limit)

    def _watch_sys(self) -> None:
        note, names = self.note, frozenset(_SYS_NAMES + _SYS_LISTS)

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
            for which in _TIMERS:
                _set_timer(which, 0)
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
