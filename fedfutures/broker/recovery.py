"""What becomes of Futures whose holder, or whose submitter, is gone or silent.

What a peer held runs again as the next attempt. A Future that was *running* when its Worker died (the host process
knows from the Worker's black box) has its crash count raised and travels alone from then on; at the third it resolves
as poisoned. The innocent ones that the same Worker held, or had suspended, just run again.

A neighbour that falls silent may still run what it was lent, so those Futures are *doubtful* with it while others run
them: the first result counts, and when the neighbour is heard again it is asked to drop the rest.
"""

from __future__ import annotations

from collections.abc import Hashable

from ..federation.terms import Terms
from ..wire.messages import CANCELLED, LOST, POISONED, Cancel, Results
from .delivery import Delivery, only
from .events import LossReason, PeerLost
from .ledger import Ledger, Recall
from .lots import Piece
from .outbox import Outbox
from .peers import Peer, Peers
from .segment_cache import SegmentCache

CRASH_LIMIT = 3
EXPECT_SECONDS = 1.0
ANNOUNCE_SECONDS = 0.05


class Recovery:
    """The losses of one Broker."""

    def __init__(
        self, peers: Peers, ledger: Ledger, delivery: Delivery, cache: SegmentCache, outbox: Outbox
    ) -> None:  # fmt: skip
        self._peers, self._ledger, self._outbox = peers, ledger, outbox
        self._delivery, self._cache = delivery, cache
        self.doubtful: dict[str, dict[int, list[tuple[tuple[str, int], set[int]]]]] = {}
        """By neighbour and piece: (who gave the Futures, which of them)."""
        self.crashes = 0
        self.gave_up: LossReason | None = None  # why no Worker will be started again
        self.expected: set[str] = set()  # Workers that have yet to introduce themselves to this, new, Broker
        self._expect_until = self._announce_at = float("inf")

    # -- who is to come ----------------------------------------------------------------------------------------------

    def give_up(self, reason: LossReason) -> None:
        """No Worker will be started again."""
        self.gave_up = reason

    def expect(self, workers: set[str], now: float) -> None:
        """This Broker was started again, and nothing is given out until these have said what they hold."""
        self.expected = workers
        self._expect_until, self._announce_at = now + EXPECT_SECONDS, now

    def deadline(self) -> float:
        """When :meth:`is_to_announce` may have news."""
        return min(self._expect_until, self._announce_at) if self.expected else float("inf")

    def is_to_announce(self, now: float) -> bool:
        """Whether to let Workers hear that this Broker is here; those that are not heard for long do not count."""
        if not self.expected:
            return False
        if now >= self._expect_until:
            self.expected.clear()
            return False
        if now < self._announce_at:
            return False
        self._announce_at = now + ANNOUNCE_SECONDS
        return True

    # -- who is gone -------------------------------------------------------------------------------------------------

    def blame(self, lost: PeerLost, parts: int, now: float) -> None:
        """Count a crash against the Future that was running; at the limit it is poisoned."""
        if not lost.blame or lost.running is None:
            return
        number, culprit = lost.running
        for piece, _ in self._ledger.accounts[lost.peer].find(number, [culprit]):
            if culprit not in piece.pending:
                continue
            self.crashes += 1
            terms, intake = piece.terms.after_crash(), piece.intake
            if intake is not None and terms.crashes >= CRASH_LIMIT:
                self._ledger.settle(piece, [culprit])
                report = (lost.host, lost.peer, lost.status, terms.crashes, lost.dump)
                self._delivery.deliver_failure(intake, [culprit], POISONED, report, now)
            else:
                self.take_back(piece, [culprit], terms, parts, now)
            return

    def take_back(self, piece: Piece, ids: list[int], terms: Terms, parts: int, now: float) -> None:
        """Give out Futures of a piece again, on these terms."""
        for cancelled in self._ledger.take_back(piece, ids, terms, parts):
            self._delivery.deliver_cancelled(*cancelled, now)

    def take_back_all(self, name: str, parts: int, now: float, key: Hashable = None) -> None:
        """Give out again what a peer holds, or park it under a key."""
        for cancelled in self._ledger.take_back_all(name, parts, key):
            self._delivery.deliver_cancelled(*cancelled, now)

    def drop_submissions(self, name: str, now: float) -> None:
        """A peer that holds nothing is gone: what it submitted is dropped."""
        self.doubtful.pop(name, None)
        for intake in self._ledger.accounts[name].intakes.values():
            self._cache.on_dropped(intake.source)
        self._recall(self._ledger.close(name), now)

    def fail_queued(self, now: float) -> None:
        """No Worker is left, and none will come."""
        queue = self._ledger.queue
        while len(queue):
            lot = queue.head()
            ids = self._ledger.settle_waiting(lot, set(lot.ids))
            self._delivery.deliver_failure(lot.intake, ids, LOST, self.gave_up, now)

    def _recall(self, recalls: list[Recall], now: float) -> None:
        for piece, ids in recalls:
            self._outbox.send(self._peers[piece.holder], Cancel(piece.number, ids), now)

    def cancel(self, name: str, cancel: Cancel, now: float) -> None:
        """A submitter does not want Futures any more."""
        intake = self._ledger.accounts[name].intakes.get(cancel.piece)
        if intake is not None:
            settled, recalls = self._ledger.cancel(intake, cancel.ids)
            for ids in settled:
                self._delivery.deliver_cancelled(intake, ids, now)
            self._recall(recalls, now)

    # -- who is silent -----------------------------------------------------------------------------------------------

    def doubt(self, name: str) -> None:
        """A neighbour has fallen silent; what it holds will be taken back, and its results count if they are first."""
        doubtful = self.doubtful.setdefault(name, {})
        for _, piece in sorted(self._ledger.accounts[name].held.items(), reverse=True):
            if piece.intake is not None:
                doubtful.setdefault(piece.number, []).append((piece.intake.source, set(piece.pending)))
        if not doubtful:
            del self.doubtful[name]

    def recall_doubtful(self, peer: Peer, now: float) -> None:
        """A neighbour is heard again: it is asked to drop what others do meanwhile."""
        for number, parts in sorted(self.doubtful.get(peer.name, {}).items()):
            ids = sorted(i for _, some in parts for i in some)
            self._outbox.send(peer, Cancel(number, ids), now)

    def settle_doubtful(self, name: str, results: Results, now: float) -> None:
        """Take in results of what was taken back from a neighbour while it was silent."""
        for source, lent in self.doubtful.get(name, {}).get(results.piece, ()):
            real = lent.intersection(results.ids).difference(i for i, kind in results.odd if kind == CANCELLED)
            if real:
                self._settle_late(source, only(results, real), now)
        self.clear_doubt(name, results.piece, results.ids)

    def _settle_late(self, source: tuple[str, int], results: Results, now: float) -> None:
        """These results count unless others were first."""
        intake = self._ledger.find_intake(source)
        if intake is not None:
            found, recalls = self._ledger.settle_late(intake, results.ids)
            self._recall(recalls, now)
            results = only(results, found)
            if results.ids:
                self._delivery.deliver(intake, results.ids, results.outcomes, results.odd, now)

    def clear_doubt(self, name: str, number: int, ids: list[int]) -> None:
        """These are not with a neighbour any more that was silent."""
        doubtful = self.doubtful.get(name)
        if doubtful is not None and number in doubtful:
            for _, lent in doubtful[number]:
                lent.difference_update(ids)
            if not any(lent for _, lent in doubtful[number]):
                del doubtful[number]
            if not doubtful:
                del self.doubtful[name]

    def forget_doubt(self, name: str) -> None:
        """A neighbour begins a new session: it says itself what it holds."""
        self.doubtful.pop(name, None)
