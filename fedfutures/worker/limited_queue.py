"""Own Futures of a Worker that have a time limit: they run in other Workers, and are given away at once."""

from __future__ import annotations

import math
from typing import Any

from .future import Future
from .local_queue import LocalQueue


class LimitedQueue(LocalQueue):
    """Those that were not given yet. It remembers which are not done."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        super().__init__()
        self._open: list[Future[Any]] = []

    def put(self, future: Future[Any], priority: int) -> None:
        """Append a new Future."""
        self._open.append(future)
        super().put(future, priority)

    def is_open(self) -> bool:
        """Whether any of all that were put in is not done."""
        if self._open:
            self._open = [future for future in self._open if not future.done()]
        return bool(self._open)


def milliseconds(seconds: float | None) -> int:
    """Return a time limit as messages have it.

    >>> milliseconds(None), milliseconds(1.5), milliseconds(1e-9)
    (0, 1500, 1)
    """
    return 0 if seconds is None else max(1, math.ceil(1000 * seconds))
