"""What peers hold for a Broker that stood here before, until the submitters name it again.

A Worker or neighbour whose Broker was started again says which Futures it holds (``Holding``); their submitters give
the same Futures again, as the next attempt. Whichever comes first, the two are matched here by submitter and number:
the Batch's Futures become a piece of whoever holds them, and are given to nobody else. Outcomes that come before
their Batch are kept for it. What nobody has named after a minute is asked back for good.

The Futures of one Batch may be spread over several Holdings and those of one Holding over several Batches, so pieces
made here may share their number on the link; ``Peer.shards`` lists the keys under which the ledger has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages
from ..wire.messages import CANCELLED, VALUE
from .ledger import SHARD, Lot, Orphan, Peer

if TYPE_CHECKING:
    from .machine import BrokerMachine

KEEP_SECONDS = 60.0


class Orphans:
    """The unclaimed Futures of one Broker."""

    def __init__(self, broker: BrokerMachine) -> None:
        self._broker = broker
        self._outbox = broker.outbox
        self._where: dict[tuple[str, int], tuple[str, int]] = {}  # (submitter, id) -> (peer, piece number)

    def __len__(self) -> int:
        return len(self._where)

    def deadline(self) -> float | None:
        """When :meth:`expire` has something to do."""
        if not self._where:
            return None
        return min(orphan.until for peer in self._broker.peers.values() for orphan in peer.orphans.values())

    def enter(self, peer: Peer, holding: messages.Holding, now: float) -> None:
        """A peer says what it holds."""
        broker = self._broker
        peer.pieces = max(peer.pieces, holding.piece)
        peer.idle = 0
        ids = {i for i in holding.ids if (holding.submitter, i) not in self._where}
        if not ids or holding.piece in peer.orphans or holding.piece in peer.held:
            return
        peer.orphans[holding.piece] = Orphan(
            holding.submitter, holding.function, holding.attempt, holding.crashes, ids, now + KEEP_SECONDS
        )
        for i in sorted(ids):
            self._where[holding.submitter, i] = (peer.name, holding.piece)
        for lot in broker.lots():
            if lot.submitter == holding.submitter and not ids.isdisjoint(lot.ids):
                found = broker.withdraw(lot, ids)
                self._adopt(found, peer, holding.piece, now)

    def claim(self, lot: Lot, now: float) -> Lot:
        """Match a lot that has just come with what peers hold; return what is left of it to be given out."""
        homes: dict[tuple[str, int], set[int]] = {}
        for i in lot.ids:
            home = self._where.get((lot.submitter, i))
            if home is not None:
                homes.setdefault(home, set()).add(i)
        for (name, number), ids in homes.items():
            self._adopt(lot.part(ids), self._broker.peers[name], number, now)
        return lot

    def _adopt(self, lot: Lot, peer: Peer, number: int, now: float) -> None:
        """The Futures of `lot` are with `peer` under `number`; those that have outcomes are resolved."""
        orphan = peer.orphans[number]
        lot.crashes = max(lot.crashes, orphan.crashes)
        orphan.ids.difference_update(lot.ids)
        for i in lot.ids:
            del self._where[lot.submitter, i]
        done = {i: orphan.outcomes.pop(i) for i in lot.ids if i in orphan.outcomes}
        if not orphan.ids:
            del peer.orphans[number]
        if done:
            resolved = lot.part(set(done))
            ids = resolved.ids
            odd = [(i, done[i][1]) for i in ids if done[i][1] != VALUE]
            self._broker.resolve(resolved.giver, ids, [done[i][0] for i in ids], odd, now)
        if lot.ids:
            key = number
            if key in peer.held or number in peer.shards:
                key = self._shard(peer, number)
            peer.hold(key, lot)
            self._broker.intakes[lot.giver].outs.add((peer.name, key))

    def _shard(self, peer: Peer, number: int) -> int:
        keys = peer.shards.setdefault(number, [])
        keys.append(number + SHARD * (len(keys) + 1))
        return keys[-1]

    def results(self, peer: Peer, results: messages.Results) -> None:
        """Keep outcomes for a submitter that has not named their Futures yet."""
        orphan = peer.orphans.get(results.piece)
        if orphan is not None:
            odd = dict(results.odd)
            for i, outcome in zip(results.ids, results.outcomes):
                if i in orphan.ids and odd.get(i) != CANCELLED:
                    orphan.outcomes[i] = outcome, odd.get(i, VALUE)
            self.forget(peer, results.piece, [i for i, kind in results.odd if kind == CANCELLED])

    def forget(self, peer: Peer, number: int, ids: list[int]) -> None:
        """These are not with the peer any more."""
        orphan = peer.orphans.get(number)
        if orphan is not None:
            for i in ids:
                if i in orphan.ids and i not in orphan.outcomes:
                    orphan.ids.discard(i)
                    self._where.pop((orphan.submitter, i), None)
            if not orphan.ids:
                del peer.orphans[number]

    def peer_gone(self, peer: Peer) -> None:
        """A peer is lost, and what it held with it."""
        for number, orphan in list(peer.orphans.items()):
            orphan.outcomes.clear()
            self.forget(peer, number, list(orphan.ids))

    def expire(self, now: float) -> None:
        """Ask back for good what nobody has named."""
        for peer in self._broker.peers.values():
            for number, orphan in list(peer.orphans.items()):
                if now >= orphan.until:
                    ids = sorted(orphan.ids)
                    self._outbox.send(peer, messages.Cancel(number, ids), now)
                    orphan.outcomes.clear()
                    self.forget(peer, number, ids)

    def check(self) -> None:
        """Assert that the index is what the peers' books say."""
        there = {
            (orphan.submitter, i): (peer.name, number)
            for peer in self._broker.peers.values()
            for number, orphan in peer.orphans.items()
            for i in orphan.ids
        }
        assert there == self._where, "the index of orphans is off"
