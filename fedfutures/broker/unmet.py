"""Unmet demand: own Workers hear that others are idle, and give what they keep for themselves.

It has to last for a moment before it is published, since most of it is over by then, and is repeated ever more rarely.
"""

from __future__ import annotations

from .states import TO_WORKERS, States

UNMET_AFTER_SECONDS = 0.001
UNMET_REPEAT_SECONDS = 0.05
UNMET_REPEAT_AT_MOST_SECONDS = 1.0


class UnmetDemand:
    """The unmet demand that one Broker knows of, and what its Workers were told."""

    def __init__(self, states: States) -> None:
        self._states = states
        self._told = 0
        self._unmet_wait = UNMET_REPEAT_SECONDS
        self.due: float | None = None  # when to publish it; None: there is none

    @property
    def lasts(self) -> bool:
        """Whether it was published already, and is still there."""
        return self.due is not None and self._unmet_wait > UNMET_REPEAT_SECONDS

    def look(self, unmet: int, queued: int, size: int, now: float, *, works: bool) -> None:
        """Take in how much there is; publish it when that is due, if own Workers have work."""
        if not unmet:
            self.due = None
            if self._told:
                self.tell(0, queued, size)
        elif self.due is None:
            self.due, self._unmet_wait = now + UNMET_AFTER_SECONDS, UNMET_REPEAT_SECONDS
        elif now >= self.due:
            if works:
                self.tell(unmet, queued, size)
            self.due = now + self._unmet_wait
            self._unmet_wait = min(2 * self._unmet_wait, UNMET_REPEAT_AT_MOST_SECONDS)

    def tell(self, unmet: int, queued: int, size: int) -> None:
        """Publish so much to own Workers."""
        self._told = unmet
        self._states.publish(TO_WORKERS, unmet, queued, size)

    def tell_again(self, queued: int, size: int) -> None:
        """Publish to own Workers what they were told last."""
        self.tell(self._told, queued, size)
