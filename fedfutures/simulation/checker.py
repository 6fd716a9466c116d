"""Who hears what nodes tell, and holds them to the laws."""

from __future__ import annotations

from ..federation.channel import Channel
from ..federation.events import Send
from ..wire.facts import Facts
from ..wire.messages import VALUE, Batch, Demand, Message
from .books import BOOKS
from .cancels import CancelledEnds
from .facts import TrueFacts
from .law import Law, LawOfTheEnd
from .laws import ALL
from .limits import AtMostOnce, AvoidsHosts, OwnWorker
from .observer import Listener
from .records import FutureRecord, Key, LawBroken, Records, broken
from .saying import SAYING
from .serving import SERVING
from .specs import value_of
from .system import System
from .world import World

LAWS = (*ALL, *SERVING, *SAYING, *BOOKS, OwnWorker, AtMostOnce, CancelledEnds, AvoidsHosts, TrueFacts)


class Tally(Listener):
    """Counts, and holds to S1 and S2 at little cost: for runs with many Futures."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.open: dict[Key, bytes] = {}  # unresolved Futures: their payload
        self.resolved_count = self.executions = 0
        self._until: int | None = None

    def stop_after(self, count: int) -> None:
        """Stop the clock when so many Futures have resolved."""
        self._until = count

    def on_submit(self, node: str, number: int, payload: bytes, priority: int) -> None:
        self.open[node, number] = payload

    def on_start(self, worker: str, submitter: str, number: int, attempt: int) -> None:
        self.executions += 1

    def on_outcomes(self, node: str, ids: list[int], outcomes: list[bytes], odd: dict[int, int]) -> None:
        for number, outcome in zip(ids, outcomes):
            payload = self.open.pop((node, number), None)
            if payload is None:
                raise broken(self.world, "S1 resolves once", f"{node}/{number} was resolved before, or is not its own")
            if number not in odd and outcome != value_of(payload):
                raise broken(self.world, "S2 own value", f"{node}/{number} has the value of another Future")
        self.resolved_count += len(ids)
        if self.resolved_count == self._until:
            self.world.clock.stop()


class Checker(Listener):
    """Holds to all laws, in schedules of faults."""

    def __init__(self, system: System, *, loses_frames: bool) -> None:
        self.system = system
        self.count = self.executions = 0
        self.records = Records(loses_frames)
        self.laws = [law(system, self.records) for law in LAWS]
        self._sent: set[tuple[str, str, int]] = set()  # Batches: who, to whom, under which number
        self._at_start = self._having("started")
        self._at_outcome = self._having("resolves")
        self._at_facts = self._having("knows")
        self._at_batch = self._having("gives")
        self._at_demand = self._having("asks")
        self._at_sample = self._having("sampled")
        self._at_cancel, self._at_end = self._having("cancels"), self._having("ends_worker")
        self._at_saying = self._by_kind("says", "says_of")
        self._at_coming = self._by_kind("comes", "hears_of")
        self._at_taking = self._by_kind("takes_in", "hears_of")
        self.hears = frozenset(self._at_taking) | frozenset(self._at_coming)
        self._said: dict[tuple[str, str, int], Message] = {}  # numbered messages: who, to whom, under which number
        self._in_turn: tuple[Channel | None, int] = (None, 0)  # where what comes now is taken in, and what was before

    def _having(self, hook: str) -> list[Law]:
        return [law for law in self.laws if getattr(type(law), hook) is not getattr(Law, hook)]

    def _by_kind(self, hook: str, kinds: str) -> dict[type, list[Law]]:
        found: dict[type, list[Law]] = {}
        for law in self._having(hook):
            for kind in getattr(law, kinds):
                found.setdefault(kind, []).append(law)
        return found

    def _unknown(self, detail: str) -> LawBroken:
        return broken(self.system.world, "S3 own submitter", detail)

    def on_submit(self, node: str, number: int, payload: bytes, priority: int) -> None:
        self.count += 1
        self.records.futures[node, number] = FutureRecord(payload, priority)

    def on_start(self, worker: str, submitter: str, number: int, attempt: int) -> None:
        self.executions += 1
        record = self.records.futures.get((submitter, number))
        if record is None:
            raise self._unknown(f"{worker} runs {submitter}/{number}, which nobody submitted")
        record.start(worker)
        for law in self._at_start:
            law.started(worker, (submitter, number), attempt)

    def on_outcomes(self, node: str, ids: list[int], outcomes: list[bytes], odd: dict[int, int]) -> None:
        for number, outcome in zip(ids, outcomes):
            key = (node, number)
            record = self.records.futures.get(key)
            if record is None:
                raise self._unknown(f"{node} has an outcome of {number}, which it never submitted")
            kind = odd.get(number, VALUE)
            for law in self._at_outcome:
                law.resolves(key, record, kind, outcome)
            record.resolve(kind, self.system.clock.now)

    def on_facts(self, node: str, ids: list[int], odd: list[tuple[int, int]], facts: bytes) -> None:
        kinds, known = dict(odd), Facts((ids, facts))
        for number in ids:
            if (record := self.records.futures.get((node, number))) is not None:
                for law in self._at_facts:
                    law.knows((node, number), record, kinds.get(number, VALUE), known.of(number))

    def on_cancel(self, node: str, number: int, *, running: bool = False) -> None:
        self.records.futures[node, number].ask_cancel(self.system.clock.now, running=running)
        for law in self._at_cancel if running else ():
            law.cancels((node, number))

    def on_overrun(self, worker: str, submitter: str, number: int) -> None:
        self.records.futures[submitter, number].be_late()

    def on_overgrowth(self, worker: str, submitter: str, number: int) -> None:
        self.records.futures[submitter, number].grow()

    def on_end_for(self, worker: str, submitter: str, number: int) -> None:
        for law in self._at_end:
            law.ends_worker(worker, (submitter, number))

    def on_worker_lost(self, worker: str, blamed: Key | None) -> None:
        self.records.leave(worker, self.system.clock.now)
        self.records.disturb("worker", self.system.clock.now)
        if blamed is not None:
            self.records.futures[blamed].blame()

    def on_worker_left(self, worker: str) -> None:
        self.records.leave(worker, self.system.clock.now)  # which disturbs nobody

    def on_leave(self, node: str) -> None:
        self.records.leave(node, self.system.clock.now)

    def on_disturbance(self, name: str, kind: str) -> None:
        self.records.disturb(kind, self.system.clock.now)

    def on_forgery(self) -> None:
        self.records.forge()

    def on_gave_up(self) -> None:
        self.records.give_up()

    def on_batch(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        if (sender, peer, sequence) in self._sent:
            return  # it is said again
        self._sent.add((sender, peer, sequence))
        for law in self._at_batch:
            law.gives(sender, peer, batch, sequence)

    def on_demand(self, sender: str, peer: str, demand: Demand, acknowledged: int) -> None:
        for law in self._at_demand:
            law.asks(sender, peer, demand.count, acknowledged)

    def on_send(self, now: float, sender: str, peer: str, action: Send) -> None:
        message, sequence = action.message, action.sequence
        if sequence:
            before = self._said.get((sender, peer, sequence))
            if before is message:
                return  # it is said again
            if before is not None:
                what = f"{sender} gives number {sequence} to {message} for {peer}, and before to {before}"
                raise broken(self.system.world, "M1 OneNumberOneMessage", what)
            self._said[sender, peer, sequence] = message
        laws = self._at_saying.get(type(message))
        if laws is not None:
            channel = self.system.channel(sender, peer)
            if not sequence or (channel is not None and not channel.is_foreign(sequence, 0)):
                for law in laws:
                    law.says(sender, peer, message, channel)

    def on_arrival(self, node: str, peer: str, sequence: int, message: Message) -> None:
        channel = self.system.channel(node, peer)
        self._in_turn = channel, 0 if channel is None else channel.acknowledged
        for law in self._at_coming.get(type(message), ()):
            law.comes(node, peer, message)

    def on_taken_in(self, node: str, peer: str, sequence: int, message: Message) -> None:
        laws = self._at_taking.get(type(message))
        if laws is not None:
            channel, before = self._in_turn
            is_new = channel is not None and before != sequence == channel.acknowledged
            for law in laws:
                law.takes_in(node, peer, message, is_new=is_new)

    def sample(self, healed: bool) -> None:
        """Some time has passed."""
        for law in self._at_sample:
            law.sampled(healed)

    def unfinished(self) -> str:
        """Say who still has something to do, or to learn."""
        found = [law.leftovers() for law in self.laws if isinstance(law, LawOfTheEnd)]
        return "; ".join(filter(None, found))

    def end(self) -> None:
        """All is over."""
        for law in self.laws:
            law.ends()
