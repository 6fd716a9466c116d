"""What all simulated nodes share: the clock, what is drawn, who observes; and what they have in common.

Each node has a clock of its own, which may run fast or slow and begins at any number, so that a machine that took an
instant of another for its own would be found out. A node can be *halted*: a process that is stopped gets everything
when it goes on, one that is down gets what ZeroMQ kept for its successor, if anything.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from ..federation.events import Send, Tick
from ..wire import codec
from .clock import Clock
from .network import SimLink
from .observer import Observer

ROUND_SECONDS = 200e-6
"""What a Broker has been told for so long it takes in together before it looks at the whole: its shell's loop."""
NEVER = float("inf")
TICK = Tick()


class Costs(NamedTuple):
    """Processor time that nodes take for what they do, in seconds; docs/simulation.rst says how it was measured."""

    broker: float = 0.0  # of each message that a Broker receives or sends
    worker: float = 0.0  # of each Future, beside what its function takes


FREE = Costs()


class World:
    """One seed decides everything. Of so many steps of machines one is followed by a check of that machine; 0: none."""

    __slots__ = ("_boots", "_checked_of", "_steps", "_tags", "clock", "costs", "observer", "seed")

    def __init__(self, seed: int, *, checked_of: int = 0, costs: Costs = FREE) -> None:
        self.seed, self.costs = seed, costs
        self._steps, self._checked_of = 0, checked_of
        self.clock, self.observer = Clock(), Observer()
        self._tags = 0
        self._boots = random.Random(f"{seed} boots")

    def next_boot(self) -> int:
        """What a process draws when it starts."""
        return self._boots.getrandbits(48)

    def next_tag(self) -> int:
        """A number no Future has had."""
        self._tags += 1
        return self._tags

    def checks_now(self) -> bool:
        """Whether the machine that has just made a step is to be checked."""
        self._steps += 1
        return self._checked_of > 0 and self._steps % self._checked_of == 0

    def note(self, name: str, what: str) -> None:
        """Something befell a node."""
        self.observer.on_incident(self.clock.now, name, what)


class Watch(NamedTuple):
    """A node's own clock: how fast it runs, and what it said in the beginning."""

    rate: float = 1.0
    offset: float = 0.0


class SimNode:
    """What all nodes have: a name, a clock, and the time of their next wake."""

    __slots__ = ("_wake_at", "alive", "clock", "halted", "links", "mail", "name", "offset", "rate", "sent", "world")

    def __init__(self, world: World, name: str, watch: Watch) -> None:
        self.world, self.clock, self.name = world, world.clock, name
        self.rate, self.offset = watch
        self.alive = True
        self.halted = False  # stopped, or down
        self.mail: list[Callable[[], object]] | None = None  # what is to be done when it goes on; None: nothing is kept
        self.sent = 0  # messages
        self.links: dict[str, SimLink] = {}  # by the name that the machine knows the peer by
        self._wake_at = NEVER

    def local(self) -> float:
        """What this node's clock says."""
        return self.clock.now * self.rate + self.offset

    def deadline(self) -> float | None:
        """When the machine wants its next Tick, by this node's clock."""
        raise NotImplementedError

    def tick(self) -> None:
        """Give the machine a Tick."""
        raise NotImplementedError

    def check(self) -> None:
        """Let the machine check itself."""
        raise NotImplementedError

    def arrive(self, source: str, frame: bytes) -> None:
        """A frame has come over the Main link."""
        raise NotImplementedError

    def hear(self, source: str, frame: bytes) -> None:
        """A frame was published."""
        raise NotImplementedError

    def plan(self) -> None:
        """See to it that the machine is woken at its deadline."""
        self._plan_for(self.deadline())

    def _plan_for(self, due: float | None) -> None:
        if due is not None:
            time = (due - self.offset) / self.rate
            if time < self._wake_at:
                self._wake_at = max(time, self.clock.now + ROUND_SECONDS)
                self.clock.at(self._wake_at, self._wake, self._wake_at)

    def _wake(self, time: float) -> None:
        if time == self._wake_at and not self.halted:
            self._wake_at = NEVER
            due = self.deadline()
            if due is not None and due <= self.local() + 1e-9:
                self.tick()
                due = self.deadline()
            self._plan_for(due)

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

    def frame_of(self, peer: str, action: Send) -> bytes:
        """Count a message that is being sent, let whoever wants see it, and return its bytes."""
        self.sent += 1
        observer = self.world.observer
        if observer.sees_messages:
            observer.on_send(self.clock.now, self.name, peer, action)
        return codec.encode(action.message, action.sequence, action.acknowledged)
