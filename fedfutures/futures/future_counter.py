"""Counts how many of some Futures are done, for ``as_completed`` and ``wait`` with ``progress=True``."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterable
from typing import Any

from ..worker.future_fields import digest_of, failure_of, home_of
from ..worker.unasked import bystanders
from .counted import Counted


class CountedFunction:
    """Futures of one function; they tell when they are done."""

    __slots__ = ("digest", "done", "failed", "home", "left", "retries")

    def __init__(self, home: Any, digest: bytes | None) -> None:
        self.home, self.digest = home, digest
        self.left = self.done = self.failed = self.retries = 0

    def add(self, future: concurrent.futures.Future[Any]) -> None:
        """Count one more."""
        self.left += 1
        future.add_done_callback(self.arrived)

    def arrived(self, future: Any) -> None:
        """It is done."""
        self.left -= 1
        self.done += 1
        if not future.cancelled():
            self.failed += failure_of(future) is not None
            self.retries += (getattr(future, "attempts", None) or 1) - 1

    def seconds_left(self) -> float | None:
        """How many seconds of Workers' time the others take, where that was measured."""
        mean = None if self.home is None or not self.digest else self.home.machine.durations.of(self.digest)
        return None if mean is None else self.left * mean


bystanders.add(CountedFunction.arrived)


class FutureCounter:
    """Counts these Futures: calling it says how far they are. For any thread."""

    def __init__(self, futures: Iterable[concurrent.futures.Future[Any]]) -> None:
        self._functions: dict[tuple[Any, bytes | None], CountedFunction] = {}
        self.total = 0
        for future in futures:
            key = home_of(future), digest_of(future)
            if key not in self._functions:
                self._functions[key] = CountedFunction(*key)
            self._functions[key].add(future)
            self.total += 1

    def __call__(self) -> Counted:
        """Return how many are done, and what one of the others takes on average."""
        functions = list(self._functions.values())
        seconds, left = [found.seconds_left() for found in functions], sum(found.left for found in functions)
        measured = [one for one in seconds if one is not None]
        mean = sum(measured) / left if left and len(measured) == len(seconds) else None
        done, failed, retries = (
            sum(getattr(found, name) for found in functions) for name in ("done", "failed", "retries")
        )  # fmt: skip
        return Counted(done, failed, retries, mean)

    def workers(self) -> int:
        """How many Workers may run them."""
        return max((found.home.size for found in self._functions.values() if found.home is not None), default=0)
