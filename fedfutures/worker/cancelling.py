"""Taking back the Futures that a node has submitted: they are cancelled, or are to run or wait here after all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ..node import events as rules
from ..node.pace import CANCEL_WAITS_SECONDS, END_AGAIN_SECONDS, END_WAITS_SECONDS
from ..node.workload import Recalls
from ..program import safe_points
from .driver import Driver
from .future import Future, settle_cancelled
from .future_fields import call_of, number_of


class Cancelling:
    """Asks the Broker for Futures that it was given (`given`, by number); those that wait here it settles itself.

    drop: has a Future wait no more for its next try; returns whether it did.
    give_again: gives those of :attr:`ending` that have come back, whatever the Demand.
    """

    __slots__ = ("_callbacks", "_driver", "_drop", "_give_again", "_given", "_lock", "_recalls", "ending")

    def __init__(
        self, driver: Driver, given: dict[int, Future[Any]], callbacks: deque[Any],
        drop: Callable[[Future[Any]], bool], give_again: Callable[[], None],
    ) -> None:  # fmt: skip
        self._driver, self._lock, self._given, self._callbacks = driver, driver.lock, given, callbacks
        self._drop, self._give_again = drop, give_again
        self._recalls = Recalls()
        self.ending: set[int] = set()  # numbers of those that are to be ended where they run

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

    def end_all(self, futures: list[Future[Any]]) -> int:
        """Cancel those that are not done, also those that run elsewhere; return how many those are.

        What runs here goes on: nobody ends the Worker that asks. In a Worker those are waited for as long as by
        :meth:`cancel` that share their Workers with others: they may not be ended (:mod:`..broker.endings`).
        """
        wanted = left = [future for future in futures if not future.done()]
        is_sure = self._driver.machine.role == "origin" or any(future.alone for future in wanted)
        deadline = time.monotonic() + (END_WAITS_SECONDS if is_sure else CANCEL_WAITS_SECONDS)
        with self._lock:
            for future in wanted:
                if number_of(future) not in self._given:
                    self._cancel_here(future)
            numbers = {number_of(future) for future in wanted if not future.done()}
            self.ending |= numbers
        try:
            while (left := self._ask_to_end(left)) and time.monotonic() < deadline:
                self._wait_until(left, Future.done, min(deadline, time.monotonic() + END_AGAIN_SECONDS))
        finally:
            with self._lock:
                self.ending -= numbers
                for future in left:
                    if number_of(future) not in self._given:
                        self._cancel_here(future)
        self._driver.service()
        return sum(future.cancelled() for future in wanted)

    def _ask_to_end(self, futures: list[Future[Any]]) -> list[Future[Any]]:
        """Ask the Broker for those that it has, and return those that are open.

        What has come back, as the Broker was started again, is given again before: a Worker may run it, and can be
        found only by that.
        """
        with self._lock:
            self._give_again()
            numbers = [number_of(future) for future in futures if not future.done()]
            if given := [number for number in numbers if number in self._given]:
                self._recalls.forget(given)
                self._driver.step(rules.CancelGiven(given, running=True))
        return [future for future in futures if not future.done() and number_of(future) in self.ending]

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
        self._wait_until(given, lambda future: future.done() or future.running(), deadline)

    def _wait_until(self, futures: list[Future[Any]], is_over: Callable[[Future[Any]], bool], deadline: float) -> None:
        for future in futures:
            while not is_over(future) and time.monotonic() < deadline:
                self._driver.service()
                with self._lock:
                    # It has raised meanwhile, and waits for its next try, or has come back: then it may be given again.
                    number = number_of(future)
                    if number not in self._given and not (number in self.ending and call_of(future)):
                        self._cancel_here(future)
                if not is_over(future):
                    safe_points.sleep(0.0005)

    # -- to wait here -------------------------------------------------------------------------------------------------

    def recall(self, numbers: Iterable[int] | None = None) -> None:
        """Ask for given Futures again, every so often: for all that may run here, or for these."""
        with self._lock:
            if numbers is None:
                given = self._given.items()
                numbers = [number for number, future in given if not (future.alone or number in self.ending)]
            wanted = self._recalls.due(numbers, time.monotonic())
            if wanted:
                self._driver.step(rules.CancelGiven(wanted))
                self._driver.flush()

    def come_back(self, action: rules.Resolve) -> list[int]:
        """Outcomes have come; return which were cancelled because they were recalled: they have no outcome yet."""
        return self._recalls.come_back(action.ids, action.odd) if self._recalls.asked else []
