"""What Futures that travel together have in common."""

from __future__ import annotations

from typing import NamedTuple

from ..wire.messages import MAX_COUNT, Batch


class Terms(NamedTuple):
    """On what terms Futures run: made once for each Batch that arrives, and shared by all parts of it."""

    submitter: str
    function: bytes
    root: str  # the Origin that all of this goes back to
    priority: int
    attempt: int
    crashes: int  # so often they were running when their Worker died
    barred: tuple[str, ...] = ()  # neighbours that have given them back
    limit: int = 0  # milliseconds that each may take; 0: any time

    def after_loss(self) -> Terms:
        """Return the terms of the next attempt, since whoever had this one is gone."""
        return self._replace(attempt=min(self.attempt + 1, MAX_COUNT), barred=())

    def after_crash(self) -> Terms:
        """Return the terms of the next attempt of a Future that was running when its Worker died."""
        return self.after_loss()._replace(crashes=min(self.crashes + 1, MAX_COUNT))

    def after_return(self, neighbour: str, attempt: int, crashes: int) -> Terms:
        """Return the terms of Futures that a neighbour gives back, and what has become of them there."""
        return self._replace(
            attempt=max(self.attempt, attempt),
            crashes=max(self.crashes, crashes),
            barred=(*self.barred, neighbour),
        )


def terms_of(batch: Batch) -> Terms:
    """Return the terms of a Batch that has just arrived; without a root it goes back to its submitter."""
    root = batch.root or batch.submitter
    return Terms(
        batch.submitter, batch.function, root, batch.priority, batch.attempt, batch.crashes, limit=batch.limit
    )  # fmt: skip
