"""What Futures that travel together have in common."""

from __future__ import annotations

from typing import NamedTuple

from ..wire.messages import ALONE_FLAG, APART_FLAG, BELOW_FLAG, CAPTURE_FLAG, MAX_COUNT, ONCE_FLAG, Batch


class Conditions(NamedTuple):
    """What a call is run under (``options()``), but for its priority: the fields of a Batch that say so."""

    limit: int = 0  # milliseconds that it may take; 0: any time
    flags: int = 0
    memory: int = 0  # bytes that it may use; 0: any number
    avoid: tuple[str, ...] = ()  # hosts that are not to run it, as long as there are others

    @property
    def is_alone(self) -> bool:
        """Whether it runs in a Worker in which no other Future waits: that one may be ended for it."""
        return bool(self.limit or self.memory or self.flags & (ALONE_FLAG | ONCE_FLAG))

    @property
    def is_once(self) -> bool:
        """Whether it starts once at most."""
        return bool(self.flags & ONCE_FLAG)

    @property
    def is_apart(self) -> bool:
        """Whether all that it submits has a Worker to itself."""
        return bool(self.flags & (APART_FLAG | BELOW_FLAG | ONCE_FLAG))

    @property
    def of_children(self) -> int:
        """The flags that all that it submits has beside its own, where this is apart."""
        return ALONE_FLAG | (self.flags & BELOW_FLAG)

    @property
    def is_captured(self) -> bool:
        """Whether what it prints is kept for its Future."""
        return bool(self.flags & CAPTURE_FLAG)

    def on_wire(self) -> tuple[int, int, int, list[str]]:
        """Return the last fields of a Batch."""
        return self.limit, self.flags, self.memory, list(self.avoid)

    def plus(self, flags: int) -> Conditions:
        """Return the same with these flags, too."""
        return self._replace(flags=self.flags | flags)


FREE = Conditions()
"""The conditions of most calls: none."""


class Terms(NamedTuple):
    """On what terms Futures run: made once for each Batch that arrives, and shared by all parts of it."""

    submitter: str
    function: bytes
    root: str  # the Origin that all of this goes back to
    priority: int
    attempt: int
    crashes: int  # so often they were running when their Worker died
    barred: tuple[str, ...] = ()  # neighbours that have given them back
    conditions: Conditions = FREE

    @property
    def is_alone(self) -> bool:
        """Whether each has a Worker to itself."""
        return self.conditions is not FREE and self.conditions.is_alone

    @property
    def is_once(self) -> bool:
        """Whether each starts once at most."""
        return self.conditions is not FREE and self.conditions.is_once

    @property
    def may_have_begun(self) -> bool:
        """Whether each starts once at most, and nobody knows that it has not started."""
        return self.attempt > 1 and self.is_once

    def not_begun(self) -> Terms:
        """Return the terms of Futures that come back from who had them, and has not started them."""
        return self._replace(attempt=1) if self.may_have_begun else self

    def after_loss(self) -> Terms:
        """Return the terms of the next attempt, since whoever had this one is gone."""
        return self._replace(attempt=min(self.attempt + 1, MAX_COUNT), barred=())

    def after_crash(self) -> Terms:
        """Return the terms of the next attempt of a Future that was running when its Worker died.

        It has a Worker to itself from then on: one that waited beside it would be lost each time, with no end.
        """
        crashes, conditions = min(self.crashes + 1, MAX_COUNT), self.conditions.plus(ALONE_FLAG)
        return self.after_loss()._replace(crashes=crashes, conditions=conditions)

    def after_crash_of_another(self) -> Terms:
        """Return the terms of the next attempt of a Future that was lost because another one crashed its Worker.

        It may have submitted that, so all that it submits has a Worker to itself next time. If that does not help, it
        was a Future further below.
        """
        flag = BELOW_FLAG if self.conditions.is_apart else APART_FLAG
        return self.after_loss()._replace(conditions=self.conditions.plus(flag))

    def after_return(self, neighbour: str, attempt: int, crashes: int, flags: int = 0) -> Terms:
        """Return the terms of Futures that a neighbour gives back, and what has become of them there."""
        return self.not_begun()._replace(
            attempt=1 if self.is_once else max(self.attempt, attempt),
            crashes=max(self.crashes, crashes),
            barred=(*self.barred, neighbour),
            conditions=self.conditions.plus(flags) if flags else self.conditions,
        )


def terms_of(batch: Batch) -> Terms:
    """Return the terms of a Batch that has just arrived; without a root it goes back to its submitter."""
    conditions = FREE
    if batch.limit or batch.flags or batch.memory or batch.avoid:
        conditions = Conditions(batch.limit, batch.flags, batch.memory, tuple(batch.avoid))
    root = batch.root or batch.submitter
    return Terms(
        batch.submitter, batch.function, root, batch.priority, batch.attempt, batch.crashes, conditions=conditions
    )  # fmt: skip
