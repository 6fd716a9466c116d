"""The Futures of a node that have raised and are tried again (``options(retries=)``).

Between two tries a Future is the node's alone, and may be cancelled. Each try has a number of its own, so what still
comes of an earlier one, by whatever way, counts for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from ..wire.failures import add_lines
from .driver import Driver
from .future import Future, begin_again, put_call
from .timed_queue import TimedQueue


class Retrier:
    """Those that wait for their next try. The lock of the node is held in all of it.

    queue: puts a Future among those that were neither given nor started.
    """

    __slots__ = ("_calls", "_driver", "_ends", "_numbers", "_queue", "_waiting")

    def __init__(
        self, driver: Driver, numbers: Iterator[int], queue: Callable[[Future[Any]], object]
    ) -> None:  # fmt: skip
        self._driver, self._numbers, self._queue = driver, numbers, queue
        self._waiting = TimedQueue()
        self._calls: dict[Future[Any], Any] = {}  # of those: nobody is to run one before its time
        self._ends = False  # whether no Future is tried again from now on
        driver.on_alarm(self._begin_due)

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Future[Any]]:
        return iter(self._waiting)

    def takes(self, future: Future[Any], error: BaseException, call: Any) -> bool:
        """A try has raised: return whether there is another one. If not, the error says how many there were.

        call: what the next try is made of; None where it could not be made.
        """
        tries = future.tries
        if tries is None:
            return False
        now = time.monotonic()
        seconds = None if self._ends or call is None else tries.wait_after(error)
        if seconds is None:
            if told := tries.told(now):
                add_lines(error, told)
            return False
        begin_again(future, next(self._numbers))
        self._calls[future] = call
        self._waiting.put(future, now + seconds)
        self._set_alarm()
        return True

    def stop(self) -> None:
        """From now on no Future is tried again."""
        self._ends = True

    def drop(self, future: Future[Any]) -> bool:
        """A Future is to be cancelled; return whether it was waiting here."""
        if self._calls.pop(future, None) is None:
            return False
        self._waiting.drop(future)
        self._set_alarm()
        return True

    def clear(self) -> None:
        """Nothing will be tried any more."""
        self._waiting.clear()
        self._calls.clear()
        self._set_alarm()

    def explain(self, future: Future[Any]) -> str:
        """Return for people what a Future waits for; "" if it does not wait here."""
        due = self._waiting.time_of(future)
        return "" if due is None else str(future.tries.shown(due - time.monotonic()))

    def _begin_due(self) -> None:
        for future in self._waiting.take(time.monotonic()):
            put_call(future, self._calls.pop(future))
            self._queue(future)
        self._set_alarm()

    def _set_alarm(self) -> None:
        self._driver.machine.own.put_off(len(self._waiting))
        self._driver.set_alarm(self._waiting.due())
