"""What Origins and Workers have in common: own Futures, given as far as others can use them."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ..errors import RemoteProtocolError
from ..federation.events import Arrived, Send
from ..node import events as rules
from ..node.machine import WorkerMachine
from ..node.pace import BATCH_FUTURES_AT_MOST
from ..wire import codec
from .network import SimLink
from .world import SimNode, Watch, World


class Call(NamedTuple):
    """An own Future that has not resolved."""

    payload: bytes
    function: bytes
    priority: int


class SimSubmitter(SimNode):
    """A node at the end of a link to its Broker."""

    __slots__ = ("answers", "calls", "constants", "home", "machine", "numbers", "own", "size", "told_all", "up")

    def __init__(self, world: World, name: str, role: str, home: str, watch: Watch) -> None:
        super().__init__(world, name, watch)
        boot = world.next_boot()
        self.home = home  # its Broker
        self.machine = WorkerMachine(name, role, boot, boot % 30_000)
        self.calls: dict[int, Call] = {}
        self.own: deque[int] = deque()  # neither started nor given
        self.numbers = 0
        self.size = 0
        self.constants: dict[str, bytes] = {}
        self.answers: dict[str, bytes] | None = None  # to what was asked, by who gave them
        self.told_all = False
        self.up: SimLink | None = None  # to the Broker

    def attach(self, up: SimLink) -> None:
        """Send over this link."""
        self.up = up

    def deadline(self) -> float | None:
        return self.machine.next_deadline()

    def check(self) -> None:
        self.machine.check()

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
        if self.world.checks_now():
            self.machine.check()

    def _send(self, action: Send) -> None:
        frame = self.frame_of(self.home, action)
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
            self.world.note(self.name, f"has {len(action.ids)} Futures back: the Broker was started again")
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
                self.world.note(self.name, f"dropped a message: {error}")

    def submit(self, payload: bytes, function: bytes, priority: int = 0) -> int:
        """Submit a Future; it stays here until somebody can use it."""
        self.numbers += 1
        self.calls[self.numbers] = Call(payload, function, priority)
        self.own.append(self.numbers)
        self.world.observer.on_submit(self.name, self.numbers, payload)
        return self.numbers

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
            ids = self._cut(min(wanted, BATCH_FUTURES_AT_MOST))
            wanted -= len(ids)
            first = self.calls[ids[0]]
            self.machine.own.define(first.function, "function", b"body of " + first.function)
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
