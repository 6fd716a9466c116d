"""What all simulated nodes share: the clock, what is drawn, who observes; and what they have in common.

Each node has a clock of its own, which may run fast or slow and begins at any number, so that a machine that took an
instant of another for its own would be found out. A node can be *halted*: a process that is stopped gets everything
when it goes on, one that is down gets what ZeroMQ kept for its successor, if anything.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ..federation.events import Send, Tick
from ..wire import codec
from ..wire.messages import Batch, Demand
from ..wire.seal import Seal, Stamp
from .clock import Clock
from .frames import Frame, copied
from .lanes import SimLanes
from .network import Receiver
from .observer import Observer

ROUND_SECONDS = 200e-6
"""What a Broker has been told for so long it takes in together before it looks at the whole: its shell's loop."""
NEVER = float("inf")
TICK = Tick()


class Costs(NamedTuple):
    """Processor time that nodes take for what they do, in seconds; docs/simulation.rst says how it was measured."""

    broker: float = 0.0  # of each message that a Broker receives or sends
    worker: float = 0.0  # of each Future, beside what its function takes
    processors: int = 0  # that all nodes share for all this, and for what functions compute; 0: each has its own


FREE = Costs()


class Processors:
    """Processors that nodes share: what functions compute waits for its turn, and what Brokers do goes first."""

    __slots__ = ("_free_at",)

    def __init__(self, count: int) -> None:
        self._free_at = [0.0] * count  # a heap

    def compute(self, now: float, seconds: float) -> float:
        """Return when a computation ends that is ready now; no other interrupts it."""
        ends = max(now, self._free_at[0]) + seconds
        heapq.heapreplace(self._free_at, ends)
        return ends

    def interrupt(self, now: float, seconds: float) -> None:
        """Something short is done now: what computes is done so much later."""
        self.compute(now, seconds)


class World:
    """One seed decides everything.

    checked_of
        Of so many steps and messages one is checked: the machine checks itself, the message goes through the codec.
        0: none.
    sealed
        Whether nodes have a key, as in a run that spans hosts: tasks and outcomes carry seals.
    """

    __slots__ = (
        "_checked_of",
        "_incarnations",
        "_stamps",
        "_steps",
        "_tags",
        "clock",
        "costs",
        "lanes",
        "observer",
        "processors",
        "seal",
        "seed",
    )

    def __init__(self, seed: int, *, checked_of: int = 0, costs: Costs = FREE, sealed: bool = False) -> None:
        self.seed, self.costs = seed, costs
        self.processors = Processors(costs.processors) if costs.processors else None
        self._steps, self._checked_of = 0, checked_of
        self.clock, self.observer = Clock(), Observer()
        self.lanes = SimLanes(self.clock)
        self._tags = 0
        self.seal = Seal(b"%032d" % seed) if sealed else None
        self._stamps: dict[tuple[bytes, str], Stamp] = {}
        self._incarnations = random.Random(f"{seed} boots")

    def stamp(self, function: bytes, submitter: str) -> Stamp | None:
        """Return what seals and opens the payloads of a function and a submitter; None: nodes have no key."""
        if self.seal is None:
            return None
        found = self._stamps.get((function, submitter))
        if found is None:
            found = self._stamps[function, submitter] = self.seal.stamp(function, submitter)
        return found

    def next_incarnation(self) -> int:
        """What a process draws when it starts."""
        return self._incarnations.getrandbits(48)

    def next_tag(self) -> int:
        """A number no Future has had."""
        self._tags += 1
        return self._tags

    def checks_now(self) -> bool:
        """Whether the step or message at hand is to be checked."""
        self._steps += 1
        return self._checked_of > 0 and self._steps % self._checked_of == 0

    def seconds_of(self, computing: float) -> float:
        """How long what computes for so many seconds takes from now on: longer where it waits for a processor."""
        now = self.clock.now
        return computing if self.processors is None else self.processors.compute(now, computing) - now

    def note(self, name: str, what: str) -> None:
        """Something befell a node."""
        self.observer.on_incident(self.clock.now, name, what)


class Watch(NamedTuple):
    """A node's own clock: how fast it runs, and what it said in the beginning."""

    rate: float = 1.0
    offset: float = 0.0


class Machine(Protocol):
    """The rules of a node, as far as all nodes have them."""

    def next_deadline(self) -> float | None:
        """When the machine wants its next Tick, by its node's clock."""

    def check(self) -> None:
        """Assert that its books agree."""


class SimNode(Receiver):
    """What all nodes have: a name, a clock, and the time of their next wake."""

    __slots__ = ("_wake_at", "alive", "clock", "halted", "machine", "mail", "name", "offset", "rate", "sent", "world")

    machine: Machine

    def __init__(self, world: World, name: str, watch: Watch) -> None:
        self.world, self.clock, self.name = world, world.clock, name
        self.rate, self.offset = watch
        self.alive = True
        self.halted = False  # stopped, or down
        self.mail: list[Callable[[], object]] | None = None  # what is to be done when it goes on; None: nothing is kept
        self.sent = 0  # messages
        self._wake_at = NEVER

    def tick(self) -> None:
        """Give the machine a Tick."""
        raise NotImplementedError

    def forget_functions(self) -> None:
        """Drop the definitions that are known here."""

    def plan(self) -> None:
        """See to it that the machine is woken at its deadline."""
        due = self.machine.next_deadline()
        if due is not None:
            time = (due - self.offset) / self.rate
            if time < self._wake_at:
                self._wake_at = max(time, self.clock.now + ROUND_SECONDS)
                self.clock.at(self._wake_at, self._wake, self._wake_at)

    def _wake(self, time: float) -> None:
        if time == self._wake_at and not self.halted:
            self._wake_at = NEVER
            due = self.machine.next_deadline()
            if due is not None and due <= self.clock.now * self.rate + self.offset + 1e-9:
                self.tick()
            self.plan()

    def later(self, call: Callable[[], object]) -> None:
        """Keep what a halted node is to do when it goes on."""
        if self.mail is not None:
            self.mail.append(call)

    def halt(self, *, keeps_mail: bool) -> None:
        """Stop; what comes meanwhile is kept or lost."""
        self.halted = True
        self.mail = [] if keeps_mail else None

    def end(self, *, keeps_mail: bool = False) -> None:
        """The process has ended."""
        self.alive = False
        self.halt(keeps_mail=keeps_mail)

    def go_on(self) -> None:
        """Do what was put off, and go on."""
        self.halted = False
        mail, self.mail = self.mail, None
        for call in mail or ():
            call()
        self._wake_at = NEVER
        self.plan()

    def frame_of(self, peer: str, action: Send) -> Frame:
        """Count a message that is being sent, let whoever wants see it, and return it as it arrives."""
        self.sent += 1
        message = action.message
        if type(message) is Batch:
            self.world.observer.on_batch(self.name, peer, message, action.sequence)
        elif type(message) is Demand:
            self.world.observer.on_demand(self.name, peer, message, action.acknowledged)
        if self.world.observer.sees_messages:
            self.world.observer.on_send(self.clock.now, self.name, peer, action)
        if self.world.checks_now():
            return codec.decode_all(codec.encode(message, action.sequence, action.acknowledged))
        return [(action.sequence, action.acknowledged, copied(message))]
