"""The Futures of a node that have raised and are tried again: ``options(retries=)``, or on another host.

Between two tries a Future is the node's alone, and may be cancelled. Each try has a number of its own, so what still
comes of an earlier one, by whatever way, counts for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from ..wire.failures import Where, add_lines
from .driver import Driver
from .future import Future, begin_again, put_call, put_tries
from .other_hosts import OtherHosts, OtherTry
from .timed_queue import TimedQueue

NOWHERE = Where()


class Retrier:
    """Those that wait for their next try. The lock of the node is held in all of it.

    queue: puts a Future among those that were neither given nor started.
    """

    __slots__ = ("_calls", "_driver", "_ends", "_numbers", "_queue", "_waiting", "other_hosts")

    def __init__(
        self, driver: Driver, numbers: Iterator[int], queue: Callable[[Future[Any]], object]
    ) -> None:  # fmt: skip
        self._driver, self._numbers, self._queue = driver, numbers, queue
        self.other_hosts = OtherHosts()
        self._waiting = TimedQueue()
        self._calls: dict[Future[Any], Any] = {}  # of those: nobody is to run one before its time
        self._ends = False  # whether no Future is tried again from now on
        driver.on_alarm(self._begin_due)

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Future[Any]]:
        return iter(self._waiting)

    def failed(
        self, future: Future[Any], error: BaseException, call: Any, where: Where = NOWHERE
    ) -> BaseException | None:  # fmt: skip
        """A try has raised: return what its Future raises, with a note of earlier tries; None if there is another try.

        call: what the next try is made of; None where it could not be made.
        """
        tries = future.tries
        if self._ends:
            return error
        if tries is None:
            if not where.is_of_host or (tries := self.other_hosts.try_one(future, error, where.host, call)) is None:
                return error
            put_tries(future, tries)
            self._put_off(future, call, 0.0)
            return None
        if type(tries) is OtherTry:
            return tries.failed(where.host)
        seconds = None if call is None else tries.wait_after(error)
        if seconds is None:
            if told := tries.told(time.monotonic()):
                add_lines(error, told)
            return error
        if where.is_of_host:
            self.other_hosts.avoid(future, where.host)
        self._put_off(future, call, seconds)
        return None

    def _put_off(self, future: Future[Any], call: Any, seconds: float) -> None:
        begin_again(future, next(self._numbers))
        self._calls[future] = call
        self._waiting.put(future, time.monotonic() + seconds)
        self._set_alarm()

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
        if due is None:
            return ""
        if type(future.tries) is OtherTry:
            return f"it is about to be tried on another host than {future.tries.host}"
        return str(future.tries.shown(due - time.monotonic()))

    def statistics(self) -> dict[str, Any]:
        """Return how many wait, and which hosts are marked."""
        return {"retrying": len(self), **self.other_hosts.statistics()}

    def _begin_due(self) -> None:
        for future in self._waiting.take(time.monotonic()):
            put_call(future, self._calls.pop(future))
            self._queue(future)
        self._set_alarm()

    def _set_alarm(self) -> None:
        self._driver.machine.own.put_off(len(self._waiting))
        self._driver.set_alarm(self._waiting.due())
