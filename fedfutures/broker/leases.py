"""Leases: Workers that are lent to submitters of this host which make one short call after the other.

Who makes lone calls is lent the Worker that it was given last; the two talk over a lane of their own
(:mod:`..node.lanes`, :mod:`..node.lease`). Only the Broker lends, and it wants a Worker back as soon as anybody else
could use it. While a Worker is lent, it counts as one that has work and no room. docs/architecture.rst, "Lanes", tells
how all this works.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..lazy_dataclass import dataclass
from ..wire.messages import (
    ALONE_FLAG,
    ANY,
    APART_FLAG,
    CANCELLED,
    LANE_PIECES,
    OF_WORKER,
    OUT_OF_MEMORY,
    Batch,
    Cancel,
    LeaseEnded,
    Lend,
    TakeBack,
)
from .events import EndForCancel, PeerLost, PeerStopped
from .ledger import Ledger
from .load import Load, PeerLoad
from .outbox import Outbox
from .peers import Peer, Peers

LONE_SECONDS = 0.02
"""Lone calls that follow each other within this time are such that a lease serves; of longer ones the way is little."""
LONE_CALLS = 3
"""After so many of them a Worker is lent."""
LONE_CALLS_AFTER_NONE = 1000
"""The same where the last lease was of no use: the two found no lane, or the submitter went on otherwise."""


@dataclass(slots=True)
class LoneCalls:
    """What a submitter did lately: how many lone calls in a row, when the last one came, how many make a lease."""

    count: int = 0
    at: float = float("-inf")
    needed: int = LONE_CALLS

    def came(self, now: float) -> bool:
        """A lone call has come; return whether it is one of so many that a Worker may be lent."""
        self.count = self.count + 1 if now - self.at < LONE_SECONDS else 1
        self.at = now
        return self.count >= self.needed

    def begin_again(self, needed: int) -> None:
        """So many lone calls from now on make the next lease."""
        self.count, self.needed = 0, needed


@dataclass(slots=True)
class Lease:
    """One that was granted, which `ends` when its Worker says so."""

    number: int
    submitter: str
    is_open: bool = True
    is_wanted_back: bool = False

    def want_back(self) -> None:
        """Its Worker was told that it is wanted."""
        self.is_wanted_back = True

    def end(self) -> None:
        """The Worker takes no more Futures over the lane; what it has taken it may still run."""
        self.is_open = False


class Leases:
    """The leases of one Broker."""

    def __init__(
        self, incarnation: int, peers: Peers, ledger: Ledger, load: Load, outbox: Outbox, pack: Callable[[Any], bytes]
    ) -> None:  # fmt: skip
        self._peers, self._ledger, self._load, self._outbox, self._pack = peers, ledger, load, outbox, pack
        self._number = incarnation % (1 << 48) << 14  # the next Broker's differ
        self._lone: dict[str, LoneCalls] = {}
        self.candidate = ""  # who has just made a lone call that makes a lease
        self.of_workers: dict[str, Lease] = {}  # the last of each Worker
        self.open = 0  # how many have not ended

    # -- what is heard -----------------------------------------------------------------------------------------------

    def on_batch(self, name: str, batch: Batch, now: float) -> None:
        """An Origin gives Futures: one alone, while it has nothing else here, or others."""
        lone = self._lone.get(name)
        if len(batch.ids) > 1 or batch.backlog or not _is_free(batch) or self._ledger.accounts[name].intakes:
            if lone is not None:
                lone.begin_again(lone.needed)
            return
        if lone is None:
            lone = self._lone[name] = LoneCalls()
        if lone.came(now):
            self.candidate = name

    def on_ended(self, worker: str, ended: LeaseEnded) -> None:
        """A Worker takes no more Futures over its lane: from now on its Demand counts again."""
        lease = self.of_workers.get(worker)
        if lease is None or lease.number != ended.number or not lease.is_open:
            return
        self._close(worker, lease)
        if (lone := self._lone.get(lease.submitter)) is not None:
            lone.begin_again(LONE_CALLS if ended.taken else LONE_CALLS_AFTER_NONE)

    def cancel(self, name: str, cancel: Cancel, now: float) -> None:
        """A submitter wants a Future ended that runs in the Worker that it was lent."""
        for worker, lease in self.of_workers.items():
            if lease.submitter == name and cancel.running:
                self._outbox.act(EndForCancel(worker, cancel.piece, cancel.ids, begun=False))

    def on_stopped(self, stopped: PeerStopped, now: float) -> None:
        """A signal has stopped a Worker: what it has over a lane and has not started runs elsewhere."""
        has_started = stopped.running is not None and stopped.running[0] >= LANE_PIECES
        if not has_started and (lease := self.of_workers.get(stopped.peer)) is not None:
            self._tell(lease, LeaseEnded(lease.number), now)

    def on_peer_gone(self, peer: Peer, how: PeerLost | None, now: float) -> None:
        """A peer is gone: the submitter of a lent Worker is told what that means for the Future that ran."""
        self._lone.pop(peer.name, None)
        if (lease := self.of_workers.pop(peer.name, None)) is not None:
            self._tell(lease, self._ending(lease.number, how), now)
            self.open -= lease.is_open

    def _tell(self, lease: Lease, ended: LeaseEnded, now: float) -> None:
        if (submitter := self._peers.get(lease.submitter)) is not None:
            self._outbox.send(submitter, ended, now)

    def _ending(self, number: int, how: PeerLost | None) -> LeaseEnded:
        """Return what the end of a Worker means for the Future that it had over its lane."""
        if how is None:
            return LeaseEnded(number)
        why = how.ended_for
        if why is not None and why.piece >= LANE_PIECES and not how.blame and not (how.nested and why.bound):
            if why.kind == CANCELLED:
                return LeaseEnded(number, kind=CANCELLED)
            if why.kind == OUT_OF_MEMORY and why.bound:
                report = (how.host, how.peer, how.status, 1, how.dump, why.figure, why.bound, OF_WORKER)
                outcome = self._pack((*report, *how.printed_by(why.piece, why.number)))
                return LeaseEnded(number, kind=OUT_OF_MEMORY, outcome=outcome)
        running = how.running if why is None or how.blame else (why.piece, why.number)
        if running is None or running[0] < LANE_PIECES:
            return LeaseEnded(number)
        if how.nested:
            return LeaseEnded(number, flags=APART_FLAG)
        return LeaseEnded(number, crashes=1, flags=ALONE_FLAG) if how.blame else LeaseEnded(number)

    # -- granting and taking back ------------------------------------------------------------------------------------

    def look(self, now: float, *, is_wanted: bool) -> None:
        """Lend a Worker to the candidate, or, where somebody else could use it, want all back that are lent."""
        name, self.candidate = self.candidate, ""
        if is_wanted or self._load.survey.others_spare:
            for worker, lease in self.of_workers.items() if self.open else ():
                if lease.is_open and not lease.is_wanted_back:
                    lease.want_back()
                    self._outbox.send(self._peers[worker], TakeBack(lease.number), now)
        elif name and (load := self._holder_of(name)) is not None:
            self._grant(load, name, now)

    def _holder_of(self, name: str) -> PeerLoad | None:
        """Return the Worker that has the only Future of a submitter and nothing else, if it can be lent."""
        intakes = self._ledger.accounts[name].intakes
        holders = [holder for intake in intakes.values() for holder, _ in intake.pieces]
        load = self._load.workers.get(holders[0]) if len(holders) == 1 else None
        if load is None or load.starts != ANY or not load.workers or load.peer.silent or load.is_lent:
            return None
        account = load.account
        return load if account.pending == 1 and not account.intakes else None

    def _grant(self, load: PeerLoad, name: str, now: float) -> None:
        self._number += 1
        self.of_workers[load.peer.name] = Lease(self._number, name)
        self.open += 1
        self._load.note_lent(load, is_lent=True)
        self._lone[name].begin_again(LONE_CALLS_AFTER_NONE)
        self._outbox.send(load.peer, Lend(self._number, name), now)

    def _close(self, worker: str, lease: Lease) -> None:
        lease.end()
        self.open -= 1
        if (load := self._load.workers.get(worker)) is not None:
            self._load.note_lent(load, is_lent=False)

    def check(self) -> None:
        """Assert that the books of leases and of load agree."""
        assert self.open == sum(lease.is_open for lease in self.of_workers.values()), "the count of leases is off"
        assert self.of_workers.keys() <= self._load.workers.keys(), "a Worker is lent that is gone"
        for name, load in self._load.workers.items():
            lease = self.of_workers.get(name)
            is_lent = lease is not None and lease.is_open
            assert load.is_lent is is_lent, f"{name} is lent, or is not, and its load says otherwise"
            assert not (is_lent and load.room), f"{name} is lent, and has room"


def _is_free(batch: Batch) -> bool:
    """Whether Futures may run in any Worker, in any way."""
    return not (batch.limit or batch.flags or batch.memory or batch.avoid or batch.crashes or batch.priority)
