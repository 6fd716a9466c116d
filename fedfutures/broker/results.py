"""What results and returned Futures do to the books."""

from __future__ import annotations

from ..federation.schedule import Durations
from ..wire.manifest import MANIFEST
from ..wire.messages import CANCELLED, Results, Return, Running
from .adoption import Adoption
from .delivery import Delivery, only, segments_in
from .files import Discard
from .ledger import Ledger
from .lots import Piece
from .outbox import Outbox
from .peers import Peer, Peers
from .recovery import Recovery


class Settlement:
    """Takes in the outcomes that peers send, and the Futures that they give back."""

    def __init__(
        self, peers: Peers, ledger: Ledger, durations: Durations, delivery: Delivery, recovery: Recovery,
        adoption: Adoption, outbox: Outbox,
    ) -> None:  # fmt: skip
        self._peers, self._ledger, self._durations, self._outbox = peers, ledger, durations, outbox
        self._delivery, self._recovery, self._adoption = delivery, recovery, adoption

    def on_results(self, name: str, results: Results, now: float) -> None:
        """A peer has outcomes, and their segments are here."""
        self._take_in(name, results, now)
        if (
            results.outcomes
            and min(results.outcomes)[:1] <= MANIFEST
            and self._peers[name].link is None
            and (names := segments_in(results.outcomes))
            and name not in self._adoption.orphans  # what is kept for them
        ):
            self._outbox.act(Discard(names))

    def _take_in(self, name: str, results: Results, now: float) -> None:
        account = self._ledger.accounts[name]
        piece = account.held.get(results.piece)
        if piece is not None and not (
            account.shards or name in self._adoption.orphans or name in self._recovery.doubtful
        ):
            self._durations.learn(piece.terms.function, results.seconds, results.count)
            self._settle(piece, results, now)
            return
        account.require_given(results.piece)
        for piece, ids in account.find(results.piece, results.ids):
            self._settle(piece, only(results, set(ids)), now)
        self._adoption.on_results(name, results, now)
        self._recovery.settle_doubtful(name, results, now)

    def _settle(self, piece: Piece, results: Results, now: float) -> None:
        """Take in outcomes of a piece, and pass on what is news."""
        if results.odd:
            results = self._sort_out_returned(piece, results)
        intake = piece.intake
        fresh = self._ledger.settle(piece, results.ids)
        if len(fresh) != len(results.ids):
            results = only(results, set(fresh))
        if intake is not None and fresh:
            self._delivery.deliver(
                intake, results.ids, results.outcomes, results.odd, now, results.seconds, results.count, results.facts
            )  # fmt: skip

    def _sort_out_returned(self, piece: Piece, results: Results) -> Results:
        """Futures that come back as cancelled, when their submitter did not ask for that, are to be run elsewhere."""
        odd = {i for i, kind in results.odd if kind == CANCELLED and i in piece.pending and i not in piece.unwanted}
        if not odd:
            return results
        self._ledger.take_back(piece, sorted(odd), piece.terms.not_begun(), len(self._peers.workers))
        return only(results, set(results.ids) - odd)

    def on_running(self, name: str, running: Running, now: float) -> None:
        """A peer runs Futures: whoever gave them is told."""
        account = self._ledger.accounts[name]
        account.require_given(running.piece)
        self._recovery.endings.on_running(name, running.piece, running.ids)
        for piece, ids in account.find(running.piece, running.ids):
            if piece.intake is not None:
                message = Running(piece.intake.number, ids, running.kept)
                self._outbox.send(self._peers[piece.intake.giver], message, now)

    def awaited(self, name: str, results: Results) -> set[int]:
        """Return which Futures of these results have no outcome yet."""
        found = self._ledger.accounts[name].find(results.piece, results.ids)
        awaited = {i for piece, ids in found for i in ids if i in piece.pending}
        awaited.update(*(lent for _, lent in self._recovery.doubtful.get(name, {}).get(results.piece, ())))
        orphan = self._adoption.orphans.get(name, {}).get(results.piece)
        return awaited if orphan is None else awaited | orphan.ids

    def run_again(self, name: str, results: Results, now: float) -> None:
        """Outcomes are not to be had: their Futures run as the next attempt."""
        for piece, ids in self._ledger.accounts[name].find(results.piece, results.ids):
            if piece.terms.is_once:
                self._recovery.once.lose(piece, ids, "it has finished, and its result could not be fetched", now)
                continue
            self._recovery.take_back(piece, ids, piece.terms.after_loss(), len(self._peers.workers), now)
        self._forget(name, results.piece, results.ids)

    def on_return(self, peer: Peer, back: Return, now: float) -> bool:
        """A peer gives Futures back; return whether it held such."""
        account = self._ledger.accounts[peer.name]
        account.require_given(back.piece)
        found = account.find(back.piece, back.ids)
        for piece, ids in found:
            terms = piece.terms.not_begun()
            if peer.link is not None:
                terms = terms.after_return(peer.name, back.attempt, back.crashes, back.flags)
            self._recovery.take_back(piece, ids, terms, len(self._peers.workers), now)
        self._forget(peer.name, back.piece, back.ids)
        return bool(found)

    def _forget(self, name: str, number: int, ids: list[int]) -> None:
        """These are not with a peer that holds them for an earlier Broker, or held them before it fell silent."""
        self._adoption.forget(name, number, ids)
        self._recovery.clear_doubt(name, number, ids)
