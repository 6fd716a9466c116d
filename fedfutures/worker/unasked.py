"""Errors that nobody asked for: said once, when nobody can ask any more.

A Future that raises is kept in mind until somebody sees its error. One that is let go before that is counted, by
function and error, and told at the end of the program or of its Executor; in a Worker as it happens, a few times. Only
weak references, names and texts are kept, and only failing Futures come by here.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from typing import Any

from . import current

KINDS_SAID = 5
"""How many different errors are said."""
KINDS_KEPT = 100
TEXT_AT_MOST = 200

bystanders: set[Any] = set()
"""Callbacks that see no error: they count, and look at nothing else."""

_lock = threading.RLock()
_pid = os.getpid()
_ending = False


class Nobody:
    """Stands for the node of Futures that have none: they have run in the process itself."""


NOBODY = Nobody()


class Failures:
    """What has failed at one node."""

    def __init__(self) -> None:
        self.open: dict[int, tuple[weakref.ref[Any], str, str]] = {}  # somebody may still ask
        self.kinds: dict[tuple[str, str], int] = {}  # nobody can
        self.more = 0  # of other kinds
        self.silent = False  # whether the node was closed on purpose: what is lost by that is said otherwise
        self.said = 0  # in a Worker
        self.waits = False  # in a Worker: whether it is about to say it

    def count(self, name: str, text: str) -> None:
        """Nobody will ask for an error."""
        with _lock:
            kind = name, text
            if kind in self.kinds or len(self.kinds) < KINDS_KEPT:
                self.kinds[kind] = self.kinds.get(kind, 0) + 1
            else:
                self.more += 1

    def lines(self) -> list[str]:
        """Return what is to be said, and forget it."""
        with _lock:
            kinds, self.kinds = list(self.kinds.items()), {}
            more, self.more = self.more, 0
        lines = [_line(*kind, count) for kind, count in kinds[:KINDS_SAID]]
        more += sum(count for _, count in kinds[KINDS_SAID:])
        if more:
            lines.append(f"  and {more:,} more")
        return lines


_records: weakref.WeakKeyDictionary[Any, Failures] = weakref.WeakKeyDictionary()


def _line(name: str, text: str, count: int) -> str:
    return f"  {name}: {text}" + (f" ({count:,} times)" if count > 1 else "")


def _record(node: Any) -> Failures:
    with _lock:
        return _records.setdefault(NOBODY if node is None else node, Failures())


def _text(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}".rstrip(": ")
    except Exception:
        text = type(error).__name__
    text = " ".join(text.split())
    return text if len(text) <= TEXT_AT_MOST else text[: TEXT_AT_MOST - 1] + "…"


def keep(what: Any, node: Any, name: str, error: BaseException) -> None:
    """`what` (a Future, or what reads a map) has an error that nobody has seen yet."""
    record = _record(node)
    if record.silent:
        return
    key = id(what)

    def gone(_: Any) -> None:
        entry = record.open.pop(key, None)
        if entry is not None:
            record.count(*entry[1:])
            if not current.is_origin and node is not None:
                _say_soon(node, record)

    record.open[key] = weakref.ref(what, gone), name, _text(error)


def sees(callback: Any) -> bool:
    """Whether a callback sees the error."""
    return getattr(callback, "__func__", callback) not in bystanders


def seen(what: Any, node: Any) -> None:
    """Somebody has seen the error of `what`."""
    with contextlib.suppress(TypeError):
        record = _records.get(NOBODY if node is None else node)
        if record is not None:
            record.open.pop(id(what), None)


def seen_by_waiting(futures: Any) -> None:
    """Somebody has waited for these Futures, which are done: their errors are known to him."""
    if any(record.open for record in list(_records.values())):
        for future in futures:
            seen(future, getattr(future, "_home", None))


def note(node: Any, name: str, error: BaseException) -> None:
    """Nobody can ask for this error."""
    record = _record(node)
    if record.silent:
        return
    record.count(name, _text(error))
    if not current.is_origin and node is not None:
        _say_soon(node, record)


# -- saying it -------------------------------------------------------------------------------------------------------


def say(node: Any, *, ends: bool = False) -> None:
    """Say what has failed at a node and cannot be asked for; when the program `ends`, all that was not asked for."""
    record = _records.get(NOBODY if node is None else node)
    if record is None or os.getpid() != _pid:
        return
    if ends or _ending:
        with _lock:
            left, record.open = list(record.open.values()), {}
        for _, name, text in left:
            record.count(name, text)
    _print(record.lines())


def silence(node: Any) -> None:
    """The node is being closed: what fails from now on fails for that."""
    _record(node).silent = True


def forget(node: Any, kind: type[BaseException]) -> None:
    """The program knows of the errors of this kind."""
    record, begin = _record(node), f"{kind.__name__}: "
    with _lock:
        record.open = {key: entry for key, entry in record.open.items() if not entry[2].startswith(begin)}
        record.kinds = {kind: count for kind, count in record.kinds.items() if not kind[1].startswith(begin)}


def _print(lines: list[str]) -> None:
    if lines and sys.stderr is not None:
        head = "fedfutures: these errors were raised, and nobody asked for them by result() or exception():"
        with contextlib.suppress(Exception):
            sys.stderr.write("\n".join([head, *lines, ""]))
            sys.stderr.flush()


class _Said:
    """Stands among the callbacks of a Worker, which are run where no lock is held."""

    def __init__(self, record: Failures) -> None:
        self._record = record

    def _invoke_callbacks(self) -> None:
        record = self._record
        record.waits = False
        if record.said < KINDS_SAID:
            with _lock:
                record.said += len(record.kinds)
            _print(record.lines())


def _say_soon(node: Any, record: Failures) -> None:
    if not record.waits:
        record.waits = True
        node.callbacks.append(_Said(record))


def _at_end() -> None:
    global _ending
    _ending = True  # an Executor may be shut down still later
    for node in list(_records):
        say(node)


def _forked() -> None:
    global _lock
    _lock = threading.RLock()
    _records.clear()


os.register_at_fork(after_in_child=_forked)
atexit.register(_at_end)


def name_of_call(call: Any, error: BaseException) -> str:
    """Return the name of the function of a call that has failed; `call`: as its node has it, None if it has run."""
    if call is not None:
        function = call[0]
        return str(getattr(function, "name", None) or getattr(function, "__qualname__", None) or "a function")
    frames = error.__traceback__ and error.__traceback__.tb_next  # it has run here, below our own frame
    return frames.tb_frame.f_code.co_name if frames else "a function"
