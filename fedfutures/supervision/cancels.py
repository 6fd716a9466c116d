"""Workers that are ended because a Future that they run was cancelled. Pure.

A Broker says which Futures. Whether one of them still runs, the Worker's crash cells tell; of one that waits in the
middle, which no cell names, the Worker has told the Broker. Nothing of the Worker is needed, which may hold the GIL.
"""

from __future__ import annotations

from ..wire.control import EndWorker
from .overruns import AloneFuture

HOW_CANCELLED = "ended, as a Future that it ran was cancelled"


def victim(wanted: EndWorker, running: tuple[int, int] | None, alone: AloneFuture | None) -> int | None:
    """Return for which of these Futures to end the Worker now; None: it is not to be ended.

    A Future that has the Worker to itself is ended for another only if that runs, while the first waits: it runs again
    elsewhere. Else the other one must be over.
    """
    if running is not None and running[0] == wanted.piece and running[1] in wanted.futures:
        return running[1]
    if alone is not None:
        return alone.number if alone.piece == wanted.piece and alone.number in wanted.futures else None
    return wanted.futures[0] if wanted.begun and wanted.futures else None


class Cancels:
    """The Workers of one host that were killed for this and have not ended, by slot."""

    def __init__(self) -> None:
        self._killed: dict[int, tuple[int, int]] = {}

    def kill(self, slot: int, piece: int, number: int) -> bool:
        """A Worker is to be killed for this Future; return whether that is news."""
        is_new = slot not in self._killed
        self._killed.setdefault(slot, (piece, number))
        return is_new

    def end(self, slot: int) -> tuple[int, int] | None:
        """A Worker has ended; return for which Future it was killed, as (piece, id)."""
        return self._killed.pop(slot, None)
