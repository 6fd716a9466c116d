"""Taking back the Futures that a node has submitted: they are cancelled, or are to run or wait here after all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ..node import events as rules
from ..node.pace import CANCEL_WAITS_SECONDS
from ..node.workload import Recalls
from ..program import safe_points
from .driver import Driver
from .future import Future, settle_cancelled
from .future_fields import call_of, number_of


class Cancelling:
    """Asks the Broker for Futures that it was given (`given`, by number); those that wait here it settles itself.

    drop: has a Future wait no more for its next try; returns whether it did.
    """

    __slots__ = ("_callbacks", "_driver", "_drop", "_given", "_lock", "_recalls")

    def __init__(
        self, driver: Driver, given: dict[int, Future[Any]], callbacks: deque[Any],
        drop: Callable[[Future[Any]], bool],
    ) -> None:  # fmt: skip
        self._driver, self._lock, self._given, self._callbacks = driver, driver.lock, given, callbacks
        self._drop = drop
        self._recalls = Recalls()

    # -- for good ----------------------------------------------------------------------------------------------------

    def cancel(self, future: Future[Any]) -> bool:
        """Cancel a Future; if False is returned and a Broker drops it later even so, it is given again."""
        if future.running():
            return False
        if not future.done():
            self.cancel_all([future])
        with self._lock:
            if not future.done():
                self._recalls.keep(number_of(future), time.monotonic())
            return future.cancelled()

    def cancel_all(self, futures: list[Future[Any]]) -> int:
        """Cancel those that have not started, all with one question to the Broker; return how many those are."""
        given: list[Future[Any]] = []
        count = 0
        with self._lock:
            for future in futures:
                if future.done() or future.running():
                    continue
                if number_of(future) in self._given:
                    given.append(future)
                else:
                    count += self._cancel_here(future)
            if given:
                numbers = [number_of(future) for future in given]
                self._recalls.forget(numbers)  # they are cancelled for good
                self._driver.step(rules.CancelGiven(numbers))
        self._wait_for_verdicts(given)
        self._driver.service()
        return count + sum(future.cancelled() for future in given)

    def _cancel_here(self, future: Future[Any]) -> bool:
        """Cancel a Future that was not given, unless it is running here. The lock is held."""
        if future.done() or (call_of(future) is None and not self._drop(future)):
            return False
        if settle_cancelled(future):
            self._callbacks.append(future)
        return True

    def cancel_open(self, waiting: Iterable[Future[Any]]) -> None:
        """Cancel those that are `waiting` here, and all that was given: that is done when the Broker has answered."""
        for future in waiting:
            self.cancel(future)
        with self._lock:
            if self._given:
                self._driver.step(rules.CancelGiven(list(self._given)))
        self._driver.service()

    def _wait_for_verdicts(self, given: list[Future[Any]]) -> None:
        """Wait until each of these is done or known to be running, for a bounded time."""
        deadline = time.monotonic() + CANCEL_WAITS_SECONDS
        for future in given:
            while not future.done() and not future.running() and time.monotonic() < deadline:
                self._driver.service()
                with self._lock:
                    if number_of(future) not in self._given:  # it has raised meanwhile, and waits for its next try
                        self._cancel_here(future)
                if not future.done():
                    safe_points.sleep(0.0005)

    # -- to wait here -------------------------------------------------------------------------------------------------

    def recall(self, numbers: Iterable[int] | None = None) -> None:
        """Ask for given Futures again, every so often: for all that may run here, or for these."""
        with self._lock:
            if numbers is None:
                numbers = [number for number, future in self._given.items() if not future.alone]
            wanted = self._recalls.due(numbers, time.monotonic())
            if wanted:
                self._driver.step(rules.CancelGiven(wanted))
                self._driver.flush()

    def come_back(self, action: rules.Resolve) -> list[int]:
        """Outcomes have come; return which were cancelled because they were recalled: they have no outcome yet."""
        return self._recalls.come_back(action.ids, action.odd) if self._recalls.asked else []
