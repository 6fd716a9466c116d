"""SIGTERM and SIGHUP in a Worker: it takes no more Futures, returns those that it has not started, and ends.

Slurm, systemd and containers send such a signal to all processes of a job at once. So the Worker waits a moment first:
if the run ends, the Worker ends with it. Otherwise the signal was meant for the Worker. What runs may finish within the
grace. Then the Worker ends anyway, in order, so that what it ran runs again elsewhere and nobody counts a crash.

Python runs a handler in the main thread, between two instructions; a Future that computes in C lets none run. So the
number of the signal also goes into a pipe (``signal.set_wakeup_fd``), and whichever thread drives the node reads it.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..host.crash_cells import PIECE
from ..supervision.leaving import WORD_SECONDS
from .calls import Calls
from .driver import Driver

ENDING = (signal.SIGTERM, signal.SIGHUP)
_masks: dict[int, Any] = {}  # by thread that forks: the signals that it had blocked before


class Departure:
    """Ends one Worker by `end`; what runs has `grace` seconds."""

    __slots__ = ("_calls", "_cells", "_driver", "_end", "_grace", "_has_begun", "_read", "_write")

    def __init__(
        self, driver: Driver, calls: Calls, cells: Any, end: Callable[[], object], grace: float
    ) -> None:  # fmt: skip
        self._driver, self._calls, self._cells, self._end, self._grace = driver, calls, cells, end, grace
        self._has_begun = False
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def attend(self) -> None:
        """Handle the signals from now on, except those that are ignored. A handler that the program has set goes."""
        self._driver.watch(self._read, self._look)
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        if (others := signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)) != -1:
            signal.set_wakeup_fd(others, warn_on_full_buffer=False)
        # Between fork and hook Python forgets signals: nobody could end a process as soon as it is forked.
        os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=self._let_go)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):  # a Future may have taken the wake-up descriptor
            os.write(self._write, bytes([number]))

    def _look(self) -> None:
        """Read which signals have come; a Future may have set a handler of its own meanwhile."""
        with contextlib.suppress(BlockingIOError):
            numbers = os.read(self._read, 4096)
            meant = [number for number in ENDING if number in numbers and signal.getsignal(number) == self._on_signal]
            if meant and not self._has_begun:
                self._has_begun = True
                _thread.start_new_thread(self._depart, ())

    def _depart(self) -> None:
        time.sleep(WORD_SECONDS)
        self._calls.leave()
        with contextlib.suppress(Exception):  # whatever that raises, the grace has an end
            self._driver.drain()
        self._driver.wake()
        time.sleep(self._grace)
        with contextlib.suppress(Exception):
            self._driver.drain()
        self._cells[PIECE] = 0  # nobody is to blame for this end
        self._end()

    def _let_go(self) -> None:
        """In a process that a Future has forked: it is a process like any other."""
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(-1)
            for number in ENDING:
                if signal.getsignal(number) == self._on_signal:
                    signal.signal(number, signal.SIG_DFL)
        _release()


def _hold() -> None:
    _masks[_thread.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop(_thread.get_ident(), ()))
