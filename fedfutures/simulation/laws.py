"""What must hold, whatever happens: each law is a small class, and one that is broken stops the run.

Codes are those of the project's list: S for safety (checked as things happen), L for liveness (after healing), Q for
quality. Laws see what submitters, Workers and the network see, never the inside of a machine; what must hold there,
the machines assert themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..broker.dispatch import MOST_CROSSINGS
from ..errors import FedfuturesError
from ..wire import messages
from ..wire.messages import CANCELLED, ERROR, LOST, POISONED, VALUE, Message
from .workload import CRASHES, RAISES, read, value_of

if TYPE_CHECKING:
    from .system import System

CRASH_LIMIT = 3
IDLE_SECONDS = 2.0

Key = tuple[str, int]
"""A Future: its submitter and number."""


class LawBroken(FedfuturesError):
    """A law does not hold: which, when, and in which run."""

    def __init__(self, law: str, detail: str, seed: int = -1, time: float = 0.0) -> None:
        self.law, self.detail, self.seed, self.time = law, detail, seed, time
        super().__init__(law, detail, seed, time)

    def __str__(self) -> str:
        return f"seed {self.seed}, t = {self.time:.6f}: {self.law}: {self.detail}"


@dataclass(slots=True)
class Record:
    """What is known of a Future."""

    payload: bytes
    kind: int | None = None  # of its outcome
    cancel_asked: bool = False
    executions: int = 0
    blamed: int = 0  # Workers that ended while running it, and it was to blame


class Laws:
    """What nodes tell. This base counts, and holds to S1, S2 and S3 at little cost: for runs with many Futures."""

    system: System

    def __init__(self) -> None:
        self.open: dict[Key, bytes] = {}  # unresolved Futures: their payload
        self.count = self.resolved_count = self.executions = 0
        self.until: int | None = None  # stop when so many have resolved

    def broken(self, law: str, detail: str) -> LawBroken:
        """Return what to raise."""
        return LawBroken(law, detail, self.system.seed, self.system.clock.now)

    def submitted(self, node: str, number: int, payload: bytes) -> None:
        """A Future exists."""
        self.count += 1
        self.open[node, number] = payload

    def started(self, worker: str, submitter: str, number: int, attempt: int) -> None:
        """A Worker begins to run it."""
        self.executions += 1

    def resolved(self, node: str, ids: list[int], outcomes: list[bytes], odd: dict[int, int]) -> None:
        """A submitter has outcomes."""
        for number, outcome in zip(ids, outcomes):
            payload = self.open.pop((node, number), None)
            if payload is None:
                raise self.broken("S1 resolves once", f"{node}/{number} was resolved before, or is not its own")
            if number not in odd and outcome != value_of(payload):
                raise self.broken("S2 own value", f"{node}/{number} has the value of another Future")
        self.resolved_count += len(ids)
        if self.resolved_count == self.until:
            self.system.clock.stop()

    def cancel_asked(self, node: str, number: int) -> None:
        """A submitter wants a Future back."""

    def lost(self, worker: str, blamed: Key | None) -> None:
        """A Worker has ended; its own Futures end with it."""

    def left(self, node: str) -> None:
        """A program has ended."""

    def disturbed(self, name: str) -> None:
        """Something was done to a node or link that may lose work."""

    def sends(self, sender: str, peer: str, message: Message) -> None:
        """A message is sent."""


@dataclass
class Books:
    """What laws share."""

    futures: dict[Key, Record] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)  # submitters that have ended
    disturbances: int = 0

    def unresolved(self) -> list[Key]:
        """Return Futures that are open and whose submitter is there."""
        return [key for key, record in self.futures.items() if record.kind is None and key[0] not in self.gone]


class Law:
    """One law; it overrides what it wants to hear of, and calls `broken`."""

    code = ""

    def __init__(self, court: Court) -> None:
        self.court, self.books = court, court.books

    def require(self, holds: bool, detail: str) -> None:
        """Raise LawBroken unless it holds."""
        if not holds:
            raise self.court.broken(f"{self.code} {type(self).__name__}", detail)

    def started(self, worker: str, key: Key, attempt: int) -> None:
        """A Worker begins to run a Future."""

    def resolves(self, key: Key, record: Record, kind: int, outcome: bytes) -> None:
        """An outcome has come; the record is as it was before."""

    def sends(self, sender: str, peer: str, message: Message) -> None:
        """A message is sent."""

    def sampled(self, healed: bool) -> None:
        """Some time has passed."""

    def ends(self) -> None:
        """All is over: everything resolved, everything quiet."""


class ResolvesOnce(Law):
    """Every Future resolves at most once."""

    code = "S1"

    def resolves(self, key: Key, record: Record, kind: int, outcome: bytes) -> None:
        self.require(record.kind is None, f"{key} was resolved before, as {record.kind}, and now as {kind}")


class OwnValue(Law):
    """With the value, or the error, of its function."""

    code = "S2"

    def resolves(self, key: Key, record: Record, kind: int, outcome: bytes) -> None:
        if kind in (VALUE, ERROR):
            self.require(outcome == value_of(record.payload), f"{key} has the outcome of another Future")
            expected = ERROR if read(record.payload).kind == RAISES else VALUE
            self.require(kind == expected, f"{key} is of kind {kind}, not {expected}")


class OnePlace(Law):
    """In its submitter's view a Future is queued, given, running or resolved, and only one of these."""

    code = "S5"

    def sampled(self, healed: bool) -> None:
        system = self.court.system
        for node in [*system.workers.values(), *system.origins.values()]:
            if node.alive:
                given = [number for _, pending in node.machine.given.values() for number in pending]
                here = [*node.own, *given]
                self.require(len(here) == len(set(here)), f"{node.name} has a Future in two places")
                self.require(node.calls.keys() >= set(here), f"{node.name} still has a Future that was resolved")
                if node.name in system.origins:
                    self.require(len(here) == len(node.calls), f"{node.name} has lost a Future")


class AttemptsGrow(Law):
    """A Broker never gives a Future out under an older attempt than before, nor with fewer crashes."""

    code = "S7"

    def __init__(self, court: Court) -> None:
        super().__init__(court)
        self.latest: dict[tuple[str, int, str, int], tuple[int, int]] = {}

    def sends(self, sender: str, peer: str, message: Message) -> None:
        broker = self.court.system.brokers.get(sender)
        if broker is None or type(message) is not messages.Batch:
            return
        now = (message.attempt, message.crashes)
        for number in message.ids:
            key = (sender, broker.boot, message.submitter, number)
            before = self.latest.get(key, (0, 0))
            self.latest[key] = max(now, before)
            if not (self.books.disturbances or self.court.loses_frames):
                self.require(now >= before, f"{key} goes out as attempt {now} after {before}")


class CrossesTwice(Law):
    """While nothing disturbs that, a Future goes over a link as often as Brokers allow, and no more."""

    code = "S9"

    def __init__(self, court: Court) -> None:
        super().__init__(court)
        self.crossed: dict[tuple[str, str, str, int, int], set[int]] = {}

    def sends(self, sender: str, peer: str, message: Message) -> None:
        brokers = self.court.system.brokers
        if self.books.disturbances or self.court.loses_frames:
            return
        if type(message) is messages.Batch and sender in brokers and peer in brokers:
            for number in message.ids:
                key = (sender, peer, message.submitter, number, message.attempt)
                pieces = self.crossed.setdefault(key, set())
                pieces.add(message.piece)
                where = f"{message.submitter}/{number} {sender} -> {peer}"
                often = len(pieces) <= MOST_CROSSINGS or not brokers[sender].machine.takers  # nobody here can run it
                self.require(often, f"{where} in pieces {sorted(pieces)}")


class CrashesExplained(Law):
    """A Future's crash count grows only when a Worker has crashed under it; three and only three poison it."""

    code = "S10"

    def sends(self, sender: str, peer: str, message: Message) -> None:
        if type(message) is messages.Batch and message.crashes:
            for number in message.ids:
                record = self.books.futures.get((message.submitter, number))
                if record is not None:
                    counts = f"{message.submitter}/{number}: {message.crashes} of {record.blamed} crashes"
                    self.require(message.crashes <= record.blamed, counts)

    def resolves(self, key: Key, record: Record, kind: int, outcome: bytes) -> None:
        if kind == POISONED:
            self.require(record.blamed >= CRASH_LIMIT, f"{key} is poisoned after {record.blamed} crashes")
        self.require(kind != LOST, f"{key} was given up while Workers live")
        if kind == VALUE:
            self.require(read(record.payload).kind != CRASHES, f"{key} has survived")


class CancelledIfAsked(Law):
    """Nothing is cancelled that nobody asked for; what is cancelled has no value (S1 says that none comes later)."""

    code = "S11"

    def resolves(self, key: Key, record: Record, kind: int, outcome: bytes) -> None:
        if kind == CANCELLED:
            self.require(record.cancel_asked, f"{key} was cancelled, and nobody had asked for it")


class NothingLeft(Law):
    """When all is done no queue and no ledger holds anything: no leak."""

    code = "S8"

    def leftovers(self) -> str:
        """Say who still has something."""
        system = self.court.system
        found = []
        for broker in system.brokers.values():
            if broker.alive and broker.name not in system.cut_off():
                counts = broker.machine.statistics()
                found += [f"{broker.name}: {name} {counts[name]}" for name in ("queued", "held") if counts[name]]
                found += [f"{broker.name}: intakes {len(broker.machine.intakes)}"] if broker.machine.intakes else []
        for node in [*system.workers.values(), *system.origins.values()]:
            if node.alive and system.hosts[node.name] not in system.cut_off():
                counts = node.machine.statistics()
                found += [f"{node.name}: {name} {counts[name]}" for name in ("held", "given") if counts[name]]
        return "; ".join(found)

    def ends(self) -> None:
        found = self.leftovers()
        self.require(not found, found)


class NobodyIdles(Law):
    """No Worker rests for more than two beats while Futures wait where it can be reached."""

    code = "L2"

    def __init__(self, court: Court) -> None:
        super().__init__(court)
        self.since: float | None = None

    def sampled(self, healed: bool) -> None:
        system, now = self.court.system, self.court.system.clock.now
        lost = system.cut_off()
        able = [worker for worker in system.workers.values() if system.hosts[worker.name] not in lost and worker.alive]
        idle = [worker.name for worker in able if worker.resting and not worker.locked_in]
        waiting = self._waiting(lost) if healed and idle else ""
        if not waiting:
            self.since = None
        elif self.since is None:
            self.since = now
        else:
            self.require(now - self.since <= IDLE_SECONDS + 0.5, f"{', '.join(idle)} rest, while {waiting}")

    def _waiting(self, lost: set[str]) -> str:
        system = self.court.system
        for broker in system.brokers.values():
            if broker.name not in lost and (queued := broker.machine.statistics()["queued"]):
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

    def __init__(self, court: Court) -> None:
        super().__init__(court)
        self.since: dict[str, float] = {}

    def sampled(self, healed: bool) -> None:
        now, waiting = self.court.system.clock.now, self._waiting() if healed else {}
        self.since = {name: self.since.get(name, now) for name in waiting}
        for name, since in self.since.items():
            self.require(
                now - since <= IDLE_SECONDS + 0.5, f"{name} waits with its lock, and nobody starts {waiting[name]}"
            )

    def _waiting(self) -> dict[str, list[int]]:
        """Return the own Futures that a Worker waits for with its lock while nobody runs them."""
        system, books = self.court.system, self.books
        found = {}
        for worker in system.workers.values():
            if worker.alive and worker.locked_in and worker.resting and not worker.own:
                given = [number for _, pending in worker.machine.given.values() for number in pending]
                idle = [number for number in given if not books.futures[worker.name, number].executions]
                if idle and len(idle) == len(given):
                    found[worker.name] = sorted(idle)
        return found


class SameConstants(Law):
    """In the end every node knows the same value of each shared constant."""

    code = "C1"

    def differs(self) -> str:
        """Say who knows something else."""
        system = self.court.system
        lost = system.cut_off()
        nodes = [
            node
            for node in [*system.workers.values(), *system.origins.values()]
            if node.alive and node.name not in self.books.gone and system.hosts[node.name] not in lost
        ]
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

    def ends(self) -> None:
        found = self.differs()
        self.require(not found, found)


class RunsOnce(Law):
    """A Future runs exactly once while nothing is disturbed, and once more for each disturbance at most."""

    code = "Q2"

    def started(self, worker: str, key: Key, attempt: int) -> None:
        record = self.books.futures.get(key)
        if record is not None and not self.court.loses_frames:
            most = 1 + self.books.disturbances
            self.require(record.executions <= most, f"{key} runs for the {record.executions}th time, attempt {attempt}")


ALL: tuple[type[Law], ...] = (
    ResolvesOnce, OwnValue, OnePlace, AttemptsGrow, CrossesTwice, CrashesExplained, CancelledIfAsked, NothingLeft,
    NobodyIdles, NobodyWaitsInACircle, SameConstants, RunsOnce,
)  # fmt: skip


class Court(Laws):
    """All laws, for schedules of faults. L1 and L3 are in :mod:`.schedule`, which lets time pass for them."""

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.loses_frames = False
        self.laws = [law(self) for law in ALL]
        self._at_start = self._having("started")
        self._at_outcome = self._having("resolves")
        self._at_message = self._having("sends")
        self._at_sample = self._having("sampled")

    def _having(self, hook: str) -> list[Law]:
        return [law for law in self.laws if getattr(type(law), hook) is not getattr(Law, hook)]

    def submitted(self, node: str, number: int, payload: bytes) -> None:
        self.count += 1
        self.books.futures[node, number] = Record(payload)

    def started(self, worker: str, submitter: str, number: int, attempt: int) -> None:
        self.executions += 1
        record = self.books.futures.get((submitter, number))
        if record is None:
            raise self.broken("S3 own submitter", f"{worker} runs {submitter}/{number}, which nobody submitted")
        record.executions += 1
        for law in self._at_start:
            law.started(worker, (submitter, number), attempt)

    def resolved(self, node: str, ids: list[int], outcomes: list[bytes], odd: dict[int, int]) -> None:
        for number, outcome in zip(ids, outcomes):
            key = (node, number)
            record = self.books.futures.get(key)
            if record is None:
                raise self.broken("S3 own submitter", f"{node} has an outcome of {number}, which it never submitted")
            kind = odd.get(number, VALUE)
            for law in self._at_outcome:
                law.resolves(key, record, kind, outcome)
            record.kind = kind
        self.resolved_count += len(ids)

    def cancel_asked(self, node: str, number: int) -> None:
        self.books.futures[node, number].cancel_asked = True

    def lost(self, worker: str, blamed: Key | None) -> None:
        self.books.gone.add(worker)
        self.books.disturbances += 1
        if blamed is not None:
            self.books.futures[blamed].blamed += 1

    def left(self, node: str) -> None:
        self.books.gone.add(node)

    def disturbed(self, name: str) -> None:
        self.books.disturbances += 1

    def sends(self, sender: str, peer: str, message: Message) -> None:
        for law in self._at_message:
            law.sends(sender, peer, message)

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
