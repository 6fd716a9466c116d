"""Which Futures would not be done by the end of the walltime. Pure.

A function is expected to take its mean duration. As soon as the time that is left is shorter, none of its Futures is
given any more, and those that were given and have not started are taken back. What was never measured is given to the
last: it may be done in time.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..federation.schedule import Durations

SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 1.0
"""Between two looks at what is late: near the end they come more often."""
IDLE_SECONDS = 1.0
"""Where nothing runs and all that waits is late for so long, the end has come early."""


class Deadline:
    """When all Futures are to be done, and which will not be."""

    __slots__ = ("_durations", "_idle_since", "at")

    def __init__(self, at: float, durations: Durations) -> None:
        self.at = at
        self._durations = durations
        self._idle_since: float | None = None

    def is_late(self, function: bytes, now: float) -> bool:
        """Whether a Future of this function that started now would not be done in time."""
        return now + (self._durations.of(function) or 0.0) > self.at

    def late_among(self, pieces: Iterable[tuple[bytes, set[int]]], now: float) -> list[int]:
        """Return the Futures that were given, in pieces of one function each, and would be late if they started now."""
        return sorted(number for function, ids in pieces if self.is_late(function, now) for number in ids)

    def is_over(self, now: float, *, idle: bool) -> bool:
        """Whether nothing will be done any more. `idle`: nothing runs, and all that waits is late."""
        if not idle:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        return now >= self.at or (self._idle_since is not None and now >= self._idle_since + IDLE_SECONDS)

    def pause(self, now: float) -> float:
        """Return after how many seconds to look again."""
        left = max(0.0, self.at - now)
        return min(left, max(SHORTEST_PAUSE_SECONDS, min(LONGEST_PAUSE_SECONDS, left / 20)))
