"""What must hold, whatever happens: each law is a small class, and one that is broken stops the run.

Codes are those of the project's list: S for safety (checked as things happen), L for liveness (after healing), Q for
quality. Laws see what submitters, Workers and the network see, never the inside of a machine; what must hold there,
the machines assert themselves. L1 and L3 are in :mod:`.schedule`, which lets time pass for them.
"""

from __future__ import annotations

from ..broker.dispatch import MOST_CROSSINGS
from ..wire.messages import CANCELLED, ERROR, LOST, POISONED, VALUE, Batch
from ..wire.names import is_stand_in
from .law import Law, LawOfTheEnd
from .records import FutureRecord, Key, Records
from .specs import CRASHES, RAISES, read, value_of
from .submitter import FORGED
from .system import System

CRASH_LIMIT = 3
IDLE_SECONDS = 2.0


class ResolvesOnce(Law):
    """Every Future resolves at most once."""

    code = "S1"

    def resolves(self, key: Key, record: FutureRecord, kind: int, outcome: bytes) -> None:
        self.require(record.kind is None, f"{key} was resolved before, as {record.kind}, and now as {kind}")


class OwnValue(Law):
    """With the value, or the error, of its function; what is forged on its way is known by its seal."""

    code = "S2"

    def resolves(self, key: Key, record: FutureRecord, kind: int, outcome: bytes) -> None:
        if kind in (VALUE, ERROR):
            self.require(outcome == value_of(record.payload), f"{key} has the outcome of another Future")
            expected = ERROR if read(record.payload).kind == RAISES else VALUE
            self.require(kind == expected, f"{key} is of kind {kind}, not {expected}")
        if kind == FORGED:
            self.require(self.records.has_forgers, f"{key} has an outcome with a wrong seal, and nobody forges")


class OnePlace(Law):
    """In its submitter's view a Future is queued, given, running or resolved, and only one of these."""

    code = "S5"

    def sampled(self, healed: bool) -> None:
        system = self.system
        for node in [*system.workers.values(), *system.origins.values()]:
            if node.alive and (node.calls or node.own or node.machine.given):
                given = [number for _, pending in node.machine.given.values() for number in pending]
                here = [*node.own, *given, *node.machine.lanes.futures()]
                self.require(len(here) == len(set(here)), f"{node.name} has a Future in two places")
                self.require(node.calls.keys() >= set(here), f"{node.name} still has a Future that was resolved")
                if node.name in system.origins:
                    self.require(len(here) == len(node.calls), f"{node.name} has lost a Future")


class AttemptsGrow(Law):
    """A Broker never gives a Future out under an older attempt than before, nor with fewer crashes."""

    code = "S7"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.latest: dict[tuple[str, int, str, int], tuple[int, int]] = {}

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        broker = self.system.brokers.get(sender)
        if broker is None:
            return
        now = (batch.attempt, batch.crashes)
        for number in batch.ids:
            key = (sender, broker.incarnation, batch.submitter, number)
            before = self.latest.get(key, (0, 0))
            self.latest[key] = max(now, before)
            if self.records.is_calm:
                self.require(now >= before, f"{key} goes out as attempt {now} after {before}")


class CrossesTwice(Law):
    """While nothing disturbs that, a Broker lends a Future over a link as often as Brokers allow, and no more.

    That is counted for each time that the Future comes to the Broker: nobody tells it that one which it has given back,
    and which comes again, has been here before. So over the second link of its way a Future may go four times.
    """

    code = "S9"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.crossed: dict[tuple[str, str, str, int, int, int], set[int]] = {}
        self.came: dict[tuple[str, str, int], int] = {}  # (Broker, Future) -> how often it was given that

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        brokers = self.system.brokers
        for number in batch.ids:
            self.came[peer, batch.submitter, number] = self.came.get((peer, batch.submitter, number), 0) + 1
        if self.records.is_calm and sender in brokers and peer in brokers:
            for number in batch.ids:
                times = self.came.get((sender, batch.submitter, number), 0)
                key = (sender, peer, batch.submitter, number, batch.attempt, times)
                pieces = self.crossed.setdefault(key, set())
                pieces.add(batch.piece)
                where = f"{batch.submitter}/{number} {sender} -> {peer}"
                stranded = not brokers[sender].machine.load.takers  # nobody here can run it
                often = len(pieces) <= MOST_CROSSINGS or stranded
                self.require(often, f"{where} in pieces {sorted(pieces)}")


class CrashesExplained(Law):
    """A Future's crash count grows only when a Worker has crashed under it; three and only three poison it."""

    code = "S10"

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        if batch.crashes:
            for number in batch.ids:
                record = self.records.futures.get((batch.submitter, number))
                if record is not None:
                    counts = f"{batch.submitter}/{number}: {batch.crashes} of {record.blamed} crashes"
                    self.require(batch.crashes <= record.blamed, counts)

    def resolves(self, key: Key, record: FutureRecord, kind: int, outcome: bytes) -> None:
        if kind == POISONED:
            self.require(record.blamed >= CRASH_LIMIT, f"{key} is poisoned after {record.blamed} crashes")
        if kind == LOST:
            self.require(self.records.has_given_up, f"{key} was given up while Workers live")
        if kind == VALUE:
            self.require(read(record.payload).kind != CRASHES, f"{key} has survived")


class CancelledIfAsked(Law):
    """Nothing is cancelled that nobody asked for; what is cancelled has no value (S1 says that none comes later)."""

    code = "S11"

    def resolves(self, key: Key, record: FutureRecord, kind: int, outcome: bytes) -> None:
        if kind == CANCELLED:
            self.require(record.cancel_asked, f"{key} was cancelled, and nobody had asked for it")


class NothingLeft(LawOfTheEnd):
    """When all is done no queue and no ledger holds anything: no leak."""

    code = "S8"

    def leftovers(self) -> str:
        system = self.system
        found = []
        for broker in system.brokers.values():
            if broker.alive and broker.name not in system.cut_off():
                counts = broker.machine.statistics()
                found += [f"{broker.name}: {name} {counts[name]}" for name in ("queued", "held") if counts[name]]
                intakes = len(broker.machine.ledger.intakes)
                found += [f"{broker.name}: intakes {intakes}"] if intakes else []
        for node in system.reachable_submitters():
            counts = node.machine.statistics()
            found += [f"{node.name}: {name} {counts[name]}" for name in ("held", "given") if counts[name]]
            found += [f"{node.name}: seals {len(node.sealed)}"] if len(node.sealed) else []
        return "; ".join(found)


class NobodyIdles(Law):
    """No Worker rests for more than two heartbeats while Futures wait where it can be reached."""

    code = "L2"
    seconds = IDLE_SECONDS + 0.5

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.since: float | None = None

    def sampled(self, healed: bool) -> None:
        system, now = self.system, self.system.clock.now
        lost = system.cut_off()
        able = [worker for worker in system.workers.values() if system.hosts[worker.name] not in lost and worker.alive]
        takers = [worker for worker in able if not (is_stand_in(worker.name) or worker.inbox.withdrawal.is_told)]
        idle = [worker.name for worker in takers if worker.resting and not worker.locked_in]
        waiting = self._waiting(lost) if healed and idle else ""
        if not waiting:
            self.since = None
        elif self.since is None:
            self.since = now
        else:
            self.require(now - self.since <= self.seconds, f"{', '.join(idle)} rest, while {waiting}")

    def _waiting(self, lost: set[str]) -> str:
        system = self.system
        for broker in system.brokers.values():
            queue = broker.machine.ledger.queue  # what avoids a host does not go back over it to others
            if broker.name not in lost and (queued := queue.count - queue.avoiding):
                return f"{queued} wait at {broker.name}"
        for origin in system.origins.values():
            if origin.alive and origin.own and origin.machine.linked:
                return f"{len(origin.own)} wait at {origin.name}"
        for worker in system.workers.values():
            waits = worker.own or any(piece.todo for piece in worker.workload.queue)
            if waits and system.hosts[worker.name] not in lost:
                return f"some wait at {worker.name}"
        return ""


class NobodyWaitsInACircle(Law):
    """No Worker that holds a lock waits for Futures that nobody starts: it may start them itself.

    Its own Futures are started by others, come back, or lie where somebody is free. A circle of Workers, each of which
    waits for what another has and may not start, would last.
    """

    code = "L4"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.since: dict[str, float] = {}

    def sampled(self, healed: bool) -> None:
        now, waiting = self.system.clock.now, self._waiting() if healed else {}
        self.since = {name: self.since.get(name, now) for name in waiting}
        for name, since in self.since.items():
            self.require(
                now - since <= IDLE_SECONDS + 0.5, f"{name} waits with its lock, and nobody starts {waiting[name]}"
            )

    def _waiting(self) -> dict[str, list[int]]:
        """Return the own Futures that a Worker waits for with its lock while nobody runs them."""
        system, records = self.system, self.records
        found = {}
        for worker in system.workers.values():
            if worker.alive and worker.locked_in and worker.resting and not worker.own:
                given = [number for _, pending in worker.machine.given.values() for number in pending]
                if worker.elsewhere.open.intersection(given):
                    continue  # those with a time limit run in stand-ins, which may have others to run before
                idle = [number for number in given if not records.futures[worker.name, number].executions]
                if idle and len(idle) == len(given):
                    found[worker.name] = sorted(idle)
        return found


class SameConstants(LawOfTheEnd):
    """In the end every node knows the same value of each shared constant."""

    code = "C1"

    def leftovers(self) -> str:
        gone = self.records.gone
        nodes = [node for node in self.system.reachable_submitters() if node.name not in gone]
        seen: dict[str, tuple[str, bytes]] = {}
        for node in nodes:
            for name, body in node.constants.items():
                who, other = seen.setdefault(name, (node.name, body))
                if other != body:
                    return f"{name} is {other!r} for {who} and {body!r} for {node.name}"
        for node in nodes:
            if node.constants.keys() != seen.keys():
                return f"{node.name} knows {sorted(node.constants)}, not {sorted(seen)}"
        return ""


class RunsOnce(Law):
    """A Future runs exactly once while nothing is disturbed, and once more for each disturbance at most."""

    code = "Q2"

    def started(self, worker: str, key: Key, attempt: int) -> None:
        record = self.records.futures.get(key)
        if record is not None and not self.records.loses_frames:
            most = 1 + self.records.disturbances
            self.require(record.executions <= most, f"{key} runs for the {record.executions}th time, attempt {attempt}")


class WithdrawnTakesNothing(Law):
    """A Worker that is one too many begins nothing that others have given it."""

    code = "S21"

    def started(self, worker: str, key: Key, attempt: int) -> None:
        known = self.system.workers[worker].inbox.withdrawal.is_known
        self.require(key[0] == worker or not known, f"{worker} begins {key}, and is one too many")


class WantsNothingInTheEnd(LawOfTheEnd):
    """When all is done no Broker of a standing Federation asks for Workers, so others can have all slots."""

    code = "S22"

    def leftovers(self) -> str:
        lost, found = self.system.cut_off(), []
        for broker in self.system.brokers.values():
            if broker.alive and broker.name not in lost and broker.machine.wanted.said > 0:
                found.append(f"{broker.name} wants {broker.machine.wanted.said} Workers")
        return "; ".join(found)


ALL: tuple[type[Law], ...] = (
    ResolvesOnce, OwnValue, OnePlace, AttemptsGrow, CrossesTwice, CrashesExplained, CancelledIfAsked, NothingLeft,
    NobodyIdles, NobodyWaitsInACircle, SameConstants, RunsOnce, WithdrawnTakesNothing, WantsNothingInTheEnd,
)  # fmt: skip
