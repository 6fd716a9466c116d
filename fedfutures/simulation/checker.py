"""Who hears what nodes tell, and holds them to the laws."""

from __future__ import annotations

from ..federation.events import Send
from ..wire.messages import VALUE, Batch
from .laws import ALL, Law, NothingLeft, SameConstants
from .observer import Listener
from .records import FutureRecord, Key, LawBroken, Records, broken
from .specs import value_of
from .system import System
from .world import World


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

    def on_submit(self, node: str, number: int, payload: bytes) -> None:
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
        self.count = self.resolved_count = self.executions = 0
        self.records = Records(loses_frames)
        self.laws = [law(system, self.records) for law in ALL]
        self._at_start = self._having("started")
        self._at_outcome = self._having("resolves")
        self._at_batch = self._having("gives")
        self._at_sample = self._having("sampled")

    def _having(self, hook: str) -> list[Law]:
        return [law for law in self.laws if getattr(type(law), hook) is not getattr(Law, hook)]

    def _unknown(self, detail: str) -> LawBroken:
        return broken(self.system.world, "S3 own submitter", detail)

    def on_submit(self, node: str, number: int, payload: bytes) -> None:
        self.count += 1
        self.records.futures[node, number] = FutureRecord(payload)

    def on_start(self, worker: str, submitter: str, number: int, attempt: int) -> None:
        self.executions += 1
        record = self.records.futures.get((submitter, number))
        if record is None:
            raise self._unknown(f"{worker} runs {submitter}/{number}, which nobody submitted")
        record.start()
        for law in self._at_start:
            law.started(worker, (submitter, number), attempt)

    def on_outcomes(self, node: str, ids: list[int], outcomes: list[bytes], odd: dict[int, int]) -> None:
        for number, outcome in zip(ids, outcomes):
            key = (node, number)
            record = self.records.futures.get(key)
            if record is None:
                raise broken(
                    self.system.world,
                    "S3 own submitter",
                    f"{node} has an outcome of {number}, which it never submitted",
                )
            kind = odd.get(number, VALUE)
            for law in self._at_outcome:
                law.resolves(key, record, kind, outcome)
            record.resolve(kind)
        self.resolved_count += len(ids)

    def on_cancel(self, node: str, number: int) -> None:
        self.records.futures[node, number].ask_cancel()

    def on_worker_lost(self, worker: str, blamed: Key | None) -> None:
        self.records.gone.add(worker)
        self.records.disturb()
        if blamed is not None:
            self.records.futures[blamed].blame()

    def on_leave(self, node: str) -> None:
        self.records.gone.add(node)

    def on_disturbance(self, name: str) -> None:
        self.records.disturb()

    def on_send(self, now: float, sender: str, peer: str, action: Send) -> None:
        message = action.message
        if type(message) is Batch:
            for law in self._at_batch:
                law.gives(sender, peer, message)

    def sample(self, healed: bool) -> None:
        """Some time has passed."""
        for law in self._at_sample:
            law.sampled(healed)

    def unfinished(self) -> str:
        """Say who still has something to do, or to learn."""
        found = [law.leftovers() for law in self.laws if isinstance(law, NothingLeft)]
        found += [law.differs() for law in self.laws if isinstance(law, SameConstants)]
        return "; ".join(what for what in found if what)

    def end(self) -> None:
        """All is over."""
        for law in self.laws:
            law.ends()
