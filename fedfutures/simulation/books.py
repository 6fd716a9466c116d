"""Laws of what a node must know: its books agree with those of its peers, and with what was said to it.

Codes begin with B. Beside what is said, these look into machines, where nobody outside can see what should be there.
"""

from __future__ import annotations

from typing import Any

from ..broker.ledger import Account
from ..broker.lots import Source
from ..federation.channel import Channel
from ..federation.link import FORGET_AFTER_SECONDS
from ..wire.messages import CANCELLED, Batch, Cancel, Function, Results, Return, Want
from .broker import SimBroker
from .law import Law
from .records import FutureRecord, Key, Records
from .system import System

GRACE_SECONDS = 2.0
"""Within which a Broker that is not stopped does what is due."""


class PiecesNumberedOnce(Law):
    """A Broker gives a peer two pieces under one number only if it has forgotten the peer meanwhile."""

    code = "B1"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.used: dict[tuple[str, str], tuple[Account, int]] = {}  # the last number

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        broker = self.system.brokers.get(sender)
        account = None if broker is None else broker.machine.ledger.accounts.get(peer)
        if account is not None:
            before, last = self.used.get((sender, peer), (account, 0))
            is_new = before is not account or batch.piece > last
            self.require(is_new, f"{sender} gives {peer} a piece {batch.piece} after {last}")
            self.used[sender, peer] = account, batch.piece


class RecallsWhatIsDone(Law):
    """A Broker that passes an outcome on asks those Workers to drop the Future to which it has given that, too."""

    code = "B2"
    says_of = (Cancel, Results)
    hears_of = (Results, Return)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.sources: dict[tuple[Channel, int], Source] = {}  # of pieces at Workers
        self.holders: dict[tuple[int, Source, int], set[tuple[str, Channel, int]]] = {}

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        broker, channel = self.system.brokers.get(sender), self.system.channel(sender, peer)
        if broker is not None and peer in self.system.workers and channel is not None:
            source = broker.source_of(peer, batch.piece)
            if source is not None:
                self.sources[channel, batch.piece] = source
                for number in batch.ids:
                    held = self.holders.setdefault((broker.incarnation, source, number), set())
                    held.add((peer, channel, batch.piece))

    def _drop(self, broker: SimBroker, peer: str, message: Any) -> None:
        channel = self.system.channel(broker.name, peer)
        if channel is not None and (source := self.sources.get((channel, message.piece))) is not None:
            for number in message.ids:
                if (held := self.holders.get((broker.incarnation, source, number))) is not None:
                    held.discard((peer, channel, message.piece))

    def comes(self, node: str, peer: str, message: Any) -> None:
        broker = self.system.brokers.get(node)
        if broker is not None:
            self._drop(broker, peer, message)

    def says(self, sender: str, peer: str, message: Any, channel: Channel | None) -> None:
        broker = self.system.brokers.get(sender)
        if broker is None or type(message) is Cancel:
            if broker is not None:
                self._drop(broker, peer, message)
            return
        for number in message.ids:
            for holder, session, _ in self.holders.get((broker.incarnation, (peer, message.piece), number), ()):
                there = broker.machine.peers.get(holder)
                runs = there is not None and there.channel is session and not there.stopped
                self.require(not runs, f"{sender} has the outcome of {number} of {peer}, and lets {holder} run it")


class DoubtsEnd(Law):
    """What others do meanwhile is asked of nobody who is heard again; what has come back is with nobody."""

    code = "B3"
    says_of = (Cancel,)
    hears_of = (Return, Results)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.asked: set[tuple[str, Channel | None, int, int]] = set()

    def says(self, sender: str, peer: str, message: Any, channel: Channel | None) -> None:
        self.asked.update((peer, channel, message.piece, number) for number in message.ids)

    def takes_in(self, node: str, peer: str, message: Any, *, is_new: bool) -> None:
        broker = self.system.brokers.get(node)
        if broker is None or not is_new:
            return
        machine = broker.machine
        back = set(message.ids)
        if type(message) is Results:
            back = {number for number, kind in message.odd if kind == CANCELLED}
        doubted = machine.recovery.doubtful.get(peer, {}).get(message.piece, ())
        self.require(not any(back & lent for _, lent in doubted), f"{node} still doubts what {peer} has given back")
        orphan = machine.adoption.orphans.get(peer, {}).get(message.piece)
        self.require(orphan is None or not back & orphan.ids, f"{node} takes for held what {peer} has given back")

    def sampled(self, healed: bool) -> None:
        for broker in self.system.brokers.values():
            if broker.alive and broker.machine.recovery.doubtful:
                self._look(broker)

    def _look(self, broker: SimBroker) -> None:
        machine = broker.machine
        for name, doubtful in machine.recovery.doubtful.items():
            peer = machine.peers.get(name)
            if peer is not None and not peer.silent:
                ids = [(number, i) for number, parts in doubtful.items() for _, lent in parts for i in lent]
                for number, i in ids:
                    was_asked = (name, peer.channel, number, i) in self.asked
                    self.require(was_asked, f"{broker.name} does not ask {name} to drop {i}, in piece {number}")


class SilentAreForgotten(Law):
    """Nothing is expected of a neighbour that is silent, and after a minute it is forgotten, as orphans are."""

    code = "B4"

    def sampled(self, healed: bool) -> None:
        for broker in self.system.brokers.values():
            if not broker.halted:
                now, machine = broker.clock.now * broker.rate + broker.offset, broker.machine
                for peer in machine.peers.neighbours:
                    link = peer.link
                    if link is not None and link.silent:
                        self._look(broker, peer.name, now - link.heard_at)
                for name, held in machine.adoption.orphans.items():
                    late = max(now - orphan.until for orphan in held.values())
                    self.require(late <= GRACE_SECONDS, f"{broker.name} keeps what {name} holds, and nobody names it")

    def _look(self, broker: SimBroker, peer: str, seconds: float) -> None:
        self.require(peer not in broker.machine.adoption.orphans, f"{broker.name} waits for {peer}, which is silent")
        most = FORGET_AFTER_SECONDS + GRACE_SECONDS
        self.require(seconds <= most, f"{broker.name} has not forgotten {peer}, silent for {seconds:.1f} s")


class NeighboursAgree(Law):
    """A neighbour that gives something has nobody idle; where nothing is under way it knows of all that it was told.

    It may take more Workers for idle: what it is told may be under way together with what it gives to these.
    """

    code = "B5"
    hears_of = (Batch, Return)

    def takes_in(self, node: str, peer: str, message: Any, *, is_new: bool) -> None:
        broker = self.system.brokers.get(node)
        load = None if broker is None or not is_new else broker.machine.load.neighbours.get(peer)
        self.require(load is None or not load.idle, f"{node} takes {peer} for idle, which has just given something")

    def sampled(self, healed: bool) -> None:
        if self.records.is_calm:
            for child, parent in self.system.parents.items():
                self._look(parent, child)

    def _look(self, parent: str, child: str) -> None:
        here, there = self.system.brokers[parent].machine.load, self.system.brokers[child].machine.load
        at, back = here.neighbours.get(child), there.neighbours.get(parent)
        if at is None or back is None or at.peer.channel.unacknowledged or back.peer.channel.unacknowledged:
            return
        for who, told, other, known in ((parent, at, child, back), (child, back, parent, at)):
            said = f"{who} has told {other} of {told.told_idle} idle Workers, and it knows {known.idle}"
            self.require(told.told_idle <= known.idle, said)


class SpareIsTold(Law):
    """A Broker with far more Futures than its Workers start soon lets its neighbours know."""

    code = "B6"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.since: dict[tuple[str, str], float] = {}

    def sampled(self, healed: bool) -> None:
        now, found = self.system.clock.now, set()
        if self.records.is_calm:
            for broker in self.system.brokers.values():
                load, queue = broker.machine.load, broker.machine.ledger.queue
                here = [lot for lot in queue if lot.intake.giver not in load.neighbours]
                if sum(len(lot.ids) for lot in here) > 2 + 8 * len(load.workers):
                    found |= {(broker.name, peer) for peer, each in load.neighbours.items() if not each.published[0]}
        self.since = {link: self.since.get(link, now) for link in found}
        for (name, peer), since in self.since.items():
            self.require(now - since <= GRACE_SECONDS, f"{name} has much to do, and does not tell {peer}")


class AsksEachGiver(Law):
    """A Broker that lacks a function has asked each peer whose Futures wait for it."""

    code = "B7"
    says_of = (Want,)
    hears_of = (Function,)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.asked: set[tuple[str, str, Channel | None, bytes]] = set()

    def says(self, sender: str, peer: str, message: Any, channel: Channel | None) -> None:
        self.asked.add((sender, peer, channel, message.digest))

    def takes_in(self, node: str, peer: str, message: Any, *, is_new: bool) -> None:
        if is_new:
            self.asked.discard((node, peer, self.system.channel(node, peer), message.digest))

    def sampled(self, healed: bool) -> None:
        for broker in self.system.brokers.values():
            for function, lots in broker.machine.ledger.parked.items():
                if broker.alive and isinstance(function, bytes):
                    for giver in {lot.intake.giver for lot in lots}:
                        asked = (broker.name, giver, self.system.channel(broker.name, giver), function)
                        self.require(asked in self.asked, f"{broker.name} does not ask {giver} for {function!r}")


class GivesBack(Law):
    """A Worker keeps nothing that waits while Workers elsewhere could run it, or while it may not start it itself."""

    code = "B8"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.since: dict[str, float] = {}

    def sampled(self, healed: bool) -> None:
        now, found = self.system.clock.now, set()
        for worker in self.system.workers.values():
            waiting = sum(len(piece.todo) for piece in worker.workload.queue)
            if waiting and not worker.halted and worker.machine.linked:
                is_stuck = worker.locked_in and worker.resting
                if is_stuck or (waiting > 1 and worker.machine.unmet > 0):
                    found.add(worker.name)
        self.since = {name: self.since.get(name, now) for name in found}
        for name, since in self.since.items():
            self.require(now - since <= 1.0, f"{name} keeps what it does not start")


class NothingFromTheDead(Law):
    """What a Broker has said that has ended counts no more, once a program has seen its end."""

    code = "B9"

    def resolves(self, key: Key, record: FutureRecord, kind: int, outcome: bytes) -> None:
        origin = self.system.origins.get(key[0])
        if origin is not None and kind != CANCELLED:
            self.require(not origin.bereft, f"{key} has an outcome from a Broker that has ended")


BOOKS: tuple[type[Law], ...] = (
    PiecesNumberedOnce, RecallsWhatIsDone, DoubtsEnd, SilentAreForgotten, NeighboursAgree, SpareIsTold, AsksEachGiver,
    GivesBack, NothingFromTheDead,
)  # fmt: skip
