"""Laws of who is served: nobody in vain, the urgent first, each Origin its share, nobody more than it has room for."""

from __future__ import annotations

from bisect import bisect_right

from ..wire.messages import Batch
from ..wire.names import is_stand_in
from .law import Law
from .laws import NobodyIdles
from .records import Key, Records
from .specs import LOCKS, read
from .system import System
from .world import NEVER

VAIN_SECONDS = 8.0
"""Within which, after healing, all Workers have heard that a Future is not wanted any more."""
PUMP_SECONDS = 0.03
"""The same where links were always good, beside the time that messages take: Workers look every 10 ms at what came."""
KNOWN_SECONDS = 0.3
"""Within which a program is welcome again, once its Broker is alive: it introduces itself four times a second."""
PASSED_OVER = 20
"""So many pieces of others, at most, are given out while an Origin waits."""


class NobodyRunsInVain(Law):
    """No Worker begins a Future that has resolved, was cancelled, or whose submitter has gone, some time ago."""

    code = "S13"

    def bound(self) -> float:
        """Return within which time Workers hear of it where links are good: it may have gone from Broker to Broker."""
        return PUMP_SECONDS + 3 * sum(between[0].latency for between in self.system.links_between.values())

    def started(self, worker: str, key: Key, attempt: int) -> None:
        records, now = self.records, self.system.clock.now
        record = records.futures[key]
        since = record.settled_at
        if not records.links_good_since or key[0] not in self.system.origins:  # a program may end with its Bye unheard
            since = min(since, records.gone.get(key[0], NEVER))
        if "broker" not in records.kinds:  # one that is started again has not heard of it
            since = min(since, record.cancelled_at)
        if since < NEVER:
            good, most = records.links_good_since, VAIN_SECONDS if records.links_good_since else self.bound()
            since = max(since, good)
            self.require(now - since <= most, f"{worker} begins {key}, unwanted for {now - since:.3f} s")


class OwnPriority(Law):
    """A Future has the priority under which it was submitted, wherever it goes."""

    code = "P1"

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        for number in batch.ids:
            record = self.records.futures.get((batch.submitter, number))
            if record is not None:
                said = (
                    f"{batch.submitter}/{number} goes to {peer} with priority {batch.priority}, not {record.priority}"
                )
                self.require(batch.priority == record.priority, said)


class UrgentFirst(Law):
    """A Broker gives its Workers, and a Worker begins, nothing while it has something of a higher priority."""

    code = "P2"

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        broker = self.system.brokers.get(sender)
        if broker is not None and peer in self.system.workers and not is_stand_in(peer):
            highest = max((lot.terms.priority for lot in broker.machine.ledger.queue), default=batch.priority)
            said = f"{peer} is given priority {batch.priority}, while {highest} waits at {sender}"
            self.require(highest <= batch.priority, said)

    def started(self, worker: str, key: Key, attempt: int) -> None:
        record, node = self.records.futures[key], self.system.workers[worker]
        if node.workload.has_priorities and key[0] != worker and read(record.payload).kind != LOCKS:
            most = max([record.priority, *(piece.terms.priority for piece in node.workload.queue if piece.todo)])
            self.require(record.priority >= most, f"{worker} begins {key}, of {record.priority}, while {most} waits")


class SuspectsAlone(Law):
    """A Future that has crashed a Worker travels alone, and does not begin again once it has crashed three."""

    code = "S14"

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        if batch.crashes:
            alone = len(batch.ids) == 1 and (batch.spent or peer not in self.system.workers)
            self.require(alone, f"{batch.submitter}/{batch.ids} have crashed a Worker, and others go with them")

    def started(self, worker: str, key: Key, attempt: int) -> None:
        blamed = self.records.futures[key].blamed
        if self.records.has_only("worker"):
            self.require(blamed < 3, f"{worker} begins {key}, which has crashed {blamed}")


class NoMoreThanAsked(Law):
    """Nobody is given more Futures than it has asked for, beside those that it had taken in when it did."""

    code = "Q5"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.given: dict[tuple[str, str], tuple[list[int], list[int]]] = {}  # numbers of Batches, and sums
        self.most: dict[tuple[str, str], int] = {}  # what may be given in all

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        if not self.records.is_calm:
            return
        numbers, sums = self.given.setdefault((sender, peer), ([], []))
        numbers.append(sequence)
        sums.append((sums[-1] if sums else 0) + len(batch.ids))
        if sender in self.system.brokers:
            most = self.most.get((sender, peer), 0)
            self.require(sums[-1] <= most, f"{sender} gives {peer} {sums[-1]} in all, and only {most} were asked for")

    def asks(self, sender: str, peer: str, count: int, acknowledged: int) -> None:
        numbers, sums = self.given.get((peer, sender), ([], []))
        at = bisect_right(numbers, acknowledged)
        before = sums[at - 1] if at else 0
        self.most[peer, sender] = max(self.most.get((peer, sender), 0), before + count)


class EqualShares(Law):
    """While Futures of several Origins wait at a Broker, none is passed over again and again."""

    code = "Q4"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.passed: dict[tuple[str, str], int] = {}  # (Broker, root) -> how many pieces others were given since

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        broker = self.system.brokers.get(sender)
        if is_stand_in(peer):
            return  # it takes only what others may not start
        if broker is not None and peer in self.system.workers and self.records.is_calm and not self.records.gone:
            waiting = {(lot.terms.root, lot.terms.priority) for lot in broker.machine.ledger.queue}
            roots = {root for root, _ in waiting if root != batch.root}
            for root in [root for name, root in self.passed if name == sender and root not in roots]:
                del self.passed[sender, root]
            for root in sorted(root for root in roots if (root, batch.priority) in waiting):
                self.passed[sender, root] = passed = self.passed.get((sender, root), 0) + 1
                self.require(passed <= PASSED_OVER, f"{root} is passed over for the {passed}th time at {sender}")


class NobodyIdlesWhileCalm(NobodyIdles):
    """Where nothing has happened, no Worker rests for a second while Futures wait where it can be reached."""

    code = "L5"
    seconds = 1.0

    def sampled(self, healed: bool) -> None:
        conditions = self.system.conditions
        hears = conditions is None or not conditions.drop_published
        super().sampled(self.records.is_calm and hears and self.system.clock.now > 1.0)


class RunsInOnePlace(Law):
    """Where only Brokers have ended, no Future begins while a Worker that is alive runs it."""

    code = "Q6"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.runs: dict[Key, str] = {}

    def started(self, worker: str, key: Key, attempt: int) -> None:
        if not self.records.has_only("broker") or len(self.system.brokers) > 1 or key[0] not in self.system.origins:
            return  # a Worker runs itself what its Broker has forgotten; a neighbour may be late to say what it holds
        other = self.system.workers.get(self.runs.get(key, ""))
        if other is not None and other.name != worker and other.current is not None:
            current = other.current
            submitter = other.name if current.piece is None else current.piece.terms.submitter
            self.require((submitter, current.number) != key, f"{worker} begins {key}, which {other.name} runs")
        self.runs[key] = worker


class KnownAgain(Law):
    """A program that sees its Broker end is known to the next one as soon as that listens."""

    code = "L6"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.since: dict[str, float] = {}

    def sampled(self, healed: bool) -> None:
        system, now = self.system, self.system.clock.now
        waiting = [name for name, origin in system.origins.items() if origin.bereft and origin.alive]
        alive = [name for name in waiting if system.brokers[system.hosts[name]].alive]
        self.since = {name: self.since.get(name, now) for name in alive if self.records.has_only("worker", "broker")}
        for name, since in self.since.items():
            self.require(now - since <= KNOWN_SECONDS, f"{name} is not known at {system.hosts[name]}")


SERVING: tuple[type[Law], ...] = (
    NobodyRunsInVain, OwnPriority, UrgentFirst, SuspectsAlone, NoMoreThanAsked, EqualShares, NobodyIdlesWhileCalm,
    RunsInOnePlace, KnownAgain,
)  # fmt: skip
