"""What peers hold for a Broker that stood here before, until the submitters name it again.

Peers say which Futures they hold (``Holding``), their submitters give the same ones again. Whichever comes first, the
two are matched here by submitter and number: the Batch's Futures become a piece of whoever holds them. Outcomes that
come before their Batch are kept for it. What nobody has named after a minute is asked back for good.

A near peer is believed. One on another host shows that it was given a Future by the end of its payload, which holds the
seal; one that is done and has no payload left counts only together with its outcome, which has a seal of its own.

The Futures of one Batch may be spread over several Holdings and those of one Holding over several Batches, so pieces
made here may share their number on the link; ``Account.shards`` lists the keys under which the ledger has them.
"""

from __future__ import annotations

from hmac import compare_digest

from ..errors import RemoteProtocolError
from ..federation.channel import Channel
from ..federation.session import reconciliation
from ..lazy_dataclass import dataclass, field
from ..wire.facts import joined, single
from ..wire.messages import CANCELLED, OF_WORKERS, VALUE, Cancel, Holding, Results
from ..wire.seal import proof_of
from .claims import LAST_NUMBER, Claims
from .delivery import Delivery
from .ledger import Ledger
from .lots import Lot
from .outbox import Outbox
from .peers import Peer, Peers

KEEP_SECONDS = 60.0


@dataclass(slots=True)
class Orphan:
    """Futures that a peer holds for an earlier Broker, and outcomes that have come for some of them."""

    submitter: str
    crashes: int
    ids: set[int]
    until: float
    proofs: dict[int, bytes] | None = None  # None: the peer is believed
    outcomes: dict[int, tuple[bytes, int, bytes]] = field(default_factory=dict)  # id -> (outcome, kind, facts)


class Adoption:
    """The unclaimed Futures of one Broker."""

    def __init__(self, peers: Peers, ledger: Ledger, delivery: Delivery, claims: Claims, outbox: Outbox) -> None:
        self._peers, self._ledger, self._delivery, self._outbox = peers, ledger, delivery, outbox
        self._claims = claims
        self.orphans: dict[str, dict[int, Orphan]] = {}  # by peer and piece number
        self._where: dict[tuple[str, int], tuple[str, int]] = {}  # (submitter, id) -> (peer, piece number)

    def deadline(self) -> float | None:
        """When :meth:`expire` has something to do."""
        return min((each.until for held in self.orphans.values() for each in held.values()), default=None)

    def say_what_is_held(self, peer: Peer, old: Channel, now: float) -> None:
        """A session begins anew after that of the channel `old`: say what is held for the peer, and prove it."""
        account = self._ledger.accounts[peer.name]
        held = {number: (intake.terms, intake.ids()) for number, intake in account.intakes.items()}
        payloads = {number: each.payloads() for number, each in account.intakes.items()} if peer.far else None
        said = reconciliation(held, account.finished, old, payloads)
        for message in said:
            self._outbox.send(peer, message, now)
        # It may not arrive either, and is then said again. The numbers of other pieces may be used anew.
        again = {message.piece for message in said if type(message) is Results}
        account.finished[:] = [entry for entry in account.finished if entry[0] in again]

    def on_holding(self, peer: Peer, holding: Holding, now: float) -> None:
        """A peer says what it holds; what it was not given it is told to drop."""
        believed = set(self._claims.explained(peer.name, holding, now))
        if holding.piece < LAST_NUMBER:
            self._ledger.note_number(peer.name, holding.piece)
        if believed:
            self._enter(peer, holding, believed, now)
        if refused := [i for i in holding.ids if i not in believed]:
            self._outbox.send(peer, Cancel(holding.piece, refused), now)
            raise RemoteProtocolError(f"{peer.name} claims Futures that it was not given")

    def _enter(self, peer: Peer, holding: Holding, claimed: set[int], now: float) -> None:
        name, submitter = peer.name, holding.submitter
        held = self.orphans.get(name, {})
        if holding.piece in held or holding.piece in self._ledger.accounts[name].held:
            return
        ids = {i for i in claimed if self._is_free(submitter, i, peer)}
        if not ids:
            return
        proofs = dict(zip(holding.ids, holding.proofs)) if peer.far else None
        self.orphans.setdefault(name, held)[holding.piece] = Orphan(
            submitter, holding.crashes, ids, now + KEEP_SECONDS, proofs
        )
        for i in sorted(ids):
            self._where[submitter, i] = (name, holding.piece)
        self._match(name, holding.piece, ids, now)

    def _is_free(self, submitter: str, number: int, peer: Peer) -> bool:
        """Whether no other peer has claimed a Future; what another host claims does not count against one here."""
        home = self._where.get((submitter, number))
        if home is not None and not peer.far and self.orphans[home[0]][home[1]].proofs is not None:
            self._drop(*home, {number})
            return True
        return home is None

    def _match(self, name: str, number: int, ids: set[int], now: float) -> None:
        """Match what a peer holds with what waits here."""
        submitter = self.orphans[name][number].submitter
        for lot in self._ledger.lots():
            if lot.terms.submitter == submitter and not ids.isdisjoint(lot.ids):
                self._adopt(lot, ids.intersection(lot.ids), name, number, now)

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
        if orphan.proofs is not None:
            ids = self._proven(orphan, lot, ids, name, number)
            if not ids:
                return
        orphan.ids.difference_update(ids)
        for i in ids:
            del self._where[lot.terms.submitter, i]
        done = {i: orphan.outcomes.pop(i) for i in lot.ids if i in ids and i in orphan.outcomes}
        if not orphan.ids and number in self.orphans.get(name, ()):
            self._remove(name, number)
        if done:
            settled = self._ledger.settle_waiting(lot, set(done))
            odd = [(i, done[i][1]) for i in settled if done[i][1] != VALUE]
            known = joined((done[i][2], 1) for i in settled)
            self._delivery.deliver(lot.intake, settled, [done[i][0] for i in settled], odd, now, known=known)
        if left := ids.difference(done):
            self._ledger.adopt(lot, left, name, number, orphan.crashes)

    def _proven(self, orphan: Orphan, lot: Lot, ids: set[int], name: str, number: int) -> set[int]:
        """Return which of these Futures the peer was given; what it shows wrong proofs of is not waited for."""
        assert orphan.proofs is not None
        found: set[int] = set()
        wrong: set[int] = set()
        for i, payload in zip(lot.ids, lot.payloads):
            if i in ids:
                if proof := orphan.proofs.get(i, b""):
                    (found if compare_digest(proof, proof_of(payload)) else wrong).add(i)
                elif orphan.outcomes.get(i, (b"", CANCELLED, b""))[1] in OF_WORKERS:
                    found.add(i)
        if wrong:
            self._drop(name, number, wrong)
        return found

    def on_results(self, name: str, results: Results, now: float) -> None:
        """Keep outcomes for a submitter that has not named their Futures yet."""
        orphan = self.orphans.get(name, {}).get(results.piece)
        if orphan is not None:
            odd = dict(results.odd)
            each = single(results.facts, len(results.ids))
            for i, outcome, known in zip(results.ids, results.outcomes, each):
                if i in orphan.ids and odd.get(i) != CANCELLED:
                    orphan.outcomes[i] = outcome, odd.get(i, VALUE), known
            unproven = {i for i in orphan.outcomes if not orphan.proofs.get(i)} if orphan.proofs is not None else set()
            if unproven:
                self._match(name, results.piece, unproven, now)
            self.forget(name, results.piece, [i for i, kind in results.odd if kind == CANCELLED])

    def forget(self, name: str, number: int, ids: list[int]) -> None:
        """These are not with the peer any more."""
        orphan = self.orphans.get(name, {}).get(number)
        if orphan is not None:
            self._drop(name, number, {i for i in ids if i in orphan.ids and i not in orphan.outcomes})

    def _drop(self, name: str, number: int, ids: set[int]) -> None:
        """Forget that a peer holds these."""
        orphan = self.orphans[name][number]
        orphan.ids.difference_update(ids)
        for i in ids:
            self._where.pop((orphan.submitter, i), None)
            orphan.outcomes.pop(i, None)
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
