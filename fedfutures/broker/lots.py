"""The entries of the Broker's books: what came with one Batch, what of it waits, and what of it peers hold."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from ..federation.terms import Terms
from ..lazy_dataclass import dataclass

SHARD = 1 << 48
"""Adopted pieces that share their number with others have keys that differ by multiples of this."""


Source = tuple[str, int]
"""(peer, piece): whom results go back to, and under which number."""


class Intake:
    """A Batch that a peer gave, until all its Futures have resolved."""

    __slots__ = ("giver", "left", "lots", "number", "pieces", "terms")

    def __init__(self, giver: str, number: int, terms: Terms, left: int) -> None:
        self.giver, self.number = giver, number  # whom the results go back to, and under which number
        self.terms = terms
        self.left = left  # how many Futures have not resolved
        self.lots: set[Lot] = set()
        self.pieces: dict[tuple[str, int], Piece] = {}  # by holder and key

    def __repr__(self) -> str:
        return f"Intake({self.giver!r}, {self.number}, left={self.left})"

    @property
    def source(self) -> Source:
        """Name the Batch: (giver, number)."""
        return self.giver, self.number

    def leave(self, count: int) -> bool:
        """So many of its Futures have resolved or gone elsewhere; return whether no others are left."""
        self.left -= count
        return not self.left

    def sorted_lots(self) -> list[Lot]:
        """Return what waits of it: first what is in the queue, in its order."""
        return sorted(self.lots, key=lambda lot: (lot.key is not None, lot.order))

    def sorted_pieces(self) -> list[Piece]:
        """Return what peers hold of it."""
        return [self.pieces[key] for key in sorted(self.pieces)]

    def payloads(self) -> dict[int, bytes]:
        """Return the payloads of the Futures that have not resolved."""
        found = {i: payload for lot in self.lots for i, payload in zip(lot.ids, lot.payloads)}
        for piece in self.pieces.values():
            found.update(piece.pending)
        return found

    def ids(self) -> list[int]:
        """Return the Futures that have not resolved."""
        ids = [i for lot in self.sorted_lots() for i in lot.ids]
        for piece in self.sorted_pieces():
            ids += piece.pending
        return ids


@dataclass(slots=True, eq=False)
class Lot:
    """Futures of an intake that wait: in the queue, or, where there is a `key`, parked under it."""

    intake: Intake
    terms: Terms
    ids: list[int]
    payloads: list[bytes]
    key: Hashable = None
    together: int = 0  # at most so many to one Worker; 0: no limit. Returned Futures are spread
    order: int = 0  # its place among those that wait

    def line_up(self, order: int) -> None:
        """Wait at this place of the queue, or among the parked lots."""
        self.order = order

    def move_to(self, key: Hashable) -> None:
        """Wait under this key; None: in the queue."""
        self.key = key

    def cut(self, count: int) -> tuple[list[int], list[bytes]]:
        """Take the first `count` Futures out."""
        ids, payloads = self.ids, self.payloads
        if count >= len(ids):
            self.ids, self.payloads = [], []
        else:
            ids, payloads = ids[:count], payloads[:count]
            del self.ids[:count], self.payloads[:count]
        return ids, payloads

    def part(self, wanted: set[int]) -> tuple[list[int], list[bytes]]:
        """Take those of these Futures out that are in it."""
        taken = [(i, payload) for i, payload in zip(self.ids, self.payloads) if i in wanted]
        kept = [(i, payload) for i, payload in zip(self.ids, self.payloads) if i not in wanted]
        self.ids, self.payloads = [i for i, _ in kept], [payload for _, payload in kept]
        return [i for i, _ in taken], [payload for _, payload in taken]


@dataclass(slots=True, eq=False)
class Piece:
    """Futures that a peer holds, until their results have passed on."""

    intake: Intake | None  # None: the submitter is gone; results are dropped
    terms: Terms
    holder: str
    key: int
    pending: dict[int, bytes]  # payloads
    unwanted: frozenset[int] = frozenset()  # the submitter has asked for these back for good

    def lose_submitter(self) -> None:
        """The submitter is gone: nobody is to have the results."""
        self.intake = None

    def cancel(self, ids: list[int]) -> None:
        """The submitter does not want these Futures any more."""
        self.unwanted = self.unwanted.union(ids)

    def payloads(self) -> Iterable[bytes]:
        """Return the payloads of what is held."""
        return self.pending.values()

    @property
    def number(self) -> int:
        """What the holder calls it."""
        return self.key % SHARD
