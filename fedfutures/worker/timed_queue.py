"""Futures that wait for a time of their own, the one whose time comes first before the others. Pure."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator

from .future import Future

LEFT_BEHIND_AT_MOST = 64
"""So many entries of Futures that wait no more are kept, and as many as there are that wait."""


class TimedQueue:
    """Takes any number of Futures; each is in it once, or not."""

    __slots__ = ("_heap", "_order", "_times")

    def __init__(self) -> None:
        self._times: dict[Future, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, Future]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[Future]:
        return iter(list(self._times))

    def put(self, future: Future, time: float) -> None:
        """A Future begins to wait for this time."""
        entry = (time, next(self._order))
        self._times[future] = entry
        heapq.heappush(self._heap, (*entry, future))

    def time_of(self, future: Future) -> float | None:
        """Return for which time a Future waits; None if it does not."""
        entry = self._times.get(future)
        return None if entry is None else entry[0]

    def drop(self, future: Future) -> None:
        """A Future waits no more."""
        if self._times.pop(future, None) is not None and len(self._heap) > 2 * len(self._times) + LEFT_BEHIND_AT_MOST:
            self._heap = [entry for entry in self._heap if self._is_current(entry)]
            heapq.heapify(self._heap)

    def clear(self) -> None:
        """Nobody waits any more."""
        self._times.clear()
        self._heap.clear()

    def due(self) -> float:
        """Return the first time that somebody waits for; infinity where nobody waits."""
        while self._heap and not self._is_current(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def take(self, now: float) -> list[Future]:
        """Take out those whose time has come, in the order of their times."""
        taken = []
        while self.due() <= now:
            future = heapq.heappop(self._heap)[2]
            del self._times[future]
            taken.append(future)
        return taken

    def _is_current(self, entry: tuple[float, int, Future]) -> bool:
        return self._times.get(entry[2]) == entry[:2]
