"""When a Broker asks its host process for a stand-in (:mod:`..supervision.stand_ins`). Pure.

As many Workers as the host has may run Futures at once, so there is at most one stand-in for each Worker in which
Futures wait.
"""

from __future__ import annotations

ASKED_SECONDS = 1.0
"""A stand-in that has not come by then did not start."""


class StandInRequests:
    """What one Broker has asked for that has not come."""

    def __init__(self) -> None:
        self._asked: list[float] = []  # when
        self._known = 0  # how many stand-ins there were the last time

    def deadline(self) -> float | None:
        """When one has not come in time."""
        return self._asked[0] + ASKED_SECONDS if self._asked else None

    def expire(self, now: float) -> None:
        """Those that have not come in time did not start."""
        if self._asked and now >= self._asked[0] + ASKED_SECONDS:
            self._asked = [at for at in self._asked if now < at + ASKED_SECONDS]

    def wanted(self, waiting: int, free: int, used: int, futures: int, now: float) -> int:
        """Return how many to ask for now.

        waiting
            Workers in which Futures wait, stand-ins among them.
        free, used
            Stand-ins in which none waits, and those in which one does.
        futures
            How many Futures with a time limit wait for a Worker.
        """
        came, self._known = max(0, free + used - self._known), free + used
        self._asked = self._asked[came:]
        self.expire(now)
        count = max(0, min(waiting - free, futures) - len(self._asked))
        self._asked += [now] * count
        return count
