"""The Futures of an Origin that would not be done before the walltime is over: they are not given, or taken back.

They wait at the end of the queue (:data:`.local_queue.LATE`). The rules are in :mod:`..node.deadline`; a thread of
:mod:`..futures.timekeeper` asks for them every so often.
"""

from __future__ import annotations

import time
from typing import Any

from ..node import events as rules
from ..node.deadline import Deadline
from .driver import Driver
from .future import Future
from .future_fields import call_of, priority_of
from .local_queue import LATE
from .submissions import Submissions


class LateFutures:
    """Keeps Futures from being given that would be late; counts those that were done."""

    __slots__ = ("_driver", "_machine", "_rule", "_submissions", "done")

    def __init__(self, driver: Driver, submissions: Submissions, deadline: float) -> None:
        self._driver, self._submissions, self._machine = driver, submissions, driver.machine
        self._rule = Deadline(deadline, driver.machine.durations)
        self.done = 0  # how many Futures have an outcome, but for the slices of maps
        driver.handle(rules.Resolve, self._on_resolve)
        submissions.heed(self)

    @property
    def deadline(self) -> float:
        """When all Futures are to be done, by the monotonic clock."""
        return self._rule.at

    def takes(self, future: Future[Any], function: bytes) -> bool:
        """Keep a Future that is about to be given, if it would be late; return whether that is so. The lock is held."""
        if not self._rule.is_late(function, time.monotonic()):
            return False
        self._submissions.own.put(future, LATE)
        return True

    def has(self, future: Future[Any]) -> bool:
        """Whether a Future waits here because it would be late."""
        return future in self._submissions.own.levels.get(LATE, ())

    def look(self, now: float) -> bool:
        """Take back what would be late; return whether nothing will be done any more. For any thread."""
        submissions = self._submissions
        with submissions.lock:
            self._give_again(now)
            if late := self._rule.late_among(self._machine.own.pieces.values(), now):
                submissions.cancelling.recall(number for number in late if number in submissions.futures)
            return self._rule.is_over(now, idle=self._is_idle(now))

    def pause(self, now: float) -> float:
        """Return after how many seconds to look again."""
        return self._rule.pause(now)

    def _give_again(self, now: float) -> None:
        """Functions may turn out to be faster than was thought: what is not late any more goes back into the queue."""
        own = self._submissions.own
        late = own.levels.get(LATE, ())
        for _ in range(len(late)):
            future = late.popleft()  # type: ignore[union-attr]
            if (call := call_of(future)) is not None:  # else it was cancelled
                own.put(future, LATE if self._rule.is_late(call[0].digest, now) else priority_of(future))

    def _is_idle(self, now: float) -> bool:
        """Whether nothing is given or tried again, and something waits, all of it late."""
        own = self._submissions.own
        if self._machine.own.count or self._submissions.retrier or not own:
            return False
        calls = (call for future in own if (call := call_of(future)) is not None)
        found = [self._rule.is_late(call[0].digest, now) for call in calls]
        return bool(found) and all(found)

    def _on_resolve(self, action: rules.Resolve) -> None:
        futures = [self._submissions.futures.get(number) for number in action.ids]
        self._submissions.on_resolve(action)
        for future in futures:
            if future is not None and future.on_cut is None and future.done() and not future.cancelled():
                self.done += 1  # else it was taken back, or is tried again
