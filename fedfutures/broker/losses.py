"""Losses: what becomes of Futures whose holder, or whose submitter, is gone or silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages
from ..wire.messages import LOST, POISONED
from .events import LossReason
from .ledger import SHARD, Lot, Peer, Piece, Source, only

if TYPE_CHECKING:
    from .events import PeerLost
    from .machine import BrokerMachine

CRASH_LIMIT = 3


class Losses:
    """The losses of one Broker."""

    def __init__(self, broker: BrokerMachine) -> None:
        self._broker = broker
        self._outbox = broker.outbox

    def taken(self, peer: Peer, piece: Piece, wanted: list[int], now: float, *, lost: bool = False) -> Lot | None:
        """Take Futures of a piece from its holder; resolve those that the submitter has cancelled meanwhile."""
        ids, payloads = peer.take(piece, wanted)
        if not ids or piece.source is None:
            return None
        unwanted = [number for number in ids if number in piece.unwanted]
        if unwanted:
            kept = [(number, payload) for number, payload in zip(ids, payloads) if number not in piece.unwanted]
            ids, payloads = [number for number, _ in kept], [payload for _, payload in kept]
            self._broker.resolve_cancelled(piece.source, unwanted, now)
        return piece.lot(ids, payloads, lost=lost) if ids else None

    def _all_taken(self, peer: Peer, now: float) -> list[Lot]:
        """Take all that a peer holds, to be given out again: the piece given last comes first."""
        lots = []
        for key, piece in sorted(peer.held.items(), reverse=True):
            if piece.source is None:
                continue
            if piece.source in self._broker.intakes:
                self._broker.intakes[piece.source].outs.discard((peer.name, key))
            if piece.source[0] != peer.name:  # what it submitted itself goes with it
                lot = self.taken(peer, piece, list(piece.pending), now, lost=True)
                lots += [lot] if lot is not None else []
        return lots

    def clear_doubt(self, peer: Peer, number: int, ids: list[int]) -> None:
        """These are not with a neighbour any more that was silent."""
        for _, lent in peer.doubtful.get(number, ()):
            lent.difference_update(ids)
        if not any(lent for _, lent in peer.doubtful.get(number, ())):
            peer.doubtful.pop(number, None)

    def run_again(self, peer: Peer, results: messages.Results, now: float) -> None:
        """Give Futures out again whose outcomes cannot be had."""
        for key, ids in peer.keys(results.piece, results.ids):
            piece = peer.held[key]
            lot = self.taken(peer, piece, ids, now, lost=True)
            self._broker.close(peer, key, piece)
            if lot is not None:
                self._broker.put_back(lot)
        self._broker.orphans.forget(peer, results.piece, results.ids)
        self.clear_doubt(peer, results.piece, results.ids)

    def blame(self, peer: Peer, event: PeerLost, now: float) -> None:
        """Count a crash against the Future that was running; at the limit it is poisoned."""
        assert event.running is not None
        number, culprit = event.running
        for key, ids in peer.keys(number, [culprit]):
            piece = peer.held[key]
            if not ids or culprit not in piece.pending:
                continue
            self._broker.crashes += 1
            lot = piece.lot(*peer.take(piece, [culprit]), lost=True, crashed=True)
            self._broker.close(peer, key, piece)
            if lot.source is None:
                return
            if lot.crashes >= CRASH_LIMIT:
                report = (event.host, event.peer, event.status, lot.crashes, event.dump)
                self._fail(lot, POISONED, report, now)
            else:
                self._broker.enqueue(lot, first=True)
            return

    def remove(self, peer: Peer, now: float) -> None:
        """Forget a peer: what it held runs again, what it submitted is dropped."""
        del self._broker.peers[peer.name]
        self._broker.of_role(peer).remove(peer)
        if peer.role == "worker":
            self._broker.locked_in -= 1 - peer.workers
        for lot in self._all_taken(peer, now):
            self._broker.put_back(lot)
        self._broker.orphans.peer_gone(peer)
        self._drop_submissions(peer.name, now)
        self._broker.forget_downloads(peer, now)
        self._broker.inquiries.peer_gone(peer.name, now)

    def take_back_from_silent(self, peer: Peer, now: float) -> None:
        """Give out again what a neighbour holds of which nothing is heard; its results count if they are first."""
        for key, piece in sorted(peer.held.items(), reverse=True):
            if piece.source is not None:
                peer.doubtful.setdefault(key % SHARD, []).append((piece.source, set(piece.pending)))
        for lot in self._all_taken(peer, now):
            self._broker.put_back(lot)
        self._broker.orphans.peer_gone(peer)
        peer.held.clear()
        peer.shards.clear()
        peer.pending = peer.idle = peer.spare = peer.backlog = 0
        self._broker.inquiries.peer_gone(peer.name, now)

    def replace(self, old: Peer, new: Peer, now: float) -> list[Lot]:
        """Begin a new session with a neighbour; return what it was lent in the old one."""
        self._broker.peers[new.name] = new
        self._broker.neighbours[self._broker.neighbours.index(old)] = new
        lots = self._all_taken(old, now)[::-1]
        self._broker.orphans.peer_gone(old)
        self._broker.inquiries.peer_gone(old.name, now)
        return lots

    def give_again(self, peer: Peer, lot: Lot, now: float) -> None:
        """Give a neighbour what it was lent before, whatever its Demand: it, or its Workers, may still hold it."""
        if lot.function in self._broker.functions.definitions:
            self._broker.dispatch.give(peer, lot, spent=False, now=now)
        else:
            self._broker.functions.defer(lot, now)

    def _drop_submissions(self, name: str, now: float) -> None:
        for lot in self._broker.lots():
            if lot.giver[0] == name:
                self._broker.withdraw(lot, set(lot.ids))
        for source in [source for source in self._broker.intakes if source[0] == name]:
            self._broker.segment_cache.on_dropped(source)
            for holder, key in sorted(self._broker.intakes.pop(source).outs):
                piece = self._broker.peers[holder].held[key]
                piece.source = None
                self._outbox.send(self._broker.peers[holder], messages.Cancel(key % SHARD, list(piece.pending)), now)

    def is_hopeless(self) -> bool:
        """Whether nobody is there, or will come, who could run a Future."""
        if self._broker.gave_up is None or self._broker.workers:
            return False
        return not any(peer.workers for peer in self._broker.neighbours if not peer.silent)

    def fail_queued(self, reason: LossReason, now: float) -> None:
        """No Worker is left, and none will come."""
        while len(self._broker.queue):
            lot = self._broker.queue.head()
            self._broker.queue.remove(lot)
            self._fail(lot, LOST, reason, now)

    def _fail(self, lot: Lot, kind: int, report: Any, now: float) -> None:
        outcome = self._broker.pack(report)
        self._broker.resolve(lot.giver, lot.ids, [outcome] * len(lot.ids), [(i, kind) for i in lot.ids], now)

    def settle_late(self, source: Source, results: messages.Results, now: float) -> None:
        """Results of Futures that were taken back from a silent neighbour: they count unless others were first."""
        intake = self._broker.intakes.get(source)
        if intake is None:
            return
        wanted = set(results.ids)
        found: set[int] = set()
        for lot in self._broker.lots():
            if lot.source == source and not wanted.isdisjoint(lot.ids):
                found.update(self._broker.withdraw(lot, wanted).ids)
        for holder, key in sorted(intake.outs):
            peer = self._broker.peers[holder]
            piece = peer.held[key]
            ids, _ = peer.take(piece, results.ids)
            if ids:
                found.update(ids)
                self._outbox.send(peer, messages.Cancel(key % SHARD, ids), now)
                self._broker.close(peer, key, piece)
        results = only(results, found)
        if results.ids:
            self._broker.resolve(source, results.ids, results.outcomes, results.odd, now)
