"""Laws of what nodes say: each message follows from what was said and heard before.

These hear every message, when it is said for the first time, when it comes, and when it was taken in. Codes begin
with M. Messages that are repeated, under the number that they had, are not said again.
"""

from __future__ import annotations

from typing import Any

from ..broker.lots import Source
from ..federation.channel import Channel
from ..federation.terms import terms_of
from ..wire.messages import (
    CANCELLED,
    NONE,
    Batch,
    Cancel,
    Demand,
    Function,
    Hello,
    Results,
    Return,
    State,
    Stranger,
    Welcome,
)
from .law import Law
from .records import Key, Records
from .system import System


class FunctionsFirst(Law):
    """In each session a submitter says what a function is before it gives Futures of it."""

    code = "M2"
    says_of = (Function, Batch)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.known: dict[str, tuple[Channel | None, set[bytes]]] = {}

    def says(self, sender: str, peer: str, message: Any, channel: Channel | None) -> None:
        if sender not in self.system.brokers:
            session, known = self.known.get(sender, (None, set()))
            if session is not channel:
                self.known[sender] = channel, (known := set())
            if type(message) is Function:
                known.add(message.digest)
            else:
                self.require(message.function in known, f"{sender} gives Futures of {message.function!r} untold")


class LossesCount(Law):
    """What is given again because its holder, or a session, was lost is another attempt, and no older one."""

    code = "M3"
    hears_of = (Return, Results)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.given: dict[Key, tuple[Channel | None, int]] = {}  # by submitters: in which session, as which attempt
        self.lent: dict[tuple[str, Source, int], tuple[str, int, int]] = {}  # by Brokers: to whom, piece and attempt
        self.sources: dict[tuple[str, str, int], Source] = {}  # of pieces
        self.back: set[tuple[str, str, int, int]] = set()  # what was given back to Brokers
        self.least: dict[tuple[str, Source, int], int] = {}  # attempts under which it was given back

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        broker = self.system.brokers.get(sender)
        if broker is None:
            self._gives_own(sender, batch, self.system.channel(sender, peer))
        elif self.records.has_only("worker") and (source := broker.source_of(peer, batch.piece)) is not None:
            self.sources[sender, peer, batch.piece] = source
            for number in batch.ids:
                key = (sender, source, number)
                where = f"{batch.submitter}/{number} at {sender}"
                holder, piece, attempt = self.lent.get(key, ("", 0, 0))
                was_lost = holder in self.records.gone and (sender, holder, piece, number) not in self.back
                if not terms_of(batch).is_once:  # S17 is about those
                    said = f"{where}: {holder} is lost, and {attempt} goes on"
                    self.require(batch.attempt > attempt or not was_lost, said)
                self.require(batch.attempt >= self.least.get(key, 0), f"{where} goes back to attempt {batch.attempt}")
                self.lent[key] = peer, batch.piece, batch.attempt

    def _gives_own(self, sender: str, batch: Batch, channel: Channel | None) -> None:
        for number in batch.ids:
            session, attempt = self.given.get((sender, number), (channel, 0))
            if session is not channel and not terms_of(batch).is_once:
                self.require(batch.attempt > attempt, f"{sender} gives {number} again as attempt {batch.attempt}")
            self.given[sender, number] = channel, batch.attempt

    def comes(self, node: str, peer: str, message: Any) -> None:
        if node in self.system.brokers:  # which gives it out at once, and who gave it back may have left
            ids = message.ids if type(message) is Return else [i for i, kind in message.odd if kind == CANCELLED]
            self.back.update((node, peer, message.piece, number) for number in ids)

    def takes_in(self, node: str, peer: str, message: Any, *, is_new: bool) -> None:
        if is_new and node in self.system.brokers and type(message) is Return and message.attempt:
            source = self.sources.get((node, peer, message.piece))
            if source is not None:
                self.least.update(dict.fromkeys(((node, source, number) for number in message.ids), message.attempt))


class OutcomesOnce(Law):
    """In a session an outcome is said once."""

    code = "M4"
    says_of = (Results,)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.said: dict[tuple[str, str], tuple[Channel | None, set[tuple[int, int]]]] = {}

    def says(self, sender: str, peer: str, message: Any, channel: Channel | None) -> None:
        session, said = self.said.get((sender, peer), (None, set()))
        if session is not channel:
            self.said[sender, peer] = channel, (said := set())
        for number in message.ids:
            twice = (message.piece, number) in said
            self.require(not twice, f"{sender} says the outcome of {number}, in piece {message.piece} of {peer}, again")
            said.add((message.piece, number))


class ResultsAgain(Law):
    """In a new session a Worker says all results again of which it does not know that its Broker has them."""

    code = "M5"
    says_of = (Results, Demand, Batch)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.sessions: dict[str, Channel | None] = {}
        self.owed: dict[str, set[tuple[int, int]]] = {}

    def says(self, sender: str, peer: str, message: Any, channel: Channel | None) -> None:
        if sender not in self.system.workers:
            return
        old = self.sessions.get(sender, channel)
        if old is not channel and old is not None:
            unsure = [said for _, said in old.unacknowledged if type(said) is Results]
            self.owed[sender] = {(said.piece, number) for said in unsure for number in said.ids}
        self.sessions[sender] = channel
        if type(message) is Results and sender in self.owed:
            self.owed[sender].difference_update((message.piece, number) for number in message.ids)

    def sampled(self, healed: bool) -> None:
        for name, owed in self.owed.items():
            self.require(not owed or name in self.records.gone, f"{name} does not say the results {sorted(owed)} again")


class LeaversAreSilent(Law):
    """A node that has left says nothing once its Broker has let go."""

    code = "M6"
    says_of = (Hello, Demand, Batch, Results, Cancel, Return)
    hears_of = (Stranger,)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.silent: set[str] = set()

    def takes_in(self, node: str, peer: str, message: Any, *, is_new: bool) -> None:
        origin = self.system.origins.get(node)
        if node in self.records.gone and origin is not None and origin.machine.linked:
            self.silent.add(node)

    def says(self, sender: str, peer: str, message: Any, channel: Channel | None) -> None:
        self.require(sender not in self.silent, f"{sender} has left, and says {message}")

    def sampled(self, healed: bool) -> None:
        for name in self.silent:
            origin = self.system.origins[name]
            due = origin.machine.next_deadline()
            self.require(not origin.alive or due in (None, float("inf")), f"{name} has left, and will say something")


class SaysItIsIdle(Law):
    """A Worker that has nothing to run says so, unless it holds nothing, which its Broker knows."""

    code = "M7"
    says_of = (Demand,)
    hears_of = (Batch,)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.said: dict[str, int] = {}  # the last word of each: 1, it is idle
        self.idle: set[str] = set()  # at the last sample

    def says(self, sender: str, peer: str, message: Any, channel: Channel | None) -> None:
        self.said[sender] = message.idle
        worker = self.system.workers.get(sender)
        if worker is not None and message.idle:
            self.require(not worker.workload.lacking, f"{sender} lacks a function, and says that it is idle")

    def takes_in(self, node: str, peer: str, message: Any, *, is_new: bool) -> None:
        if is_new and node in self.system.workers:
            self.said[node] = 0
            self.idle.discard(node)

    def sampled(self, healed: bool) -> None:
        idle = set()
        for worker in self.system.workers.values():
            machine = worker.machine
            waits = worker.own or worker.workload.lacking or any(piece.todo for piece in machine.held.values())
            waits = waits or machine.asking.load.starts == NONE  # a stand-in asks for nothing
            waits = waits or worker.inbox.withdrawal.is_told  # nor does one that is to leave
            if worker.resting and machine.linked and machine.held and not (waits or worker.locked_in or worker.halted):
                idle.add(worker.name)
                told = self.said.get(worker.name) or worker.name not in self.idle
                self.require(bool(told), f"{worker.name} holds {list(machine.held)}, is idle, and does not say so")
        self.idle = idle


class OldNewsIsNone(Law):
    """What comes late changes nothing: a State older than another, an answer to an earlier Hello, a known Hello."""

    code = "M8"
    says_of = (Hello,)
    hears_of = (State, Welcome, Hello)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.asked: dict[tuple[str, str], int] = {}  # which answer the Hello said last wants
        self.latest: dict[str, tuple[Channel | None, int, int]] = {}  # the newest State in a session
        self.before: Any = None  # what may not change; None: all may

    def says(self, sender: str, peer: str, message: Any, channel: Channel | None) -> None:
        self.asked[sender, peer] = message.incarnation + message.round

    def _state_of(self, node: str, peer: str, message: Any) -> Any:
        if type(message) is State:
            return self.system.workers[node].machine.unmet
        return self.system.channel(node, peer)

    def comes(self, node: str, peer: str, message: Any) -> None:
        self.before, is_old = None, False
        if type(message) is State:
            if node not in self.system.workers:
                return
            channel = self.system.channel(node, peer)
            session, incarnation, newest = self.latest.get(node, (None, 0, 0))
            is_old = session is channel and message.incarnation == incarnation and message.number < newest
            if not is_old:
                self.latest[node] = channel, message.incarnation, message.number
        elif type(message) is Welcome:
            is_old = message.greeter != self.asked.get((node, peer), message.greeter)
        else:
            known = self.system.brokers[node].machine.peers.get(peer)
            is_old = known is not None and known.incarnation == message.incarnation
        if is_old:
            self.before = (self._state_of(node, peer, message),)

    def takes_in(self, node: str, peer: str, message: Any, *, is_new: bool) -> None:
        if self.before is not None:
            now = self._state_of(node, peer, message)
            self.require(now is self.before[0] or now == self.before[0], f"{node} acts on {message}, which is old")


class CancelledIsOver(Law):
    """A Worker that was asked to drop a Future does not begin it, and a Broker does not give it out."""

    code = "M9"
    hears_of = (Cancel,)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.dropped: set[tuple[Channel | None, int, int]] = set()  # at Workers
        self.cancelled: set[tuple[Channel | None, Source, int]] = set()  # at Brokers, in sessions with who gave it

    def takes_in(self, node: str, peer: str, message: Any, *, is_new: bool) -> None:
        channel = self.system.channel(node, peer)
        if is_new and node in self.system.brokers:
            self.cancelled.update((channel, (peer, message.piece), number) for number in message.ids)
        elif is_new:
            self.dropped.update((channel, message.piece, number) for number in message.ids)

    def started(self, worker: str, key: Key, attempt: int) -> None:
        node = self.system.workers[worker]
        piece = node.current.piece if node.current is not None else None
        if piece is not None:
            dropped = (node.machine.channel, piece.number, key[1]) in self.dropped
            self.require(not dropped, f"{worker} begins {key}, which it was asked to drop")

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        broker = self.system.brokers.get(sender)
        source = None if broker is None or not self.cancelled else broker.source_of(peer, batch.piece)
        if source is not None:
            session = self.system.channel(sender, source[0])
            for number in batch.ids:
                over = (session, source, number) in self.cancelled
                self.require(not over, f"{sender} gives {peer} {batch.submitter}/{number}, which was cancelled")


SAYING: tuple[type[Law], ...] = (
    FunctionsFirst, LossesCount, OutcomesOnce, ResultsAgain, LeaversAreSilent, SaysItIsIdle, OldNewsIsNone,
    CancelledIsOver,
)  # fmt: skip
