"""The Broker's books: which Futures came from whom, wait here, or are with whom.

Every unresolved Future that the Broker knows of is in exactly one place: in a :class:`Lot` of the queue (or of those
that wait for a function's definition), or in the ``pending`` of one :class:`Piece` that a peer holds. Futures that a
silent neighbour was lent are in the queue or with somebody again, and *doubtful* with it; those that a peer holds for
a Broker that stood here before are *orphans* until their submitters name them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ..federation.channel import Channel
from ..federation.link import Link
from ..federation.sessions import RESULTS_REMEMBERED
from ..lazy_dataclass import dataclass, field
from ..wire.messages import Batch, Results

Source = tuple[str, int]
"""(peer, piece): whom the results go back to, and under which number."""

SHARD = 1 << 48
"""Adopted orphans that share their piece's number with others have keys that differ by multiples of this."""


@dataclass(slots=True)
class Work:
    """What Futures that travel together have in common."""

    source: Source | None  # None: the submitter is gone, or cancelled them; results are dropped
    submitter: str
    function: bytes
    attempt: int
    crashes: int
    root: str
    priority: int
    barred: tuple[str, ...]  # neighbours that have given them back


@dataclass(slots=True)
class Lot(Work):
    """Futures that wait to be given out."""

    ids: list[int]
    payloads: list[bytes]
    order: int = 0  # its place in the queue
    together: int = 0  # at most so many to one Worker; 0: no limit. Returned Futures are spread, suspects go alone

    @property
    def giver(self) -> Source:
        """The source, which every lot has."""
        assert self.source is not None
        return self.source

    def with_futures(self, ids: list[int], payloads: list[bytes]) -> Lot:
        """Return a lot of the same kind."""
        return Lot(
            self.source, self.submitter, self.function, self.attempt, self.crashes, self.root, self.priority,
            self.barred, ids, payloads, 0, self.together,
        )  # fmt: skip

    def cut(self, count: int) -> Lot:
        """Take the first `count` Futures out, as a Lot of their own."""
        head = self.with_futures(self.ids[:count], self.payloads[:count])
        del self.ids[:count], self.payloads[:count]
        return head

    def part(self, wanted: set[int]) -> Lot:
        """Take these Futures out, as a Lot of their own."""
        taken = [(i, payload) for i, payload in zip(self.ids, self.payloads) if i in wanted]
        kept = [(i, payload) for i, payload in zip(self.ids, self.payloads) if i not in wanted]
        self.ids, self.payloads = [i for i, _ in kept], [payload for _, payload in kept]
        return self.with_futures([i for i, _ in taken], [payload for _, payload in taken])


@dataclass(slots=True)
class Piece(Work):
    """Futures that a peer holds: its ledger entry, kept until their results have passed on."""

    pending: dict[int, bytes]
    unwanted: set[int] = field(default_factory=set)  # the submitter has asked for these back for good

    def lot(self, ids: list[int], payloads: list[bytes], *, lost: bool = False, crashed: bool = False) -> Lot:
        """Make a Lot of Futures taken from this piece, to be given out again."""
        return Lot(
            self.source, self.submitter, self.function, self.attempt + lost, self.crashes + crashed, self.root,
            self.priority, () if lost else self.barred, ids, payloads,
        )  # fmt: skip


@dataclass(slots=True)
class Intake:
    """What is left of a Batch that a peer gave us, and which pieces given on stem from it."""

    left: int
    submitter: str
    function: bytes
    attempt: int
    crashes: int
    outs: set[Source] = field(default_factory=set)


@dataclass(slots=True)
class Orphan:
    """Futures that a peer holds for an earlier Broker, and outcomes that have come for some of them."""

    submitter: str
    function: bytes
    attempt: int
    crashes: int
    ids: set[int]
    until: float
    outcomes: dict[int, tuple[bytes, int]] = field(default_factory=dict)  # id -> (outcome, kind)


@dataclass(slots=True, eq=False)
class Peer:
    """A node on a link of this Broker."""

    name: str
    role: str
    boot: int
    pid: int
    session: int
    channel: Channel
    link: Link | None = None  # of neighbours
    knows: set[bytes] = field(default_factory=set)  # functions sent to it
    wants: set[bytes] = field(default_factory=set)  # functions it has asked for that are not here
    held: dict[int, Piece] = field(default_factory=dict)  # pieces given to it
    shards: dict[int, list[int]] = field(default_factory=dict)  # piece number -> keys in `held` beside the number
    doubtful: dict[int, list[tuple[Source, set[int]]]] = field(default_factory=dict)  # taken back while it was silent
    orphans: dict[int, Orphan] = field(default_factory=dict)
    finished: deque[tuple[int, Intake]] = field(default_factory=lambda: deque(maxlen=RESULTS_REMEMBERED))
    pieces: int = 0  # the last piece number given to it
    pending: int = 0  # how many Futures it holds
    idle: int = 0  # Workers at or behind it that have nothing to run
    workers: int = 1  # Workers at or behind it
    far: bool = False  # it is a neighbour on another host, which has segments of its own
    spent: bool = True  # its Demand is used up until it speaks again
    asked: int = 0  # the Demand last sent to it, less what came since
    collected: dict[int, Results] = field(default_factory=dict)  # for a neighbour, not sent yet
    flush_at: float = 0.0  # when it is to be sent, or was
    told_idle: int = 0  # the idle Workers last told to it, less what came since
    told_workers: int = 0
    told_at: float = float("-inf")
    backlog: int = 0  # Futures that it still kept when it gave last
    spare: int = 0  # what a neighbour's State says
    state: tuple[int, int] = (0, 0)  # (boot, number) of that State
    published: tuple[int, int] = (0, 0)  # (spare, size) in the last State to it
    published_at: float = float("-inf")

    @property
    def silent(self) -> bool:
        """Whether it is a neighbour of which nothing is heard."""
        return self.link is not None and self.link.silent

    @property
    def room(self) -> int:
        """How many Futures it can still use."""
        if self.spent:
            return 0
        room = self.channel.room
        return 0 if room <= 0 or (self.link is not None and self.link.silent) else room

    def take(self, piece: Piece, ids: Iterable[int]) -> tuple[list[int], list[bytes]]:
        """Remove those of `ids` that are pending in a piece it holds; return them with their payloads."""
        pending = piece.pending
        kept = [(number, pending.pop(number)) for number in ids if number in pending]
        self.pending -= len(kept)
        return [number for number, _ in kept], [payload for _, payload in kept]

    def hold(self, key: int, lot: Lot) -> Piece:
        """Enter a Lot into the ledger as a piece that this peer holds."""
        piece = self.held[key] = Piece(
            lot.source, lot.submitter, lot.function, lot.attempt, lot.crashes, lot.root, lot.priority, lot.barred,
            dict(zip(lot.ids, lot.payloads)),
        )  # fmt: skip
        self.pending += len(lot.ids)
        return piece

    def give(self, lot: Lot, backlog: int, spent: bool) -> Batch:
        """Hold a Lot under the next number and return the Batch that says so."""
        self.pieces += 1
        self.spent = spent
        self.idle = max(0, self.idle - len(lot.ids))
        self.told_idle = 0  # a neighbour takes this as a sign that nobody is idle here
        self.hold(self.pieces, lot)
        return Batch(
            self.pieces, lot.submitter, lot.function, lot.attempt, lot.crashes, backlog, spent, lot.ids, lot.payloads,
            lot.root, lot.priority,
        )  # fmt: skip

    def keys(self, number: int, ids: list[int]) -> list[tuple[int, list[int]]]:
        """Which entries of the ledger a message about a piece speaks of, and which Futures of each."""
        if number not in self.shards:
            return [(number, ids)] if number in self.held else []
        found = []
        for key in (number, *self.shards[number]):
            piece = self.held.get(key)
            if piece is not None and (here := [i for i in ids if i in piece.pending]):
                found.append((key, here))
        return found


def only(results: Results, wanted: set[int], *, measured: bool = True) -> Results:
    """Return the results of some of the Futures; `measured`: with the time that all have taken."""
    kept = [(i, outcome) for i, outcome in zip(results.ids, results.outcomes) if i in wanted]
    return Results(
        results.piece, results.attempt, [i for i, _ in kept], [outcome for _, outcome in kept],
        [pair for pair in results.odd if pair[0] in wanted],
        results.seconds if measured else 0.0, results.count if measured else 0,
    )  # fmt: skip
