"""A run of its own whose Workers come when they are wanted and go when they are not. Pure.

It stands where a joined run has its line to the host server, and says what that would say.
"""

from __future__ import annotations

from ..wire.control import ControlFrame, ResizeHost

IDLE_SECONDS = 5.0
"""So long fewer Workers have to do before some of them leave."""


class ElasticWorkers:
    """From `least` to `most` Workers of one host; `least` are there at the beginning."""

    __slots__ = ("_highest", "_least", "_lower_at", "_most", "workers")

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most
        self.workers = least
        self._lower_at: float | None = None  # when there will be fewer
        self._highest = least  # of what was wanted while that was less than there are

    def report(self, wanted: int, workers: int, now: float) -> list[ControlFrame]:
        """The Brokers could use so many Workers; return what the host process is told, if that is news."""
        target = max(self._least, min(self._most, wanted))
        before = self.workers
        if target >= self.workers:
            self.workers, self._lower_at = target, None
        elif self._lower_at is None:
            self._lower_at, self._highest = now + IDLE_SECONDS, target
        else:
            self._highest = max(self._highest, target)
            if now >= self._lower_at:
                self.workers, self._lower_at = self._highest, None
        return [ResizeHost(self.workers)] if self.workers != before else []

    def next_deadline(self) -> float | None:
        """Return when to call :meth:`report` if nothing happens."""
        return self._lower_at

    def serve(self, descriptor: int, events: int, now: float) -> None:
        """There is no descriptor."""

    def let_go(self) -> None:
        """There is nothing to let go of."""
