"""The greenlets of a Worker's main thread: those that run Futures, and those that wait.

A *runner* takes the next Future, runs it, and takes the next. When user code waits, its runner is switched out and
another goes on; it is switched in again before anything new is started, the last to wait first, so parents finish
before more are opened. The hub, the thread's main greenlet, starts all runners, so none inherits the depth of another's
stack.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import greenlet

from ..node.pace import PUMP_EVERY_SECONDS
from .driver import DRIVEN, PUMP_DUE, Driver
from .waiters import Waiter


class Runners:
    """Made in the main thread of a Worker, by its main greenlet: the hub."""

    __slots__ = (
        "_idle", "_order", "_timers", "_wake_driver", "hub", "ready", "stopping", "suspended", "switches", "thread",
    )  # fmt: skip

    def __init__(self, wake_driver: Callable[[], object]) -> None:
        self.thread = threading.get_ident()
        self.hub = greenlet.getcurrent()
        self.ready: deque[Waiter] = deque()  # to be switched in next
        self.stopping = False
        self.switches = 0  # how often one was switched out
        self.suspended = 0  # how many wait
        self._wake_driver = wake_driver
        self._idle: list[greenlet.greenlet] = []
        self._timers: list[tuple[float, int, Waiter]] = []
        self._order = itertools.count()

    def is_main_thread(self) -> bool:
        """Whether the thread that asks is the one in which Futures run."""
        return threading.get_ident() == self.thread

    def run(self, loop: Callable[[], object], context: Callable[[], contextvars.Context]) -> None:
        """Run a loop in one greenlet after another, until told to stop (the hub). Each begins in a new context."""
        while not self.stopping:
            if self._idle:
                runner = self._idle.pop()
            else:
                runner = greenlet.greenlet(loop, self.hub)
                runner.gr_context = context()
            runner.switch()

    def stop(self) -> None:
        """No more Futures are run here."""
        self.stopping = True
        self.hub.switch()

    def resume_ready(self) -> None:
        """Let the last one go on that was woken; this runner is idle meanwhile."""
        waiter = self.ready.pop()
        self._idle.append(greenlet.getcurrent())
        waiter.greenlet.switch()

    def switch_out(self, waiter: Waiter) -> None:
        """Let other greenlets run until this one is woken."""
        self.switches += 1
        self.suspended += 1
        try:
            while not waiter.woken:
                self.hub.switch()
        finally:
            self.suspended -= 1

    def check(self, waiter: Waiter) -> None:
        """Raise CancelledError if the hub is about to wait: the Worker is ending."""
        if waiter.greenlet is self.hub:
            raise CancelledError

    def wake(self, waiters: list[Any]) -> None:
        """Put waiting greenlets among those to be switched in next."""
        for waiter in waiters:
            if waiter.wake():
                self.ready.append(waiter)
        if threading.get_ident() != self.thread:
            self._wake_driver()

    def wake_at(self, due: float, waiter: Waiter) -> None:
        """Wake a greenlet at a time of the monotonic clock, if it still waits then."""
        heapq.heappush(self._timers, (due, next(self._order), waiter))

    def next_timer(self) -> float | None:
        """When the next greenlet is to be woken."""
        return self._timers[0][0] if self._timers else None

    def wake_timers(self) -> None:
        """Wake those whose time has come."""
        if self._timers:
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                self.wake([heapq.heappop(self._timers)[2]])


class Pump:
    """Is called between two Futures, once :data:`.pace.PUMP_EVERY_SECONDS` have passed.

    Why not after each: a look at the sockets takes longer than a short Future. Why by this thread: it is awake, it has
    the GIL, and between two Futures no code of the user's is interrupted. The helper thread drives only while one
    Future takes long.
    """

    __slots__ = ("_driver", "_runners")

    def __init__(self, driver: Driver, runners: Runners) -> None:
        self._driver, self._runners = driver, runners

    def __call__(self) -> None:
        """Drain the sockets, send results, say what is here, run callbacks, and wake whose time has come.

        The next time is set first: a callback may submit, and must not come here again for that.
        """
        times = self._driver.times
        times[DRIVEN] = now = time.monotonic()
        times[PUMP_DUE] = now + PUMP_EVERY_SECONDS
        self._driver.service()
        self._runners.wake_timers()
