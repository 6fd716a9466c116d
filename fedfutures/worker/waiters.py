"""What waits on a Worker: greenlets, and the standard library's waiters made to wait the way that a Worker does."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import greenlet

if TYPE_CHECKING:
    from .execution import Worker


class Waiter:
    """A greenlet that waits, until woken or until its time is over."""

    __slots__ = ("greenlet", "woken")

    def __init__(self) -> None:
        self.greenlet = greenlet.getcurrent()
        self.woken = False


class GreenEvent:
    """Stands in for the ``threading.Event`` of a standard library waiter, for a greenlet of the main thread."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._set = False
        self._waiter: Waiter | None = None

    def set(self) -> None:
        self._set = True
        if self._waiter is not None:
            self._worker.wake_greenlets([self._waiter])

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._set and (deadline is None or time.monotonic() < deadline):
            self._waiter = Waiter()
            self._worker.switch_out(self._waiter, deadline)
            self._waiter = None
        return self._set


class HelpfulEvent(threading.Event):
    """The same for a foreign thread: while it waits, it runs own Futures of the Worker that nobody else may get to."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def wait(self, timeout: float | None = None) -> bool:
        self._worker.others.help_until(self.is_set, super().wait, timeout)
        return self.is_set()
