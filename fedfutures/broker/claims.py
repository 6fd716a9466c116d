"""Which Futures a peer may say that it holds: ``Holding`` is believed only where a new session explains it.

Two things do. This Broker was started again and cannot know what the one before it has lent; or it remembers that it
lent these Futures to this peer in the session before. docs/security.rst, "What a neighbour may claim", says why.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..wire.messages import MAX_PIECE, Holding
from .lots import Piece

RECOVERY_SECONDS = 60.0
"""So long after it was started again a Broker believes what peers say in their first session with it."""
LAST_NUMBER = MAX_PIECE >> 1
"""No honest peer has held so many pieces; numbers that follow a greater one could soon not be sent any more."""


class Claims:
    """What the peers of one Broker may claim."""

    def __init__(self) -> None:
        self._recovery_ends = float("-inf")
        self._first: set[str] = set()  # peers in their first session with this Broker
        self._met: set[str] = set()  # neighbours that had one
        self._lent: dict[str, dict[tuple[int, str], set[int]]] = {}  # peer -> (piece, submitter) -> Futures

    def on_restart(self, now: float) -> None:
        """This Broker was started again."""
        self._recovery_ends = now + RECOVERY_SECONDS

    def is_recovering(self, now: float) -> bool:
        """Whether this Broker was started again a short time ago."""
        return now < self._recovery_ends

    def on_first_session(self, name: str) -> None:
        """A peer is new here, or was forgotten."""
        if name not in self._met:
            self._met.add(name)
            self._first.add(name)

    def on_new_session(self, name: str, lent: Iterable[Piece]) -> None:
        """A neighbour begins another session; `lent`: what it holds from the one before."""
        self._first.discard(name)
        known = self._lent[name] = {}
        for piece in lent:
            known.setdefault((piece.number, piece.terms.submitter), set()).update(piece.pending)

    def on_peer_gone(self, name: str, *, returns: bool) -> None:
        """A peer is gone; `returns`: it may come again under this name."""
        self._first.discard(name)
        self._lent.pop(name, None)
        if not returns:
            self._met.discard(name)

    def explained(self, name: str, holding: Holding, now: float) -> list[int]:
        """Return which Futures of a ``Holding`` are to be believed; each is believed once."""
        if holding.piece >= LAST_NUMBER:
            return []
        if name in self._first and self.is_recovering(now):
            return holding.ids
        lent = self._lent.get(name, {}).get((holding.piece, holding.submitter), set())
        believed = [i for i in holding.ids if i in lent]
        lent.difference_update(believed)
        return believed
