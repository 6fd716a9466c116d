"""SIGINT in a Worker: a KeyboardInterrupt in the Future that runs, as in any process.

A Worker is in a process group of its own, so what is typed at the terminal does not come here; a signal does that a
Future sends to itself (``_thread.interrupt_main``, ``signal.raise_signal``) or that is meant for what it runs. Python's
own handler would raise wherever the main thread happens to be. This one looks at the stack that it interrupts:

- Code of the Future is running: it raises, unless Python would ignore that, as in a finalizer: then a little later.
- The Worker's own code is, on the Future's behalf, in ``submit`` for instance: it comes back a little later, if that
  Future still runs.
- No Future is running on this stack: nobody is meant.

Where SIGINT was ignored when the program was started, as ``nohup`` and a shell's ``&`` do, it stays ignored here.
"""

from __future__ import annotations

import dis
import functools
import itertools
import os
import signal
import threading
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any, TypeVar, cast

from ..host.crash_cells import NUMBER, PIECE
from . import current

LATER_SECONDS = 0.005
_OURS = "fedfutures."
_WEAK = ("weakref", "_weakrefset")
_callers: set[CodeType] = set()
"""Functions of ours that call those of Futures."""
_of_futures: set[str] = set()
Function = TypeVar("Function", bound=Callable[..., Any])


def is_of_futures(module: str) -> None:
    """Mark a module of ours that only calls what is the Future's: it may be interrupted as that."""
    _of_futures.add(module)


def calls_futures(function: Function) -> Function:
    """Mark a function that calls those of Futures, by ``run``: there a Future may be interrupted."""
    _callers.add(cast(FunctionType, function).__code__)
    return function


def take() -> None:
    """Handle SIGINT from now on, unless the program has another handler or it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _Handler())


class _Handler:
    def __init__(self) -> None:
        self._pid = os.getpid()
        self._meant: Any = None  # the Future that a postponed interrupt is for
        self._is_looking = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # forked by a Future: a process like any other
            raise KeyboardInterrupt
        if self._is_looking:  # a signal while the last one is looked into is one with it, or a storm would pile up here
            return
        self._is_looking = True
        try:
            self._look(frame)
        finally:
            self._is_looking = False

    def _look(self, frame: FrameType | None) -> None:
        meant, self._meant = self._meant, None
        if meant is not None and meant != _running():
            return
        owner = _first_of_ours(frame)
        if owner is None or _calls(owner):
            if _is_ignored(frame, owner):
                self._postpone()
                return
            raise KeyboardInterrupt
        while owner is not None:
            owner = _first_of_ours(owner.f_back)
            if owner is not None and _calls(owner):
                self._postpone()
                return

    def _postpone(self) -> None:
        meant, main = _running(), threading.get_ident()  # handlers run in the main thread

        def again() -> None:
            self._meant = meant
            signal.pthread_kill(main, signal.SIGINT)  # unlike interrupt_main(), this ends a sleep

        timer = threading.Timer(LATER_SECONDS, again)
        timer.daemon = True
        timer.start()


def _running() -> Any:
    """Return which Future is running; this is how the host process knows it, too."""
    cells = getattr(current.node, "cells", None)
    return cells and (cells[PIECE], cells[NUMBER])


def _first_of_ours(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame that is the Worker's own."""
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if type(name) is str and name.startswith(_OURS) and name not in _of_futures:
            return frame
        frame = frame.f_back
    return None


def _is_ignored(frame: FrameType | None, owner: FrameType | None) -> bool:
    """Whether what is raised here gets no further: in ``__del__``, or in what the end of a weak reference calls."""
    while frame is not None and frame is not owner:
        if frame.f_code.co_name == "__del__" or frame.f_globals.get("__name__") in _WEAK:
            return True
        frame = frame.f_back
    return False


def _calls(frame: FrameType) -> bool:
    """Whether a frame of the loop is calling a Future's function."""
    return frame.f_code in _callers and frame.f_lasti in _call_places(frame.f_code)


@functools.cache
def _call_places(code: CodeType) -> frozenset[int]:
    """Return where code calls a Future's function: by ``run``, a method of the context that is made for it."""
    places: set[int] = set()
    is_due = False
    for instruction, following in itertools.pairwise(dis.get_instructions(code)):
        names = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
        if instruction.opname.startswith("LOAD_FAST") and "run" in names:
            is_due = True
        elif is_due and instruction.opname.startswith("CALL") and "INTRINSIC" not in instruction.opname:
            places.update(range(instruction.offset, following.offset))
            is_due = False
    return frozenset(places)
