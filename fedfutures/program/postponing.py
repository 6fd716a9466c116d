"""Delays the program's signal handlers while our own code runs in the main thread.

Python runs a handler between two instructions of the main thread, and it may raise anything. In the middle of a step of
ours that would lose a message or a lock. So each handler that Python code installs is wrapped. The wrapper looks at the
interrupted stack:

- Code of the program runs, also where we call it (a callback, the input of a map, ``__reduce__``), or we wait
  (:mod:`.safe_points`): the handler runs at once.
- Our own code runs, or the main thread holds a lock of a node: the signal is kept. Its handler runs at the next safe
  point or before the call returns to the program, whichever comes first.

So a call without a signal costs one look at :data:`pending`. A thread reminds the main thread of kept signals, in case
that no look follows. The handler of a signal that was kept for :data:`PATIENCE_SECONDS`, or comes again after
:data:`AGAIN_SECONDS` (a second Ctrl-C), runs wherever the main thread is. ``signal.getsignal`` and ``signal.signal``
return the program's own handlers.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import contextlib
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any, Protocol, TypeVar, cast

AGAIN_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
REMIND_SECONDS, REMIND_AT_MOST_SECONDS = 0.002, 0.05

_OURS = "fedfutures."
_HERE = __name__
_safe_points: set[str] = set()  # the module of ours in which handlers may raise
_call_program: set[str] = set()  # modules of ours that may be interrupted in what they call
_pickle_for_program: set[str] = set()
"""Modules of ours that may be interrupted where they run code of the program, which may raise at any time."""
_WHOLE_CALLBACKS = ("asyncio.", "concurrent.futures.")
"""Modules whose callbacks are not cut short, since others wait for them."""
_NEVER_RAISES = frozenset({"weakref", "_weakrefset"})  # modules with callbacks whose exceptions Python drops
_LIBRARY = os.path.dirname(os.__file__)
_MARK = "_fedfutures_by_signal"

Handler = Callable[[int, "FrameType | None"], object]
Function = TypeVar("Function", bound=Callable[..., Any])


class InProgram(Protocol):
    """A node of the program."""

    lock: Any

    def wake(self) -> None: ...


class Pending:
    """The signals whose handlers have yet to run."""

    __slots__ = ("due", "handlers_set", "is_installed", "numbers", "since")

    def __init__(self) -> None:
        self.due = False  # for a quick look; False only if there are none
        self.is_installed = False  # whether the handlers of the program are wrapped
        self.handlers_set = 0  # how often the program has set one since then
        self.numbers: list[int] = []
        self.since = 0.0


pending = Pending()
_whole: set[CodeType] = set()  # the code of functions that no handler interrupts, whatever they call
_calls_from: dict[CodeType, int] = {}
"""By code of a safe point that a handler may interrupt only from some instruction on: that instruction."""
_running: list[int] = []  # signals whose handlers are running
_reminded: set[int] = set()  # signals that the main thread was sent again, and has not handled yet
_nodes: tuple[InProgram, ...] = ()
_main = threading.main_thread().ident
_pid = 0  # the process whose handlers are wrapped
_set, _get = _signal.signal, _signal.getsignal


def is_by_signal(error: BaseException) -> bool:
    """Whether a signal handler has raised this error: it is meant for the program."""
    return hasattr(error, _MARK)


def is_handling() -> bool:
    """Whether this thread runs the handler of a signal."""
    return bool(_running) and threading.get_ident() == _main


def has_safe_points(module: str, call: CodeType, called_at: int) -> None:
    """Mark the module of safe points; handlers interrupt the code `call` only from the instruction `called_at` on."""
    _safe_points.add(module)
    _calls_from[call] = called_at


def calls_program(module: str) -> None:
    """Mark a module of ours, by ``__name__``: handlers may interrupt what it calls, which is the program's."""
    _call_program.add(module)


def pickles_for_program(module: str) -> None:
    """Mark a module of ours: handlers may interrupt code of the program that it runs, for it may raise at any time."""
    _pickle_for_program.add(module)


def uninterrupted(function: Function) -> Function:
    """Mark a function that may run where Python drops exceptions: in a generator that nobody holds any more."""
    _whole.add(cast(FunctionType, function).__code__)
    return function


def begin(node: InProgram) -> None:
    """Wrap the handlers, and postpone them while the main thread holds this node's lock."""
    global _nodes
    _nodes = (*_nodes, node)
    install()


def end(node: InProgram) -> None:
    """Forget a node that is closed."""
    global _nodes
    _nodes = tuple(other for other in _nodes if other is not node)


# -- running handlers ------------------------------------------------------------------------------------------------


class Wrapped:
    """A handler of the program, and when it may run."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    @property
    def __call__(self) -> Handler:
        """The handler to call, so that the traceback of a Ctrl-C in code of the program has no frame of ours."""
        if os.getpid() != _pid:  # forked by the program: a process like any other
            return self.handler
        if self.handler is signal.default_int_handler and not _is_ours_below(sys._getframe(1)):
            return self.handler
        return self._handle

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not _must_wait(number, frame) or _waits_too_long(number):
            _take(number)
            _run(self.handler, number, frame)
            if pending.due:
                deliver()
        else:
            _keep(number)


def _run(handler: Handler, number: int, frame: FrameType | None) -> None:
    _running.append(number)
    try:
        handler(number, frame)
    except BaseException as error:
        with contextlib.suppress(Exception):  # it may have no room for attributes
            setattr(error, _MARK, True)
        raise
    finally:
        _running.remove(number)
    for node in _nodes:  # the handler may have received what the main thread waits for
        node.wake()


def _take(number: int) -> None:
    """Remove a signal whose handler is about to run; others may be kept meanwhile."""
    pending.due = False
    _reminded.discard(number)
    if number in pending.numbers:
        pending.numbers.remove(number)
    if pending.numbers:
        pending.due = True


def _keep(number: int) -> None:
    _reminded.discard(number)
    if number not in pending.numbers:
        if not pending.numbers:
            pending.since = time.monotonic()
        pending.numbers.append(number)
    if not pending.due:
        pending.due = True
        with contextlib.suppress(RuntimeError):  # the process ends
            _thread.start_new_thread(_remind, ())  # a plain one: the main thread may hold a lock of `threading`


def _waits_too_long(number: int) -> bool:
    if number not in pending.numbers:
        return False
    waits = time.monotonic() - pending.since
    return waits > PATIENCE_SECONDS or (waits > AGAIN_SECONDS and number not in _reminded)


def deliver() -> None:
    """Run the handlers that are due, in the main thread only. The caller expects any exception."""
    if threading.get_ident() != _main or _is_in_whole(sys._getframe(1)):
        return
    while True:
        pending.due = False  # before the look: a signal from now on sets it again
        number = next((number for number in pending.numbers if number not in _running), None)
        if number is None:
            if pending.numbers:
                pending.due = True
            return
        _take(number)
        handler = _get(number)
        if type(handler) is Wrapped:
            _run(handler.handler, number, sys._getframe(1))


def _remind() -> None:
    """Send kept signals to the main thread again (a thread runs this)."""
    wait = REMIND_SECONDS
    while pending.numbers:
        time.sleep(wait)
        wait = min(2 * wait, REMIND_AT_MOST_SECONDS)
        for number in list(pending.numbers):
            if number not in _running and type(_get(number)) is Wrapped and _main is not None:
                _reminded.add(number)
                signal.pthread_kill(_main, number)


def shortened(error: BaseException) -> BaseException:
    """Return an exception without our frames if a handler raised it while we waited; for ``raise`` in ``except``."""
    below = error.__traceback__
    while below is not None and str(below.tb_frame.f_globals.get("__name__")).startswith(_OURS):
        code, below = below.tb_frame.f_code, below.tb_next
        if code is _run.__code__:
            return error.with_traceback(below)
    return error


# -- whose code is running -------------------------------------------------------------------------------------------


def _must_wait(number: int, frame: FrameType | None) -> bool:
    """Whether a handler that raises in this frame would harm a step of ours."""
    if any(node.lock._is_owned() for node in _nodes):
        return True
    if frame is not None and frame.f_globals.get("__name__") in _NEVER_RAISES:
        return True
    if _is_in_whole(frame):
        return True
    inner: FrameType | None = None
    by_program = False
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if type(name) is str and name.startswith(_OURS):
            if name == _HERE:
                return frame.f_code is not _run.__code__ or inner is None
            # A handler that waits for Futures is not called again meanwhile: the stack would grow each time.
            return number in _running or not _may_interrupt(name, frame, inner, by_program)
        by_program = by_program or not _is_library(frame.f_code.co_filename)
        inner, frame = frame, frame.f_back
    return False


def _is_in_whole(frame: FrameType | None) -> bool:
    """Whether a function on the stack is marked as :func:`uninterrupted`."""
    while frame is not None and frame.f_code not in _whole:
        frame = frame.f_back
    return frame is not None


def _is_ours_below(frame: FrameType | None) -> bool:
    """Whether our code is on the stack, a handler is due, a lock is held, or Python would drop an exception."""
    if frame is not None and frame.f_globals.get("__name__") in _NEVER_RAISES:
        return True
    while frame is not None and not str(frame.f_globals.get("__name__")).startswith(_OURS):
        frame = frame.f_back
    return frame is not None or pending.due or any(node.lock._is_owned() for node in _nodes)


def _may_interrupt(name: str, frame: FrameType, inner: FrameType | None, by_program: bool) -> bool:
    """Whether an exception may leave our innermost frame, which has called `inner`."""
    if name in _safe_points:
        first = _calls_from.get(frame.f_code)
        called = "" if inner is None else str(inner.f_globals.get("__name__"))
        return first is None or (frame.f_lasti >= first and not called.startswith(_WHOLE_CALLBACKS))
    if name in _call_program:
        return True
    return name in _pickle_for_program and by_program


def _is_library(path: str) -> bool:
    """Whether a file is Python's own or cloudpickle's: their code is not the program's."""
    return (
        path.startswith("<frozen") or "cloudpickle" in path or (path.startswith(_LIBRARY) and "-packages" not in path)
    )


# -- wrapping --------------------------------------------------------------------------------------------------------


def install() -> None:
    """Wrap the handlers of this process, present and future ones; do nothing outside of the main thread."""
    global _pid
    if _pid == os.getpid() or threading.get_ident() != _main:
        return
    watched = types.ModuleType("_signal")
    watched.__dict__.update(vars(_signal), signal=_signal_signal, getsignal=lambda number: _own(_get(number)))
    signal._signal = watched  # type: ignore[attr-defined]  # what the functions of `signal` call, also if imported by name
    _pid, pending.is_installed = os.getpid(), True
    for number in signal.valid_signals():
        handler = _get(number)
        if callable(handler) and type(handler) is not Wrapped:
            with contextlib.suppress(OSError, ValueError):
                _set(number, Wrapped(handler))


def _signal_signal(number: int, handler: Any) -> Any:
    """Install a handler of the program; the old one runs first if it is due."""
    if pending.due:
        deliver()
    wraps = callable(handler) and type(handler) is not Wrapped
    pending.handlers_set += 1
    return _own(_set(number, Wrapped(handler) if wraps else handler))


def _own(handler: Any) -> Any:
    return handler.handler if type(handler) is Wrapped else handler


def _forked() -> None:
    """Forget nodes and kept signals in a process that the program has forked."""
    global _nodes, _main
    _nodes, _main = (), threading.main_thread().ident
    pending.due = False
    pending.numbers.clear()
    _reminded.clear()


os.register_at_fork(after_in_child=_forked)
