"""Virtual time: one heap of events, taken in the order of their time, and of their making where times are equal."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

Call = Callable[[Any], object]


class Clock:
    """What happens when. An event is a call with one argument; none is ever taken out, only ignored when it comes."""

    __slots__ = ("_heap", "_order", "events", "now", "stopped")

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0  # taken so far
        self.stopped = False
        self._heap: list[tuple[float, int, Call, Any]] = []
        self._order = itertools.count()

    def at(self, time: float, call: Call, argument: Any = None) -> None:
        """Let ``call(argument)`` happen at `time`, or now if that is past."""
        heapq.heappush(self._heap, (time if time > self.now else self.now, next(self._order), call, argument))

    def run(self, until: float = float("inf"), most: int = 1 << 62) -> bool:
        """Let events happen up to and including `until`, `most` of them, or until :meth:`stop`.

        Return whether the time came: False when nothing is left to happen, or too much does.
        """
        heap, pop = self._heap, heapq.heappop
        self.stopped = False
        events = 0
        over = False
        while heap and events < most and not self.stopped:
            event = pop(heap)
            if event[0] > until:
                heapq.heappush(heap, event)
                over = True
                break
            self.now = event[0]
            events += 1
            event[2](event[3])
        self.events += events
        if over:
            self.now = until
        return over

    def stop(self) -> None:
        """Let :meth:`run` return after the event that is happening."""
        self.stopped = True
