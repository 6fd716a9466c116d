"""Carries to Workers what a program changes in its process: directory, environment, ``sys.path``, and more.

A Worker that imports the program sets the rest itself. Without a main guard it does not; then the Origin sends all
(:func:`read_settings`). The functions that change such settings are wrapped to count their calls, so that a submit need
not ask the system.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import contextlib
import importlib
import logging
import multiprocessing.process
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any

from . import records
from .modules import Key, attribute_of, lookup
from .postponing import pending
from .tokens import key_of_definition

_NUMPY_USUAL = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_SIGNALS_KEPT = frozenset({signal.SIGINT, signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP})
"""Signals whose handlers in Workers are those of fedfutures: they end a run."""
_SIGNALS = sorted(_signal.valid_signals() - _SIGNALS_KEPT)
NO_LINE = 1 << 30  # a line that no module has: a filter of warnings for it never matches


class Counts:
    """The calls of the wrapped functions: their number, and the last umask."""

    changes = 0
    umask = -1
    is_watching = False


def count_change() -> None:
    """Note a change of the process that Workers have to know."""
    Counts.changes += 1


def _watch() -> None:
    """Count calls that change the process, from now on."""
    if Counts.is_watching:
        return
    Counts.is_watching = True
    for module, name in (
        (os, "chdir"), (os, "fchdir"), (os, "putenv"), (os, "unsetenv"), (os, "umask"), (signal, "signal"),
    ):  # fmt: skip
        setattr(module, name, _counting(getattr(module, name)))
    plain: Any = multiprocessing.process.BaseProcess.authkey
    multiprocessing.process.BaseProcess.authkey = property(  # type: ignore[assignment]
        plain.fget, _counting(plain.fset), doc=plain.__doc__
    )


def adopt_authkey(key: bytes) -> None:
    """Give ``multiprocessing`` the key by which the processes of the run and their children trust each other."""
    process = multiprocessing.process.current_process()
    if key and process.authkey != key:
        process.authkey = key


def _counting(function: Callable[..., Any]) -> Callable[..., Any]:
    is_umask = function is os.umask

    def counting(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        Counts.changes += 1
        if is_umask:
            Counts.umask = int(args[0])
        return value

    counting.__name__ = counting.__qualname__ = function.__name__
    counting.__doc__ = function.__doc__
    return counting


def directory() -> str | None:
    """Return the working directory, None if it was removed."""
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def _path() -> list[str]:
    return [os.path.abspath(place) if place in ("", ".") else place for place in sys.path]


class ProcessChanges:
    """The changes of the program's process since this was made; `in_full`: Workers do not import the program."""

    def __init__(self, *, in_full: bool = False) -> None:
        _watch()
        self.in_full = in_full
        self._began = self._read() | {"environment": dict(os.environ)}
        self.count = Counts.changes
        self.path = list(sys.path)
        self._settings: Any = read_settings() if in_full else None
        self._handlers = _handlers_set()
        self._changes: dict[str, Any] = {}

    def has_changed(self) -> bool:
        """Whether :meth:`current` may return something new."""
        if Counts.changes != self.count or sys.path != self.path:
            return True
        if not self.in_full:
            return False
        return _handlers_set() != self._handlers or any(read() != self._settings[name] for name, read in _QUICK.items())

    def current(self) -> dict[str, Any]:
        """Return all settings that have changed since the beginning, by name."""
        self.count, self.path = Counts.changes, list(sys.path)
        now = self._read()
        changes: dict[str, Any] = {name: value for name, value in now.items() if value != self._began[name]}
        before, after = self._began["environment"], dict(os.environ)
        different: dict[str, str | None] = {n: v for n, v in after.items() if before.get(n) != v}
        different |= dict.fromkeys(before.keys() - after.keys())
        if different:
            changes["environment"] = different
        if "authkey" in self._changes:  # it may be the first one again
            changes["authkey"] = now["authkey"]
        if "path" in changes:
            changes["path"] = [self._began["path"], changes["path"]]
        if self.in_full:
            self._settings, self._handlers = read_settings(), _handlers_set()
            changes |= {name: value for name, value in self._settings.items() if value != self._began[name]}
        self._changes = changes
        return changes

    def _read(self) -> dict[str, Any]:
        authkey = bytes(multiprocessing.process.current_process().authkey)
        found = {"directory": directory(), "path": _path(), "authkey": authkey, "records": records.asked()}
        return found | read_settings() if self.in_full else found


def read_settings() -> dict[str, Any]:
    """Return the settings that Workers get only if they do not import the program."""
    return {"umask": Counts.umask, "signals": _handlers(), **{name: read() for name, read in _QUICK.items()}}


def _filters() -> list[list[Any]]:
    filters: Any = warnings.filters
    return [
        [action, getattr(text, "pattern", text), [kind.__module__, kind.__qualname__], getattr(at, "pattern", at), line]
        for action, text, kind, at, line in filters
    ]


def _logging() -> dict[str, Any]:
    root = logging.root
    handlers = []
    for handler in root.handlers:
        stream = {id(sys.stderr): "stderr", id(sys.stdout): "stdout"}.get(id(getattr(handler, "stream", None)))
        if type(handler) is logging.StreamHandler and stream is not None:
            form = handler.formatter
            handlers.append([stream, handler.level, form and form._fmt, form and form.datefmt])
    return {"root": root.level, "levels": records.levels(), "handlers": handlers}


def _handlers_set() -> Any:
    """Return what differs once a handler was set: to read them all takes 200 µs.

    The count of :mod:`.postponing`, which hears of ``from signal import signal`` too; the handlers where none counts.
    """
    return pending.handlers_set if pending.is_installed else [_signal.getsignal(number) for number in _SIGNALS]


def _handlers() -> list[list[Any]]:
    found: list[list[Any]] = []
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if handler in (signal.SIG_IGN, signal.SIG_DFL):
            found.append([number, int(handler)])
        elif callable(handler) and (key := key_of_definition(handler)) is not None:
            found.append([number, *key])
    return found


def _decimal() -> list[Any] | None:
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return None
    now = decimal.getcontext()
    traps = sorted(trap.__name__ for trap, is_set in now.traps.items() if is_set)
    return [now.prec, now.rounding, now.Emin, now.Emax, now.capitals, now.clamp, traps]


def _numpy_errors() -> dict[str, str] | None:
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "geterr"):
        return None
    errors = dict(numpy.geterr())
    return None if errors == _NUMPY_USUAL else errors


_QUICK: dict[str, Callable[[], Any]] = {
    "recursion limit": sys.getrecursionlimit,
    "warnings": _filters,
    "logging": _logging,
    "decimal": _decimal,
    "numpy errors": _numpy_errors,
}
"""Settings of which no call tells when they change: each submit of a program without a main guard reads them."""


def keys_of(changes: dict[str, Any]) -> set[Key]:
    """Return the keys of the program's signal handlers among changed settings."""
    return {(entry[1], entry[2]) for entry in changes.get("signals", ()) if len(entry) == 3}


# -- in a Worker -------------------------------------------------------------------------------------------------------


def apply(changes: dict[str, Any]) -> None:
    """Change this process as the program has changed its own, as far as that is possible here."""
    for name, value in changes.items():
        if value is not None:
            _APPLIED[name](value)


def _apply_directory(place: str) -> None:
    with contextlib.suppress(OSError):  # this host may not have it
        os.chdir(place)


def _apply_path(lists: list[list[str]]) -> None:
    """Make ``sys.path`` like the program's; a host without its first places gets the new ones only."""
    began, now = lists
    if set(began) <= set(sys.path):
        sys.path[:] = [*now, *(place for place in sys.path if place not in now and place not in began)]
        return
    first = next((index for index, place in enumerate(now) if place in began), len(now))
    new = [place for place in now if place not in began]
    front = [place for place in now[:first] if place in new]
    rest = [place for place in sys.path if place not in new and (place not in began or place in now)]
    sys.path[:] = [*front, *rest, *(place for place in new if place not in front)]


def _apply_environment(different: dict[str, str | None]) -> None:
    for name, value in different.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _apply_filters(filters: list[list[Any]]) -> None:
    made = []
    for action, text, (module, name), place, line in filters:
        category = attribute_of(module, name)
        if isinstance(category, type) and issubclass(category, Warning):
            pattern = None if text is None else re.compile(text, re.IGNORECASE)
            made.append((action, pattern, category, None if place is None else re.compile(place), line))
    warnings.filters[:] = made  # type: ignore[index]
    warnings.simplefilter("default", lineno=NO_LINE, append=True)  # empties the registries of modules


def _apply_logging(wanted: dict[str, Any]) -> None:
    logging.root.setLevel(wanted["root"])
    for name, level in wanted["levels"].items():
        logging.getLogger(name).setLevel(level)
    if not logging.root.handlers:
        for stream, level, form, dates in wanted["handlers"]:
            handler = logging.StreamHandler(getattr(sys, stream))
            handler.setLevel(level)
            handler.setFormatter(logging.Formatter(form, dates))
            logging.root.addHandler(handler)


def _apply_handlers(handlers: list[list[Any]]) -> None:
    for number, *handler in handlers:
        wanted: Any = lookup((handler[0], handler[1])) if len(handler) == 2 else signal.Handlers(handler[0])
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # it cannot be handled, or not by this thread
            is_handler = callable(wanted) or isinstance(wanted, signal.Handlers)
            if is_handler and signal.getsignal(number) is not wanted:
                signal.signal(number, wanted)


def _apply_decimal(wanted: list[Any]) -> None:
    import decimal

    now = decimal.getcontext()
    now.prec, now.rounding, now.Emin, now.Emax, now.capitals, now.clamp = wanted[:6]
    for trap in now.traps:
        now.traps[trap] = trap.__name__ in wanted[6]


_APPLIED: dict[str, Callable[[Any], object]] = {
    "authkey": adopt_authkey,
    "directory": _apply_directory,
    "path": _apply_path,
    "environment": _apply_environment,
    "umask": lambda mask: os.umask(mask) if mask >= 0 else None,
    "records": records.apply,
    "recursion limit": lambda limit: sys.setrecursionlimit(limit),  # found at the call: a Worker replaces it
    "warnings": _apply_filters,
    "logging": _apply_logging,
    "signals": _apply_handlers,
    "decimal": _apply_decimal,
    "numpy errors": lambda wanted: importlib.import_module("numpy").seterr(**wanted),
}
