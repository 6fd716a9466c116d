"""The laws of conditions (docs/limits.rst): whom limits end, and where Futures run that have conditions."""

from __future__ import annotations

from ..federation.channel import Channel
from ..federation.terms import terms_of
from ..wire.messages import (
    ALONE_FLAG,
    APART_FLAG,
    BEGUN_ONCE,
    BELOW_FLAG,
    OUT_OF_MEMORY,
    OVERRAN,
    POISONED,
    VALUE,
    Batch,
    Demand,
    Message,
)
from ..wire.names import is_stand_in
from .law import Law
from .records import FutureRecord, Key, Records
from .specs import read
from .system import System

LINKED_SECONDS = 1.0
"""By then Brokers know which neighbours have Workers, if nothing befalls them."""

AFTER_CRASHES = ALONE_FLAG | APART_FLAG | BELOW_FLAG
"""What Brokers may add."""


class OwnWorker(Law):
    """A Future with a limit is in nobody's way: it begins where no other waits, and ends nothing but itself.

    It alone says that it was late, or used too much memory, and only when it did. A stand-in begins nothing else.
    """

    code = "S15"

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        if batch.submitter in self.system.origins or batch.submitter in self.system.workers:
            for number in batch.ids:
                conditions = read(self.records.futures[batch.submitter, number].payload).conditions
                conditions = conditions.plus(terms_of(batch).conditions.flags & AFTER_CRASHES)
                said = f"{batch.submitter}/{number} goes to {peer} on {terms_of(batch)}, not {conditions}"
                self.require(terms_of(batch).conditions._replace(avoid=()) == conditions, said)
        self.require(terms_of(batch).is_alone or not is_stand_in(peer), f"{peer} stands in and is given {batch.ids}")

    def started(self, worker: str, key: Key, attempt: int) -> None:
        spec, node = read(self.records.futures[key].payload), self.system.workers[worker]
        if spec.conditions.is_alone:
            self.require(key[0] != worker, f"{worker} begins {key}, its own, which has a Worker to itself")
            self.require(not node.waiting, f"{worker} begins {key}, which is alone, while {node.waiting} wait")

    def resolves(self, key: Key, record: FutureRecord, kind: int, outcome: bytes) -> None:
        if kind == OVERRAN:
            self.require(record.was_late, f"{key} is said to be late, and was not")
        elif kind == OUT_OF_MEMORY:
            self.require(record.has_grown, f"{key} is said to have used too much memory, and has not")
        elif kind == VALUE and not self.records.loses_frames and self.records.has_only("worker"):
            self.require(not record.was_late, f"{key} was ended as late, and has a value")
            self.require(not record.has_grown, f"{key} was ended for its memory, and has a value")


class AtMostOnce(Law):
    """A Future that may start once at most does, in the whole Federation, whatever dies.

    It is given up only if it may have begun: it has, or somebody is gone who may have had it.
    """

    code = "S17"

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        if peer in self.system.workers and terms_of(batch).is_once:
            self.require(batch.attempt == 1, f"{peer} is given {batch.ids}, which may have begun elsewhere")
            self.require(len(batch.ids) == 1, f"{peer} is given {batch.ids} together")

    def started(self, worker: str, key: Key, attempt: int) -> None:
        record = self.records.futures[key]
        if read(record.payload).conditions.is_once:
            self.require(record.executions == 1, f"{key} begins again, at {worker}, as attempt {attempt}")

    def resolves(self, key: Key, record: FutureRecord, kind: int, outcome: bytes) -> None:
        is_once = read(record.payload).conditions.is_once
        if kind == BEGUN_ONCE:
            self.require(is_once, f"{key} is given up, and may start as often as it takes")
            self.require(not self.records.is_calm or record.executions > 0, f"{key} is given up, and nobody was lost")
            if self.records.has_only("worker"):
                self.require(record.executions > 0, f"{key} is given up, and is known not to have begun")
        self.require(not (is_once and kind == POISONED), f"{key} starts once, and is poisoned")


class AvoidsHosts(Law):
    """What is to avoid a host does so on its whole way, and begins there only if nobody else could run it.

    A Worker that has once said that it starts nothing of others, for a lock is held in it, does not count.
    """

    code = "S20"
    says_of = (Demand,)

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.avoided: dict[Key, tuple[str, ...]] = {}
        self.locked: set[str] = set()

    def says(self, sender: str, peer: str, message: Message, channel: Channel | None) -> None:
        if sender in self.system.workers and not message.workers:  # type: ignore[union-attr]
            self.locked.add(sender)

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        for number in batch.ids:
            avoid = self.avoided.setdefault((batch.submitter, number), tuple(batch.avoid))
            said = f"{batch.submitter}/{number} goes to {peer} and avoids {batch.avoid}, not {avoid}"
            self.require(tuple(batch.avoid) == avoid, said)

    def started(self, worker: str, key: Key, attempt: int) -> None:
        avoid, system = self.avoided.get(key, ()), self.system
        if system.hosts[worker] not in avoid or not self.records.is_calm or system.clock.now < LINKED_SECONDS:
            return
        others = [name for name in system.workers if system.hosts[name] not in avoid and name not in self.locked]
        self.require(not others, f"{worker} begins {key}, which avoids {avoid}, and {others[:3]} could run it")
