"""The queue of a node's own Futures: a deque, and more of them only while priorities differ.

The common level is a plain deque that hot paths use directly, and no lock is taken while it is the only one. A Worker
runs the youngest itself, others are given the oldest. Futures that were cancelled or started are skipped in their turn.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Iterator

from .future import Future

LATE = -(1 << 62)
"""The level, below all priorities, of what would not be done in time: nothing of it is given."""


class LocalQueue:
    """Own Futures, neither given nor started, by priority: the highest first. Any thread may put and take."""

    __slots__ = ("_heap", "_lock", "common", "levels")

    def __init__(self) -> None:
        self.common: deque[Future] = deque()  # priority 0
        self.levels: dict[int, deque[Future]] = {}  # the others
        self._heap: list[int] = []  # their priorities, negated
        self._lock = threading.RLock()  # of the levels: one that is found empty must not be filled while it is removed

    def put(self, future: Future, priority: int) -> None:
        """Append a Future at the young end of its level."""
        if not priority:
            self.common.append(future)
            return
        with self._lock:
            self._level(priority).append(future)

    def put_back(self, future: Future, priority: int) -> None:
        """Put a Future that was taken back at the old end."""
        if not priority:
            self.common.appendleft(future)
            return
        with self._lock:
            self._level(priority).appendleft(future)

    def _level(self, priority: int) -> deque[Future]:
        level = self.levels.get(priority)
        if level is None:
            level = self.levels[priority] = deque()
            heapq.heappush(self._heap, -priority)
        return level

    def highest(self) -> tuple[int, deque[Future]]:
        """Return the highest priority that has Futures, and its level to take from; 0 and an empty one without any."""
        if self.levels:
            with self._lock:
                while self._heap:
                    priority = -self._heap[0]
                    if priority < 0 and self.common:
                        break
                    level = self.levels[priority]
                    if level:
                        return priority, level
                    heapq.heappop(self._heap)
                    del self.levels[priority]
        return 0, self.common

    def youngest(self) -> Iterator[Future]:
        """Yield what was in when this began, the youngest of the highest priority first; nothing is taken out."""
        return iter([future for _, level in reversed(self._by_priority()) for future in level.copy()][::-1])

    def _by_priority(self) -> list[tuple[int, deque[Future]]]:
        with self._lock:
            return sorted([*self.levels.items(), (0, self.common)], reverse=True, key=lambda level: level[0])

    def __len__(self) -> int:
        count = len(self.common)
        return count + sum(map(len, list(self.levels.values()))) if self._heap else count

    def __bool__(self) -> bool:
        return bool(self.common) or (bool(self._heap) and len(self) > 0)

    def __iter__(self) -> Iterator[Future]:
        """All that are in now, in the order in which they would be given."""
        return iter([future for _, level in self._by_priority() for future in level.copy()])

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self.common.clear()
            self.levels.clear()
            self._heap.clear()
