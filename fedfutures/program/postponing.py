"""Signals that come to the program while our own code runs in its main thread: their handlers run a little later.

Python runs the handlers of signals between two instructions of the main thread, and a handler may raise anything:
``KeyboardInterrupt`` for Ctrl-C, an error of the program's own for a time-out by SIGALRM. In the middle of a step of
ours that would lose what the step had in hand: a message that was received and not yet taken in, a lock. So each
handler of the program is wrapped, wherever it is installed from. The wrapper looks at the stack that the signal has
interrupted:

- Code of the program runs, also where we call it (a callback, the input of a map, ``__reduce__``), or we wait
  (:mod:`.safe_points`): the handler runs at once.
- Our own code runs, or the main thread holds a lock of a node: the number of the signal is kept. The handler runs at
  the next safe point or before the call returns to the program, whichever comes first.

So nothing is spent where no signal comes, except for one look at :data:`pending` in each call. A thread reminds the
main thread of what is kept, in case that our code was left by a way that does not look. What is kept for
:data:`PATIENCE_SECONDS` is run wherever the main thread is; so is a signal that comes again after
:data:`AGAIN_SECONDS`: somebody presses Ctrl-C for a second time.

``signal.getsignal`` and ``signal.signal`` still speak of the program's own handlers. Handlers that are installed by
C code are not wrapped.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import contextlib
import os
import signal
import sys
import sysconfig
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
_safe_points: set[str] = set()
"""The module of ours in which handlers may raise."""
_call_program: set[str] = set()
"""Modules of ours that may be interrupted in what they call."""
_pickle_for_program: set[str] = set()
"""Those that may be interrupted where they run code of the program: it may raise there at any time."""
_WHOLE_CALLBACKS = ("asyncio.", "concurrent.futures.")
"""Whose callbacks are not cut short: others wait for what they do."""
_NEVER_RAISES = frozenset({"weakref", "_weakrefset"})
"""Modules with callbacks whose exceptions Python throws away."""
_LIBRARY = sysconfig.get_paths()["stdlib"]
_MARK = "_fedfutures_by_signal"

Handler = Callable[[int, "FrameType | None"], object]
Function = TypeVar("Function", bound=Callable[..., Any])


class InProgram(Protocol):
    """A node of the program."""

    lock: Any

    def wake(self) -> None: ...


class Pending:
    """The signals whose handlers are still to be run."""

    __slots__ = ("due", "is_installed", "numbers", "since")

    def __init__(self) -> None:
        self.due = False  # False only if there are none; for a quick look
        self.is_installed = False  # whether the handlers of the program are wrapped
        self.numbers: list[int] = []
        self.since = 0.0


pending = Pending()
_whole: set[CodeType] = set()
"""Functions that no handler interrupts, whatever they call or wait for."""
_calls_from: dict[CodeType, int] = {}
"""From which instruction on a function of the safe points may be interrupted, where that is not all of it."""
_running: list[int] = []  # signals whose handlers are running
_reminded: set[int] = set()  # signals that the main thread was sent again, and has not handled yet
_nodes: tuple[InProgram, ...] = ()
_main = threading.main_thread().ident
_pid = 0  # the process whose handlers are wrapped
_set, _get = _signal.signal, _signal.getsignal


def is_by_signal(error: BaseException) -> bool:
    """Whether the handler of a signal has raised this: it is meant for the program, whatever was going on."""
    return hasattr(error, _MARK)


def has_safe_points(module: str, call: CodeType, called_at: int) -> None:
    """Mark the module of ours whose functions may be interrupted.

    Its function with the code `call` calls a function of the program by the instruction at `called_at`, and may be
    interrupted only from there on.
    """
    _safe_points.add(module)
    _calls_from[call] = called_at


def calls_program(module: str) -> None:
    """Mark a module of ours, by its ``__name__``: it may be interrupted in what it calls, for that is the program's."""
    _call_program.add(module)


def pickles_for_program(module: str) -> None:
    """Mark a module of ours: it may be interrupted where it runs code of the program, which may raise at any time."""
    _pickle_for_program.add(module)


def uninterrupted(function: Function) -> Function:
    """Mark a function that may run where Python throws exceptions away: in a generator that nobody holds any more."""
    _whole.add(cast(FunctionType, function).__code__)
    return function


def begin(node: InProgram) -> None:
    """From now on handlers are postponed while the main thread holds the lock of this node."""
    global _nodes
    _nodes = (*_nodes, node)
    install()


def end(node: InProgram) -> None:
    """The node is closed."""
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
        """What to call for a signal: no frame of ours is in the traceback of a Ctrl-C in code of the program."""
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
    for node in _nodes:  # the handler may have taken in what the main thread waits for
        node.wake()


def _take(number: int) -> None:
    """The handler is about to run; what comes meanwhile may be kept."""
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
    """Run the handlers that are due, if this is the main thread. The caller expects any exception."""
    if threading.get_ident() != _main or _is_in_whole(sys._getframe(1)):
        return
    while True:
        pending.due = False  # before the look: what comes now sets it again
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
    """Send the main thread again what it has kept (a thread)."""
    wait = REMIND_SECONDS
    while pending.numbers:
        time.sleep(wait)
        wait = min(2 * wait, REMIND_AT_MOST_SECONDS)
        for number in list(pending.numbers):
            if number not in _running and type(_get(number)) is Wrapped and _main is not None:
                _reminded.add(number)
                signal.pthread_kill(_main, number)


def shortened(error: BaseException) -> BaseException:
    """Return an exception without our own frames, if a handler has raised it while we were waiting.

    For ``raise`` in an ``except`` clause: the frame of that clause stands first then, the handler's own frames next.
    """
    below = error.__traceback__
    while below is not None and str(below.tb_frame.f_globals.get("__name__")).startswith(_OURS):
        code, below = below.tb_frame.f_code, below.tb_next
        if code is _run.__code__:
            return error.with_traceback(below)
    return error


# -- whose code is running -------------------------------------------------------------------------------------------


def _must_wait(number: int, frame: FrameType | None) -> bool:
    """Whether a handler that raises now, in this frame, would hurt a step of ours."""
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
            # A handler that waits for Futures is not called again meanwhile: it would be deeper each time.
            return number in _running or not _may_interrupt(name, frame, inner, by_program)
        by_program = by_program or not _is_library(frame.f_code.co_filename)
        inner, frame = frame, frame.f_back
    return False


def _is_in_whole(frame: FrameType | None) -> bool:
    """Whether a function on the stack is not to be interrupted, whatever it calls."""
    while frame is not None and frame.f_code not in _whole:
        frame = frame.f_back
    return frame is not None


def _is_ours_below(frame: FrameType | None) -> bool:
    """Whether code of ours is anywhere on the stack, or due, or an exception would be thrown away here."""
    if frame is not None and frame.f_globals.get("__name__") in _NEVER_RAISES:
        return True
    while frame is not None and not str(frame.f_globals.get("__name__")).startswith(_OURS):
        frame = frame.f_back
    return frame is not None or pending.due or any(node.lock._is_owned() for node in _nodes)


def _may_interrupt(name: str, frame: FrameType, inner: FrameType | None, by_program: bool) -> bool:
    """Whether the innermost frame that is ours may be left by an exception; `inner` is what it has called."""
    if name in _safe_points:
        first = _calls_from.get(frame.f_code)
        called = "" if inner is None else str(inner.f_globals.get("__name__"))
        return first is None or (frame.f_lasti >= first and not called.startswith(_WHOLE_CALLBACKS))
    if name in _call_program:
        return True
    return name in _pickle_for_program and by_program


def _is_library(path: str) -> bool:
    """Whether code belongs to Python itself, or to what pickles for us: where it stands is no safe point."""
    if path.startswith("<frozen"):
        return True
    return "cloudpickle" in path or (path.startswith(_LIBRARY) and "-packages" not in path)


# -- wrapping --------------------------------------------------------------------------------------------------------


def install() -> None:
    """Wrap the handlers of this process, and those that the program will install. In other threads: nothing."""
    global _pid
    if _pid == os.getpid() or threading.get_ident() != _main:
        return
    watched = types.ModuleType("_signal")
    watched.__dict__.update(vars(_signal), signal=_signal_signal, getsignal=_signal_getsignal)
    signal._signal = watched  # type: ignore[attr-defined]  # what the functions of `signal` call, also if imported by name
    _pid, pending.is_installed = os.getpid(), True
    for number in signal.valid_signals():
        handler = _get(number)
        if callable(handler) and type(handler) is not Wrapped:
            with contextlib.suppress(OSError, ValueError):
                _set(number, Wrapped(handler))


def _signal_signal(number: int, handler: Any) -> Any:
    """Install a handler of the program; one that is due runs before it is replaced."""
    if pending.due:
        deliver()
    wraps = callable(handler) and type(handler) is not Wrapped
    return _own(_set(number, Wrapped(handler) if wraps else handler))


def _signal_getsignal(number: int) -> Any:
    return _own(_get(number))


def _own(handler: Any) -> Any:
    return handler.handler if type(handler) is Wrapped else handler


def _forked() -> None:
    """In a process that the program has forked: nothing of ours goes on here."""
    global _nodes, _main
    _nodes, _main = (), threading.main_thread().ident
    pending.due = False
    pending.numbers.clear()
    _reminded.clear()


os.register_at_fork(after_in_child=_forked)
