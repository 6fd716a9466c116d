"""``--drain``: a program that gets SIGTERM or SIGHUP lets its open Futures finish, and then ends by the signal.

The main thread waits in the handler, so it submits nothing more; callbacks of Futures are called. A second signal, or
the end of the time, ends the program at once. A program that sets a handler of its own replaces this one.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any


class DrainHandler:
    """Handles one of these signals for a Federation; waits for `seconds` at most."""

    def __init__(self, federation: Any, seconds: float) -> None:
        self._federation, self._seconds = federation, seconds

    def __call__(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        name = signal.Signals(number).name
        self._federation.say_open(f"{name}: the program waits {self._seconds:g} s at most, since", "open")
        timer = threading.Timer(self._seconds, self._end_now, (number, name))
        timer.daemon = True
        timer.start()
        try:
            self._federation.drain()
        finally:
            os.kill(os.getpid(), number)

    def _end_now(self, number: int, name: str) -> None:
        try:
            self._federation.say_open(f"{name} came {self._seconds:g} s ago:", "cut off")
        finally:
            os.kill(os.getpid(), number)


def drain_on_signals(federation: Any, seconds: float) -> None:
    """Have SIGTERM and SIGHUP drain, except where they are ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, DrainHandler(federation, seconds))
