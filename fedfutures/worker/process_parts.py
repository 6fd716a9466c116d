"""The parts of the state of a process that a Future may change: how each is read, and how it is written.

Writing goes by the functions of the standard library as they were before :mod:`.process_state` has wrapped them, so
what is written is not heard of.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import contextlib
import gc
import locale
import os
import resource
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from ..program import process
from . import seeding

RECURSION_MARGIN = 300
"""Frames that a Worker's stack may have beside those of the Future: what runs it, and who waits for it in its place."""
SYS_NAMES = ("stdin", "stdout", "stderr", "excepthook", "displayhook", "unraisablehook", "tracebacklimit")
SYS_LISTS = ("argv", "path", "meta_path", "path_hooks")
"""Names of ``sys`` that are parts of the state, and those of lists."""
_SIGNALS = sorted(map(int, signal.valid_signals()))
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = sorted(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))
_MISSING = object()
_SOON = 1e-6

_variables: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]  # encoded: decoding takes ten times as long
_chdir, _umask = os.chdir, os.umask
_set_handler, set_timer = signal.signal, signal.setitimer
get_recursion_limit, _set_recursion_limit = sys.getrecursionlimit, sys.setrecursionlimit
_set_trace, _set_profile, _set_switch_interval = sys.settrace, sys.setprofile, sys.setswitchinterval
_set_timeout, _set_limit = socket.setdefaulttimeout, resource.setrlimit
set_locale: Callable[..., Any] = locale._setlocale  # type: ignore[attr-defined]

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


def read_umask() -> int:
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
    return time.monotonic(), {which: signal.getitimer(which) for which in TIMERS}


def _write_timers(timers: tuple[float, dict[int, tuple[float, float]]]) -> None:
    """Set timers as they were; the one of real time has gone on meanwhile."""
    at, values = timers
    for which, (left, interval) in values.items():
        if left and which == signal.ITIMER_REAL:
            left = max(_SOON, left - (time.monotonic() - at))
        if left:
            set_timer(which, left, interval)


def _read_sys() -> Values:
    names = {name: getattr(sys, name, _MISSING) for name in SYS_NAMES}
    lists = {name: getattr(sys, name) for name in SYS_LISTS}
    return names | {name: list(entries) for name, entries in lists.items()} | {"lists": lists}


def _write_sys(values: Values) -> None:
    present = vars(sys)  # whose items are set without being heard of
    for name in SYS_NAMES:
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


_forget_registries: Callable[[], object] = getattr(warnings, "_filters_mutated", lambda: None)
_set_asyncgen_hooks = sys.set_asyncgen_hooks
_enable_collector, _disable_collector, _set_thresholds = gc.enable, gc.disable, gc.set_threshold

PARTS: dict[str, StatePart] = {
    "directory": StatePart(process.directory, _write_directory),
    "environment": StatePart(lambda: dict(_variables), _write_environment),
    "umask": StatePart(read_umask, _umask),
    "sys": StatePart(_read_sys, _write_sys),
    "warnings": StatePart(_read_warnings, _write_warnings),
    "locale": StatePart(lambda: set_locale(locale.LC_ALL), lambda value: set_locale(locale.LC_ALL, value)),
    "recursion limit": StatePart(
        lambda: get_recursion_limit() - RECURSION_MARGIN,
        lambda limit: _set_recursion_limit(limit + RECURSION_MARGIN),
    ),
    "socket timeout": StatePart(socket.getdefaulttimeout, _set_timeout),
    "resource limits": StatePart(lambda: {which: resource.getrlimit(which) for which in _LIMITS}, _write_limits),
    "collector": StatePart(lambda: (gc.isenabled(), gc.get_threshold()), _write_collector),
    seeding.PART: StatePart(seeding.read, seeding.write),
    "switch interval": StatePart(sys.getswitchinterval, _set_switch_interval),
    "event loop": StatePart(_read_event_loop, _write_event_loop, of_main_thread=True),
    "tracing": StatePart(
        lambda: (sys.gettrace(), sys.getprofile()),
        lambda both: (_set_trace(both[0]), _set_profile(both[1])),
        of_main_thread=True,
    ),
    # Handlers before timers: a timer of what goes on again may be due at once.
    "handlers": StatePart(_read_handlers, _write_handlers, of_main_thread=True),
    "timers": StatePart(_read_timers, _write_timers, of_main_thread=True),
}
if sys.platform == "linux":
    _set_affinity = os.sched_setaffinity
    PARTS["affinity"] = StatePart(lambda: os.sched_getaffinity(0), lambda processors: _set_affinity(0, processors))
