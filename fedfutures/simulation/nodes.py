"""Nodes: a machine, what a shell keeps around it, and the links to others.

Each node has a clock of its own, which may run fast or slow and begins at any number, so that a machine that took an
instant of another for its own would be found out. A node can be *halted*: a process that is stopped gets everything
when it goes on, one that is down gets what ZeroMQ kept for its successor, if anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import msgpack

from ..broker.events import Action as BrokerAction
from ..broker.events import Dial, Publish
from ..broker.events import Event as BrokerEvent
from ..broker.machine import BrokerMachine
from ..errors import RemoteProtocolError
from ..federation.events import Arrived, Send, Tick
from ..wire import codec
from ..wire.messages import CANCELLED
from ..worker import events as rules
from ..worker.machine import WorkerMachine
from ..worker.pace import BATCH_FUTURES_AT_MOST
from .network import Link

if TYPE_CHECKING:
    from .system import System

ROUND_SECONDS = 200e-6
"""What a Broker has been told for so long it takes in together before it looks at the whole: its shell's loop."""

LINGER_SECONDS = 5.0
NEVER = float("inf")
TICK = Tick()


class Node:
    """What all nodes have: a name, a clock, and the time of their next wake."""

    __slots__ = ("alive", "clock", "halted", "links", "mail", "name", "offset", "rate", "sent", "system", "wake_at")

    def __init__(self, system: System, name: str, rate: float = 1.0, offset: float = 0.0) -> None:
        self.system, self.clock, self.name = system, system.clock, name
        self.rate, self.offset = rate, offset
        self.alive = True
        self.halted = False  # stopped, or down
        self.mail: list[Callable[[], object]] | None = None  # what is to be done when it goes on; None: nothing is kept
        self.sent = 0  # messages
        self.wake_at = NEVER
        self.links: dict[str, Link] = {}  # by the name that the machine knows the peer by

    def local(self) -> float:
        """What this node's clock says."""
        return self.clock.now * self.rate + self.offset

    def deadline(self) -> float | None:
        """When the machine wants its next Tick, by this node's clock."""
        raise NotImplementedError

    def tick(self) -> None:
        """Give the machine a Tick."""
        raise NotImplementedError

    def arrive(self, source: str, frame: bytes) -> None:
        """A frame has come over the Main link."""
        raise NotImplementedError

    def hear(self, source: str, frame: bytes) -> None:
        """A frame was published."""
        raise NotImplementedError

    def plan(self) -> None:
        """See to it that the machine is woken at its deadline."""
        due = self.deadline()
        if due is not None:
            time = (due - self.offset) / self.rate
            if time < self.wake_at:
                self.wake_at = max(time, self.clock.now + ROUND_SECONDS)
                self.clock.at(self.wake_at, self._wake, self.wake_at)

    def _wake(self, time: float) -> None:
        if time == self.wake_at and not self.halted:
            self.wake_at = NEVER
            due = self.deadline()
            if due is not None and due <= self.local() + 1e-9:
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

    def go_on(self) -> None:
        """Do what was put aside, and go on."""
        self.halted = False
        mail, self.mail = self.mail, None
        for call in mail or ():
            call()
        self.wake_at = NEVER
        self.plan()

    def frame_of(self, peer: str, action: Send) -> bytes:
        """Count a message that is being sent, let the laws see it, and return its bytes."""
        self.sent += 1
        if self.system.watched:
            self.system.sends(self.name, peer, action)
        return codec.encode(action.message, action.sequence, action.acknowledged)


class SimBroker(Node):
    """A Broker's process."""

    __slots__ = ("boot", "machine", "meta", "round_is_due")

    machine: BrokerMachine

    def __init__(self, system: System, name: str, rate: float = 1.0, offset: float = 0.0) -> None:
        super().__init__(system, name, rate, offset)
        self.meta: dict[str, dict[str, Link]] = {}  # topic -> links by peer; "": to the own Workers
        self.round_is_due = False
        self.start()

    def start(self) -> None:
        """Begin with a machine that knows nothing."""
        self.boot = self.system.next_boot()
        dice = Random(f"{self.system.seed} {self.name} {self.boot}")
        self.machine = BrokerMachine(self.name, self.boot, self.system.size, msgpack.packb, dice)

    def deadline(self) -> float | None:
        return self.machine.next_deadline()

    def tick(self) -> None:
        self.step(TICK)

    def step(self, event: BrokerEvent) -> None:
        """Give the machine an event and do what it says."""
        actions = self.machine.step(event, self.clock.now * self.rate + self.offset)
        if actions:
            self._act(actions)
        if self.system.careful and (actions or event is not TICK):
            self.machine.check()

    def inform(self, event: BrokerEvent) -> None:
        """The host process tells the Broker something; it looks at the whole afterwards."""
        if self.halted:
            self.later(lambda: self.inform(event))
        else:
            self.step(event)
            self._expect_round()

    def dial(self, peer: str) -> None:
        """Begin to link to a neighbour."""
        self.inform(Dial(peer))

    def arrive(self, source: str, frame: bytes) -> None:
        if self.halted:
            self.later(lambda: self.arrive(source, frame))
            return
        for sequence, acknowledged, message in codec.decode_all(frame):
            self.step(Arrived(source, sequence, acknowledged, message))
        self._expect_round()

    def hear(self, source: str, frame: bytes) -> None:
        if not self.halted:
            self.step(Arrived(source, *codec.decode(frame)))
            self._expect_round()

    def _expect_round(self) -> None:
        if not self.round_is_due:
            self.round_is_due = True
            self.clock.at(self.clock.now + ROUND_SECONDS, self._round)

    def _round(self, _: object) -> None:
        self.round_is_due = False
        if not self.halted:
            self.step(TICK)
            self.plan()

    def _act(self, actions: list[BrokerAction]) -> None:
        """Send each peer what there is for it, in one frame, and publish."""
        if len(actions) == 1 and type(actions[0]) is Send:
            self.carry(actions[0].peer, actions[0])
            return
        frames: dict[str, bytes] = {}
        for action in actions:
            if type(action) is Send:
                frame = self.frame_of(action.peer, action)
                frames[action.peer] = frames[action.peer] + frame if action.peer in frames else frame
            elif type(action) is Publish:
                self._publish(action)
        for peer, frame in frames.items():
            self._post(peer, frame)

    def carry(self, peer: str, action: Send) -> None:
        """Send a message by itself."""
        self._post(peer, self.frame_of(peer, action))

    def _post(self, peer: str, frame: bytes) -> None:
        link = self.links.get(peer)
        if link is not None:
            link.send(frame)

    def _publish(self, action: Publish) -> None:
        self.sent += 1
        frame = codec.encode(action.state)
        for link in self.meta.get(action.topic, {}).values():
            link.publish(frame)


class Call(NamedTuple):
    """An own Future that has not resolved."""

    payload: bytes
    function: bytes
    priority: int


class Submitter(Node):
    """What Origin and Worker have in common: own Futures, given as far as others can use them."""

    __slots__ = ("answers", "calls", "constants", "machine", "numbers", "own", "size", "told_all", "up")

    def __init__(self, system: System, name: str, role: str, rate: float = 1.0, offset: float = 0.0) -> None:
        super().__init__(system, name, rate, offset)
        boot = system.next_boot()
        self.machine = WorkerMachine(name, role, boot, boot % 30_000)
        self.calls: dict[int, Call] = {}
        self.own: deque[int] = deque()  # neither started nor given
        self.numbers = 0
        self.size = 0
        self.constants: dict[str, bytes] = {}
        self.answers: dict[str, bytes] | None = None  # to what was asked, by who gave them
        self.told_all = False
        self.up: Link | None = None  # to the Broker

    def deadline(self) -> float | None:
        return self.machine.next_deadline()

    def service(self) -> None:
        """Do all that is due."""
        raise NotImplementedError

    def step(self, event: rules.Event) -> None:
        """Give the machine an event and do what it says."""
        for action in self.machine.step(event, self.clock.now * self.rate + self.offset):
            if type(action) is Send:
                self._send(action)
            else:
                self.act(action)
        if self.system.careful:
            self.machine.check()

    def _send(self, action: Send) -> None:
        frame = self.frame_of("", action)
        if self.up is not None:
            self.up.send(frame)

    def act(self, action: rules.Action) -> None:
        """Do what the machine says, but for sending."""
        if type(action) is rules.Resolve:
            self.resolve(action.ids, action.outcomes, action.odd)
        elif type(action) is rules.Linked:
            self.size = action.size
        elif type(action) is rules.Reclaim:
            self.own.extendleft(number for number in reversed(action.ids))
            self.system.happened(self.name, f"has {len(action.ids)} Futures back: the Broker was started again")
        elif type(action) is rules.Shared:
            self.constants[action.name] = action.body
        elif type(action) is rules.Told and self.answers is not None:
            self.answers[action.name] = action.report
            self.told_all = self.told_all or action.last
        elif type(action) is rules.Denied:
            raise AssertionError(f"{self.name} was refused: {action.reason}")

    def take_in(self, frame: bytes) -> None:
        """Step the machine with the messages of a frame."""
        for sequence, acknowledged, message in codec.decode_all(frame):
            try:
                self.step(Arrived("", sequence, acknowledged, message))
            except RemoteProtocolError as error:
                self.system.happened(self.name, f"dropped a message: {error}")

    def submit(self, payload: bytes, function: bytes, priority: int = 0) -> int:
        """Submit a Future; it stays here until somebody can use it."""
        self.numbers += 1
        self.calls[self.numbers] = Call(payload, function, priority)
        self.own.append(self.numbers)
        self.system.laws.submitted(self.name, self.numbers, payload)
        return self.numbers

    def resolve(self, ids: list[int], outcomes: list[bytes], odd: list[tuple[int, int]]) -> None:
        """Own Futures have outcomes."""
        self.system.laws.resolved(self.name, ids, outcomes, dict(odd) if odd else {})
        calls = self.calls
        for number in ids:
            del calls[number]

    def backlog(self) -> int:
        """How many own Futures are still here."""
        return len(self.own)

    def offer(self) -> None:
        """Give own Futures as far as the Broker can take them."""
        wanted = self.machine.wanted()
        urgent = self.machine.urgent()
        while self.own:
            if wanted <= 0 and self.calls[self.own[0]].priority > 0:
                wanted, urgent = urgent, 0
            if wanted <= 0:
                return
            ids = self._cut(min(wanted, BATCH_FUTURES_AT_MOST))
            wanted -= len(ids)
            first = self.calls[ids[0]]
            self.machine.define(first.function, "function", b"body of " + first.function)
            payloads = [self.calls[number].payload for number in ids]
            self.step(self._offer(first, ids, payloads))

    def _offer(self, first: Call, ids: list[int], payloads: list[bytes]) -> rules.Offer:
        return rules.Offer(
            first.function, ids, payloads, self.backlog(), root=self.root_of(ids[0]), priority=first.priority
        )

    def root_of(self, number: int) -> str:
        """The Origin that an own Future stems from."""
        return self.name

    def _cut(self, most: int) -> list[int]:
        """Take the oldest Futures that share function and priority."""
        own, calls = self.own, self.calls
        first = calls[own[0]]
        ids = [own.popleft()]
        while own and len(ids) < most:
            call = calls[own[0]]
            if call.function != first.function or call.priority != first.priority:
                break
            ids.append(own.popleft())
        return ids


class SimOrigin(Submitter):
    """A program: submits, cancels, and waits, so it takes in at once whatever comes."""

    __slots__ = ("leaves_at", "left", "supply", "wants_cancelled")

    def __init__(self, system: System, name: str, rate: float = 1.0, offset: float = 0.0) -> None:
        super().__init__(system, name, "origin", rate, offset)
        self.supply: Iterator[bytes] = iter(())  # payloads still to be submitted, as map's input is
        self.left = 0  # how many those are
        self.wants_cancelled: set[int] = set()
        self.leaves_at = NEVER

    def backlog(self) -> int:
        return len(self.own) + self.left

    def submit_lazily(self, payloads: Iterator[bytes], count: int) -> None:
        """Submit Futures one after the other, as they are wanted."""
        self.supply, self.left = payloads, count

    def tick(self) -> None:
        self.step(TICK)

    def arrive(self, source: str, frame: bytes) -> None:
        if self.halted:
            self.later(lambda: self.arrive(source, frame))
        else:
            self.take_in(frame)
            self.service()

    def hear(self, source: str, frame: bytes) -> None:
        """An Origin does not listen to what is published."""

    def service(self) -> None:
        if self.leaves_at < NEVER:
            self.plan()
            return
        if self.left:
            for _ in range(min(self.machine.wanted() - len(self.own), self.left)):
                self.submit(next(self.supply), b"f")
                self.left -= 1
        self.offer()
        self.plan()

    def put(self, payload: bytes, function: bytes, priority: int = 0) -> int:
        """Submit a Future among those that wait, by its priority."""
        number = self.submit(payload, function, priority)
        if priority:
            self.own = deque(sorted(self.own, key=lambda other: -self.calls[other].priority))
        self.service()
        return number

    def cancel(self, number: int) -> None:
        """Ask for a Future back for good."""
        if number not in self.calls or self.leaves_at < NEVER:
            return
        self.system.laws.cancel_asked(self.name, number)
        self.wants_cancelled.add(number)
        if number in self.own:
            self.own.remove(number)
            self.resolve([number], [b""], [(number, CANCELLED)])
        else:
            self.step(rules.CancelGiven([number]))
            self.plan()

    def share(self, name: str, body: bytes) -> None:
        """Make a constant known to all."""
        self.constants[name] = body
        self.step(rules.Share(name, body))
        self.plan()

    def ask(self, seconds: float) -> None:
        """Ask every machine for its statistics."""
        self.answers, self.told_all = {}, False
        self.step(rules.Ask(1, "statistics", seconds=seconds))
        self.plan()

    def leave(self) -> None:
        """The program ends: once the Broker has heard of it, or does not answer."""
        self.step(rules.Leave("the program has ended"))
        self.system.laws.left(self.name)
        self.left = 0
        self.leaves_at = self.clock.now + LINGER_SECONDS
        self._linger(None)

    def _linger(self, _: object) -> None:
        if self.machine.channel.unacknowledged and self.clock.now < self.leaves_at:
            self.clock.at(self.clock.now + LINGER_SECONDS / 20, self._linger)
        else:
            self.alive = False
            self.halt(keeps_mail=False)
