"""What peers hold for a Broker that stood here before, until the submitters name it again.

A Worker or neighbour whose Broker was started again says which Futures it holds (``Holding``); their submitters give
the same Futures again, as the next attempt. Whichever comes first, the two are matched here by submitter and number:
the Batch's Futures become a piece of whoever holds them, and are given to nobody else. Outcomes that come before
their Batch are kept for it. What nobody has named after a minute is asked back for good.

The Futures of one Batch may be spread over several Holdings and those of one Holding over several Batches, so pieces
made here may share their number on the link; ``Account.shards`` lists the keys under which the ledger has them.
"""

from __future__ import annotations

from ..lazy_dataclass import dataclass, field
from ..wire.messages import CANCELLED, VALUE, Cancel, Holding, Results
from .delivery import Delivery
from .ledger import Ledger
from .lots import Lot
from .outbox import Outbox
from .peers import Peers

KEEP_SECONDS = 60.0


@dataclass(slots=True)
class Orphan:
    """Futures that a peer holds for an earlier Broker, and outcomes that have come for some of them."""

    submitter: str
    crashes: int
    ids: set[int]
    until: float
    outcomes: dict[int, tuple[bytes, int]] = field(default_factory=dict)  # id -> (outcome, kind)


class Adoption:
    """The unclaimed Futures of one Broker; `len` counts them."""

    def __init__(self, peers: Peers, ledger: Ledger, delivery: Delivery, outbox: Outbox) -> None:
        self._peers, self._ledger, self._delivery, self._outbox = peers, ledger, delivery, outbox
        self.orphans: dict[str, dict[int, Orphan]] = {}  # by peer and piece number
        self._where: dict[tuple[str, int], tuple[str, int]] = {}  # (submitter, id) -> (peer, piece number)

    def __len__(self) -> int:
        return len(self._where)

    def deadline(self) -> float | None:
        """When :meth:`expire` has something to do."""
        return min((each.until for held in self.orphans.values() for each in held.values()), default=None)

    def on_holding(self, name: str, holding: Holding, now: float) -> None:
        """A peer says what it holds."""
        account = self._ledger.note_number(name, holding.piece)
        ids = {i for i in holding.ids if (holding.submitter, i) not in self._where}
        held = self.orphans.get(name, {})
        if not ids or holding.piece in held or holding.piece in account.held:
            return
        self.orphans[name] = held
        held[holding.piece] = Orphan(holding.submitter, holding.crashes, ids, now + KEEP_SECONDS)
        for i in sorted(ids):
            self._where[holding.submitter, i] = (name, holding.piece)
        for lot in self._ledger.lots():
            if lot.terms.submitter == holding.submitter and not ids.isdisjoint(lot.ids):
                self._adopt(lot, ids.intersection(lot.ids), name, holding.piece, now)

    def claim(self, lot: Lot, now: float) -> None:
        """Match a lot that has just come with what peers hold; the rest of it is to be given out."""
        homes: dict[tuple[str, int], set[int]] = {}
        for i in lot.ids:
            home = self._where.get((lot.terms.submitter, i))
            if home is not None:
                homes.setdefault(home, set()).add(i)
        for (name, number), ids in homes.items():
            self._adopt(lot, ids, name, number, now)

    def _adopt(self, lot: Lot, ids: set[int], name: str, number: int, now: float) -> None:
        """These Futures of `lot` are with a peer under `number`; those that have outcomes are resolved."""
        orphan = self.orphans[name][number]
        orphan.ids.difference_update(ids)
        for i in ids:
            del self._where[lot.terms.submitter, i]
        done = {i: orphan.outcomes.pop(i) for i in lot.ids if i in ids and i in orphan.outcomes}
        if not orphan.ids:
            self._remove(name, number)
        if done:
            settled = self._ledger.settle_waiting(lot, set(done))
            odd = [(i, done[i][1]) for i in settled if done[i][1] != VALUE]
            self._delivery.deliver(lot.intake, settled, [done[i][0] for i in settled], odd, now)
        if left := ids.difference(done):
            self._ledger.adopt(lot, left, name, number, orphan.crashes)

    def on_results(self, name: str, results: Results) -> None:
        """Keep outcomes for a submitter that has not named their Futures yet."""
        orphan = self.orphans.get(name, {}).get(results.piece)
        if orphan is not None:
            odd = dict(results.odd)
            for i, outcome in zip(results.ids, results.outcomes):
                if i in orphan.ids and odd.get(i) != CANCELLED:
                    orphan.outcomes[i] = outcome, odd.get(i, VALUE)
            self.forget(name, results.piece, [i for i, kind in results.odd if kind == CANCELLED])

    def forget(self, name: str, number: int, ids: list[int]) -> None:
        """These are not with the peer any more."""
        orphan = self.orphans.get(name, {}).get(number)
        if orphan is not None:
            for i in ids:
                if i in orphan.ids and i not in orphan.outcomes:
                    orphan.ids.discard(i)
                    self._where.pop((orphan.submitter, i), None)
            if not orphan.ids:
                self._remove(name, number)

    def _remove(self, name: str, number: int) -> None:
        del self.orphans[name][number]
        if not self.orphans[name]:
            del self.orphans[name]

    def on_peer_lost(self, name: str) -> None:
        """A peer is lost, and what it held with it."""
        for number, orphan in list(self.orphans.get(name, {}).items()):
            orphan.outcomes.clear()
            self.forget(name, number, list(orphan.ids))

    def expire(self, now: float) -> None:
        """Ask back for good what nobody has named."""
        for peer in self._peers.values():
            for number, orphan in list(self.orphans.get(peer.name, {}).items()):
                if now >= orphan.until:
                    ids = sorted(orphan.ids)
                    self._outbox.send(peer, Cancel(number, ids), now)
                    orphan.outcomes.clear()
                    self.forget(peer.name, number, ids)

    def check(self) -> None:
        """Assert that the index is what the peers' books say."""
        there = {
            (orphan.submitter, i): (name, number)
            for name, held in self.orphans.items()
            for number, orphan in held.items()
            for i in orphan.ids
        }
        assert there == self._where, "the index of orphans is off"
