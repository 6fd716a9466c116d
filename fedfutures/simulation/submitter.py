"""What Origins and Workers have in common: own Futures, given as far as others can use them."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from ..errors import RemoteProtocolError
from ..federation.events import Arrived, Send
from ..federation.terms import FREE, Conditions
from ..node import events as rules
from ..node.machine import WorkerMachine
from ..node.pace import BATCH_FUTURES_AT_MOST
from ..worker.sealed import SealedFutures
from .lanes import Arrival
from .network import SimLink
from .world import SimNode, Watch, World

FORGED = 99
"""The kind of an outcome whose seal is wrong: its Future raises SealBroken."""


class Call(NamedTuple):
    """An own Future that has not resolved."""

    payload: bytes
    function: bytes
    priority: int
    conditions: Conditions = FREE


class SimSubmitter(SimNode):
    """A node at the end of a link to its Broker."""

    __slots__ = ("calls", "constants", "home", "numbers", "own", "sealed", "up")

    machine: WorkerMachine

    def __init__(self, world: World, name: str, role: str, home: str, watch: Watch) -> None:
        super().__init__(world, name, watch)
        incarnation = world.next_incarnation()
        self.home = home  # its Broker
        self.machine = WorkerMachine(name, role, incarnation, incarnation % 30_000)
        self.calls: dict[int, Call] = {}
        self.own: list[int] = []  # neither started nor given
        self.numbers = 0
        self.constants: dict[str, bytes] = {}
        self.up: SimLink | None = None  # to the Broker
        self.sealed = SealedFutures()

    def attach(self, up: SimLink) -> None:
        """Send over this link."""
        self.up = up

    def step(self, event: rules.Event) -> None:
        """Give the machine an event and do what it says."""
        lanes = self.world.lanes
        for action in self.machine.step(event, self.clock.now * self.rate + self.offset):
            if lanes.do(self, action, checks=self.world.checks_now()):
                continue
            if type(action) is Send:
                frame = self.frame_of(self.home, action)
                if self.up is not None:
                    self.up.send(frame)
            else:
                self.act(action)
        if self.world.checks_now():
            self.machine.check()

    def act(self, action: rules.Action) -> None:
        """Do what the machine says, but for sending."""
        if type(action) is rules.Resolve:
            self._open(action)
        elif type(action) is rules.Reclaim:
            self.sealed.forget(action.ids)
            for number in reversed(action.ids):
                self.queue_own(number, back=True)
            self.world.note(self.name, f"has {len(action.ids)} Futures back: the Broker was started again")
        elif type(action) is rules.Shared:
            self.constants[action.name] = action.body
        elif type(action) is rules.Denied:
            raise AssertionError(f"{self.name} was refused: {action.reason}")

    def _open(self, action: rules.Resolve) -> None:
        """Own Futures have outcomes from the Broker: those whose seals are wrong were forged on their way."""
        if self.world.seal is not None:
            action, broken = self.sealed.opened(self.world.seal.outcomes, action)
            if broken:
                ids = [number for number, _ in broken]
                self.resolve(ids, [b""] * len(ids), [(number, FORGED) for number in ids])
        if action.ids:
            self.world.observer.on_facts(self.name, action.ids, action.odd, action.facts)
            self.resolve(action.ids, action.outcomes, action.odd)

    def end(self, *, keeps_mail: bool = False) -> None:
        super().end(keeps_mail=keeps_mail)
        self.world.lanes.end_of(self)

    def arrive(self, source: str, frame: Arrival) -> None:
        """A frame of the Broker's has come, or something over a lane."""
        raise NotImplementedError

    def take_in(self, frame: Arrival) -> None:
        """Step the machine with the messages of a frame, or with what has become of a lane."""
        if not isinstance(frame, list):
            self.step(frame)
            return
        observer = self.world.observer
        for sequence, acknowledged, message in frame:
            is_seen = type(message) in observer.hears
            if is_seen:
                observer.on_arrival(self.name, self.home, sequence, message)
            try:
                self.step(Arrived("", sequence, acknowledged, message))
            except RemoteProtocolError as error:
                self.world.note(self.name, f"dropped a message: {error}")
            if is_seen:
                observer.on_taken_in(self.name, self.home, sequence, message)

    def submit(self, payload: bytes, function: bytes, priority: int = 0, conditions: Conditions = FREE) -> int:
        """Submit a Future; it stays here until somebody can use it."""
        self.numbers += 1
        self.calls[self.numbers] = Call(payload, function, priority, conditions)
        self.queue_own(self.numbers)
        self.world.observer.on_submit(self.name, self.numbers, payload, priority)
        return self.numbers

    def queue_own(self, number: int, *, back: bool = False) -> None:
        """Let an own Future wait here; `back`: it comes back."""
        self.own.insert(0 if back else len(self.own), number)

    def resolve(self, ids: list[int], outcomes: list[bytes], odd: list[tuple[int, int]]) -> None:
        """Own Futures have outcomes."""
        self.world.observer.on_outcomes(self.name, ids, outcomes, dict(odd) if odd else {})
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
            ids = self._cut(self.own, min(wanted, BATCH_FUTURES_AT_MOST))
            wanted -= len(ids)
            self._give(ids)

    def _give(self, ids: list[int]) -> None:
        first = self.calls[ids[0]]
        self.machine.own.define(first.function, "function", b"body of " + first.function)
        payloads = self._payloads(first.function, ids)
        backlog, root = self.backlog(), self.root_of(ids[0])
        self.step(rules.Offer(first.function, ids, payloads, backlog, first.priority, root, first.conditions))

    def _payloads(self, function: bytes, ids: list[int]) -> list[bytes]:
        """Return the payloads of own Futures, with seals where nodes have a key."""
        stamp = self.world.stamp(function, self.name)
        if stamp is None:
            return [self.calls[number].payload for number in ids]
        return [self.sealed.give(number, stamp.seal(number, self.calls[number].payload)) for number in ids]

    def root_of(self, number: int) -> str:
        """The Origin that an own Future stems from."""
        return self.name

    def _cut(self, own: list[int], most: int) -> list[int]:
        """Take the oldest Futures that share function, priority and conditions."""
        calls = self.calls
        first = calls[own[0]]
        ids = list(itertools.takewhile(lambda number: calls[number][1:] == first[1:], own[:most]))
        del own[: len(ids)]
        return ids
