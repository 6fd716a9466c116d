"""What becomes of Futures whose holder, or whose submitter, is gone or silent.

What a peer held runs again as the next attempt. A Future that was *running* when its Worker died has its crash count
raised and travels alone from then on; at :data:`CRASH_LIMIT` it resolves as poisoned. If one that it had submitted ran
inside of it, that one is to blame: the parent runs again with no crash counted, and what it submits has Workers to
itself from then on, where crashes count against those. A neighbour that falls silent may still run what it was lent, so
those Futures are *doubtful* with it while others run them: the first result counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from ..federation.terms import Terms
from ..supervision.stand_ins import STAND_INS_AT_MOST
from ..wire.facts import packed, packed_unmeasured
from ..wire.messages import (
    CANCELLED,
    LOST,
    OF_FUTURE,
    OF_KERNEL,
    OF_WORKER,
    OUT_OF_MEMORY,
    OVERRAN,
    POISONED,
    Cancel,
    Results,
)
from .claims import Claims
from .delivery import Delivery, only
from .endings import Endings
from .events import EndedFor, LossReason, PeerLost
from .files import Sweep
from .ledger import Account, Ledger, Recall
from .lots import Lot, Piece
from .once import OnceFutures
from .outbox import Outbox
from .peers import Peer, Peers
from .segment_cache import SegmentCache

CRASH_LIMIT = 3
EXPECT_SECONDS = 1.0
EXPECT_NEIGHBOURS_SECONDS = 0.3
"""Less: a neighbour may be out of reach, and what it holds runs twice at worst if others are given it meanwhile."""
ANNOUNCE_SECONDS = 0.05
TOO_DEEP = (
    f"Futures with a time limit wait for such Futures that they have submitted, {STAND_INS_AT_MOST} deep: each needs a "
    "Worker of its own, and a host starts no more. Give the limit to the outermost call alone: it includes the others"
)


class Recovery:
    """The losses of one Broker."""

    def __init__(
        self, peers: Peers, ledger: Ledger, delivery: Delivery, cache: SegmentCache, claims: Claims, outbox: Outbox
    ) -> None:  # fmt: skip
        self._peers, self._ledger, self._outbox = peers, ledger, outbox
        self._delivery, self._cache, self._claims = delivery, cache, claims
        self.endings = Endings(ledger, outbox)
        self.doubtful: dict[str, dict[int, list[tuple[tuple[str, int], set[int]]]]] = {}
        """By peer and piece: (who gave the Futures, which of them)."""
        self.once = OnceFutures(ledger, delivery)
        self.crashes = 0
        self.gave_up: LossReason | None = None  # why no Worker will be started again
        self.expected: dict[str, float] = {}
        """Who has yet to say what it holds to this, new, Broker, and until when that is waited for."""
        self._announce_at = float("inf")

    def give_up(self, reason: LossReason) -> None:
        """No Worker will be started again."""
        self.gave_up = reason

    def expect(self, workers: Iterable[str], neighbours: Iterable[str], now: float) -> None:
        """This Broker was started again, and nothing is given out until these have said what they hold."""
        self.expected = dict.fromkeys(neighbours, now + EXPECT_NEIGHBOURS_SECONDS)
        self.expected |= dict.fromkeys(workers, now + EXPECT_SECONDS)
        self._announce_at = now
        self._claims.on_restart(now)

    def on_end(self, worker: str) -> None:
        """A Worker has ended: nobody waits for it, nor needs the segments that it did not hand over."""
        self.expected.pop(worker, None)
        self._outbox.act(Sweep(worker))

    def deadline(self) -> float:
        """When :meth:`is_to_announce` may have news."""
        return min(self._announce_at, *self.expected.values()) if self.expected else float("inf")

    def is_to_announce(self, now: float) -> bool:
        """Whether to let peers hear that this Broker is here; those that are not heard for long do not count."""
        self.expected = {name: until for name, until in self.expected.items() if now < until}
        if not self.expected or now < self._announce_at:
            return False
        self._announce_at = now + ANNOUNCE_SECONDS
        return True

    def blame(self, lost: PeerLost, parts: int, now: float) -> None:
        """Count a crash against the Future that was running; at the limit it is poisoned. What was too late fails."""
        if lost.ended_for is not None and not lost.blame:
            self._settle_ended(lost, lost.ended_for, parts, now)
        if not lost.blame or lost.running is None:
            return
        number, culprit = lost.running
        account = self._ledger.accounts[lost.peer]
        if account.intakes:
            self._set_apart(account, lost.running, parts, now)
        for piece, _ in account.find(number, [culprit]):
            if culprit not in piece.pending or piece.terms.is_once:
                continue
            if lost.nested and not piece.terms.conditions.is_apart:
                self.take_back(piece, [culprit], piece.terms.after_crash_of_another(), parts, now)
                return
            self.crashes += 1
            terms, intake = piece.terms.after_crash(), piece.intake
            if intake is not None and terms.crashes >= CRASH_LIMIT:
                self._ledger.settle(piece, [culprit])
                kind, report = _poisoned(lost, terms.crashes)
                report = (*report, *lost.printed_by(number, culprit))
                known = packed_unmeasured(lost.peer, terms.crashes, 1)
                self._delivery.deliver_failure(intake, [culprit], kind, report, now, known)
            else:
                self.take_back(piece, [culprit], terms, parts, now)
            return

    def _set_apart(self, account: Account, running: tuple[int, int], parts: int, now: float) -> None:
        """A Worker has crashed in which Futures may wait for what they have submitted, which may be what has crashed.

        It would take them along each time, and each time be another one.
        """
        for _, piece in sorted(account.held.items(), reverse=True):
            if piece.intake is not None and piece.intake.giver != account.name and not piece.terms.is_once:
                fresh = {running[1], *_not_started(piece, running)} if piece.number >= running[0] else ()
                ids = [i for i in piece.pending if i not in fresh]
                self.take_back(piece, ids, piece.terms.after_crash_of_another(), parts, now)

    def _settle_ended(self, lost: PeerLost, why: EndedFor, parts: int, now: float) -> None:
        """A Worker was ended because of this Future, which resolves; one that was cancelled does so as unwanted."""
        if why.kind == CANCELLED:
            self.endings.on_ended(lost.peer)
            return
        for piece, _ in self._ledger.accounts[lost.peer].find(why.piece, [why.number]):
            conditions, attempts = piece.terms.conditions, piece.terms.crashes + 1
            report: tuple[Any, ...]
            if why.bound and lost.nested and not conditions.is_apart:  # what ran inside of it may have used that
                self.take_back(piece, [why.number], piece.terms.after_crash_of_another(), parts, now)
                return
            if why.kind == OVERRAN and conditions.limit:
                report = (lost.host, lost.peer, conditions.limit, lost.dump)
                facts = packed(lost.peer, attempts, [conditions.limit / 1000])
            elif why.kind == OUT_OF_MEMORY and (bound := why.bound or conditions.memory):
                whose = OF_WORKER if why.bound else OF_FUTURE
                report = (lost.host, lost.peer, lost.status, 1, lost.dump, why.figure, bound, whose)
                facts = packed_unmeasured(lost.peer, attempts, 1)
            else:
                continue
            if self._ledger.settle(piece, [why.number]) and piece.intake is not None:
                report = (*report, *lost.printed_by(why.piece, why.number))
                self._delivery.deliver_failure(piece.intake, [why.number], why.kind, report, now, facts)

    def take_back(self, piece: Piece, ids: list[int], terms: Terms, parts: int, now: float) -> None:
        """Give out Futures of a piece again, on these terms."""
        for cancelled in self._ledger.take_back(piece, ids, terms, parts):
            self._delivery.deliver_cancelled(*cancelled, now)

    def take_back_all(
        self, name: str, parts: int, now: float, key: Hashable = None, how: PeerLost | None = None
    ) -> None:  # fmt: skip
        """Give out again what a peer holds, or park it under a key; `how` it has ended, where that is known."""
        self.once.note_heard(name)
        self.once.give_up(name, how, now, key)
        if key is None:
            for piece in self.once.pieces(name):
                self.take_back(piece, list(piece.pending), piece.terms, parts, now)
        for cancelled in self._ledger.take_back_all(name, parts, key):
            self._delivery.deliver_cancelled(*cancelled, now)

    def on_silence(self, name: str, parts: int, now: float) -> None:
        """A neighbour has fallen silent: give out again what it holds, except what may start once only."""
        self.doubt(name)
        self.once.note_silence(name, now)
        for cancelled in self._ledger.take_back_all(name, parts, keeps_once=True):
            self._delivery.deliver_cancelled(*cancelled, now)

    def expire(self, now: float) -> None:
        """See to cancelled Futures that run on; give up those that start once and of which nobody will say more."""
        self.endings.expire(now)
        for name in self.once.expire(now) if self.once.due is not None else ():
            self.once.note_heard(name)
            self.doubt(name, once=True)
            self.once.give_up(name, None, now)

    def drop_submissions(self, name: str, now: float) -> None:
        """A peer that holds nothing is gone: what it submitted is dropped."""
        self.doubtful.pop(name, None)
        for intake in self._ledger.accounts[name].intakes.values():
            self._cache.on_dropped(intake.source)
        self._recall(self._ledger.close(name), now, running=self.endings.forget(name))

    def fail_queued(self, now: float) -> None:
        """No Worker is left, and none will come."""
        queue = self._ledger.queue
        while queue.count:
            lot = queue.head()
            ids = self._ledger.settle_waiting(lot, set(lot.ids))
            self._delivery.deliver_failure(lot.intake, ids, LOST, self.gave_up, now)

    def fail_parked(self, lots: list[Lot], now: float) -> None:
        """Futures with time limits wait for each other, deeper than stand-ins are started: these will never run."""
        for lot in lots:
            ids = self._ledger.settle_waiting(lot, set(lot.ids))
            self._delivery.deliver_failure(lot.intake, ids, LOST, TOO_DEEP, now)

    def _recall(self, recalls: list[Recall], now: float, *, running: bool = False) -> None:
        """Ask holders to drop Futures; with `running` also those that run."""
        for piece, ids in recalls:
            holder = self._peers[piece.holder]
            self._outbox.send(holder, Cancel(piece.number, ids, running), now)
            if running and holder.role == "worker":
                self.endings.want(piece, ids, now)

    def cancel(self, name: str, cancel: Cancel, now: float) -> None:
        """A submitter does not want Futures any more."""
        intake = self._ledger.accounts[name].intakes.get(cancel.piece)
        if intake is not None:
            uncertain = self.once.uncertain(intake)
            ids = [i for i in cancel.ids if i not in uncertain] if uncertain else cancel.ids
            settled, recalls = self._ledger.cancel(intake, ids)
            for ids in settled:
                self._delivery.deliver_cancelled(intake, ids, now)
            self._recall(recalls, now, running=cancel.running)

    def doubt(self, name: str, *, once: bool = False) -> None:
        """A neighbour has fallen silent; what it holds will be taken back, and its results count if they are first.

        once: it is what starts once at most, since it was silent for too long.
        """
        doubtful = self.doubtful.setdefault(name, {})
        for _, piece in sorted(self._ledger.accounts[name].held.items(), reverse=True):
            if piece.intake is not None and piece.terms.is_once is once:
                doubtful.setdefault(piece.number, []).append((piece.intake.source, set(piece.pending)))
        if not doubtful:
            del self.doubtful[name]

    def set_aside(self, name: str, running: tuple[int, int] | None, parts: int, now: float) -> None:
        """A Worker is stopped: what it has not started others run, and its results of that count if they are first.

        Pieces start in their order. If it has submitted Futures itself, some that it has started wait for these, and
        nobody here knows which: it keeps all that it has until it ends.
        """
        account = self._ledger.accounts[name]
        if account.intakes:
            return
        for _, piece in sorted(account.held.items(), reverse=True):
            ids = [] if piece.intake is None or piece.terms.is_once else _not_started(piece, running)
            if ids:
                doubtful = self.doubtful.setdefault(name, {}).setdefault(piece.number, [])
                doubtful.append((piece.intake.source, set(ids)))  # type: ignore[union-attr]
                self.take_back(piece, ids, piece.terms.after_loss(), parts, now)

    def recall_doubtful(self, peer: Peer, now: float) -> None:
        """It is heard again, or goes on: it is asked to drop what others do meanwhile."""
        self.once.note_heard(peer.name)
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
                self._delivery.deliver(intake, results.ids, results.outcomes, results.odd, now, known=results.facts)

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


def _poisoned(lost: PeerLost, crashes: int) -> tuple[int, tuple[Any, ...]]:
    """Return the outcome of a Future that has crashed too often, and the report; the last crash says which."""
    report = (lost.host, lost.peer, lost.status, crashes, lost.dump)
    if lost.ended_for is None:
        return POISONED, report
    return OUT_OF_MEMORY, (*report, lost.ended_for.figure, lost.ended_for.bound, OF_KERNEL)


def _not_started(piece: Piece, running: tuple[int, int] | None) -> list[int]:
    """Return which Futures of a piece a Worker has not started that runs this (piece, id)."""
    ids = list(piece.pending)
    if running is None or piece.number > running[0]:
        return ids
    if piece.number < running[0] or running[1] not in piece.pending:
        return []
    return ids[ids.index(running[1]) + 1 :]
