"""The Broker's books: which Futures came from whom, wait here, or are with whom.

Every unresolved Future that the Broker knows of is in exactly one place: in a :class:`Lot` of the queue (or of those
that wait for a function's definition), or in the ``pending`` of one :class:`Piece` that a peer holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..federation.channel import Channel
from ..wire.messages import Batch

Source = tuple[str, int]
"""(peer, piece): whom the results go back to, and under which number."""


@dataclass(slots=True)
class Lot:
    """Futures that wait to be given out."""

    source: Source
    submitter: str
    function: bytes
    attempt: int
    crashes: int
    ids: list[int]
    payloads: list[bytes]
    together: int = 0  # at most so many to one Worker; 0: no limit. Returned Futures are spread, suspects go alone

    def cut(self, count: int) -> Lot:
        """Take the first `count` Futures out, as a Lot of their own."""
        head = Lot(
            self.source,
            self.submitter,
            self.function,
            self.attempt,
            self.crashes,
            self.ids[:count],
            self.payloads[:count],
        )
        del self.ids[:count], self.payloads[:count]
        return head


@dataclass(slots=True)
class Piece:
    """Futures that a peer holds: its ledger entry, kept until their results have passed on."""

    source: Source | None  # None: the submitter is gone, or cancelled them; results are dropped
    submitter: str
    function: bytes
    attempt: int
    crashes: int
    pending: dict[int, bytes]
    unwanted: set[int] = field(default_factory=set)  # the submitter has asked for these back for good

    def take(self, ids: Iterable[int]) -> tuple[list[int], list[bytes]]:
        """Remove those of `ids` that are pending; return them with their payloads."""
        kept = [(number, self.pending.pop(number)) for number in ids if number in self.pending]
        return [number for number, _ in kept], [payload for _, payload in kept]

    def lot(self, ids: list[int], payloads: list[bytes], *, lost: bool = False, crashed: bool = False) -> Lot:
        """Make a Lot of Futures taken from this piece, to be given out again."""
        assert self.source is not None
        return Lot(
            self.source, self.submitter, self.function, self.attempt + lost, self.crashes + crashed, ids, payloads
        )


@dataclass(slots=True)
class Intake:
    """What is left of a Batch that a peer gave us, and which pieces given on stem from it."""

    left: int
    backlog: int
    outs: set[Source] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Peer:
    """A node on a link of this Broker."""

    name: str
    role: str
    boot: int
    pid: int
    channel: Channel = field(default_factory=Channel)
    knows: set[bytes] = field(default_factory=set)  # functions sent to it
    held: dict[int, Piece] = field(default_factory=dict)  # pieces given to it
    pieces: int = 0  # the last piece number given to it
    idle: bool = False
    spent: bool = True  # its Demand is used up until it speaks again
    asked: int = 0  # the Demand last sent to it, less what came since

    @property
    def room(self) -> int:
        """How many Futures it can still use."""
        return 0 if self.spent else max(0, self.channel.room)

    @property
    def pending(self) -> int:
        """How many Futures it holds."""
        return sum(len(piece.pending) for piece in self.held.values())

    def give(self, lot: Lot, backlog: int, spent: bool) -> Batch:
        """Enter a Lot into the ledger as a new piece and return the Batch that says so."""
        self.pieces += 1
        self.idle, self.spent = False, spent
        self.held[self.pieces] = Piece(
            lot.source,
            lot.submitter,
            lot.function,
            lot.attempt,
            lot.crashes,
            dict(zip(lot.ids, lot.payloads)),
        )
        return Batch(
            self.pieces, lot.submitter, lot.function, lot.attempt, lot.crashes, backlog, spent, lot.ids, lot.payloads
        )
