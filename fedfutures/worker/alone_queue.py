"""Own Futures of a Worker that have a Worker to themselves, another one: they are given away at once."""

from __future__ import annotations

from typing import Any

from .future import Future
from .local_queue import LocalQueue


class AloneQueue(LocalQueue):
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
