"""A program: submits, cancels, and waits."""

from __future__ import annotations

from collections.abc import Iterator

from ..node import events as rules
from ..wire.messages import CANCELLED, ERROR
from .frames import Frame
from .lanes import Arrival
from .specs import read
from .submitter import SimSubmitter
from .world import NEVER, TICK, Watch, World

LINGER_SECONDS = 5.0


class CallsInTurn:
    """Calls of which each is made when the one before has its outcome."""

    __slots__ = ("gap", "number", "payloads")

    def __init__(self) -> None:
        self.payloads: Iterator[bytes] = iter(())
        self.gap, self.number = 0.0, 0

    def begin(self, payloads: Iterator[bytes], gap: float) -> None:
        """Make these, with a pause in between."""
        self.payloads, self.gap = payloads, gap

    def made(self, number: int) -> None:
        """One was made."""
        self.number = number


class SimOrigin(SimSubmitter):
    """A program: submits, cancels, and waits, so it takes in at once whatever comes."""

    __slots__ = ("answers", "bereft", "in_turn", "leaves_at", "left", "supply", "told_all", "tries_elsewhere")

    def __init__(self, world: World, name: str, home: str, watch: Watch) -> None:
        super().__init__(world, name, "origin", home, watch)
        self.supply: Iterator[bytes] = iter(())  # payloads still to be submitted, as map's input is
        self.left = 0  # how many those are
        self.leaves_at = NEVER
        self.answers: dict[str, bytes] | None = None  # to what was asked, by who gave them
        self.told_all = False
        self.tries_elsewhere = False  # whether what has raised is tried once more, and a host avoided
        self.in_turn = CallsInTurn()
        self.bereft = False  # whether its Broker has ended, and no other has welcomed it yet

    def act(self, action: rules.Action) -> None:
        if type(action) is rules.Linked:
            self.bereft = False
        if type(action) is rules.Told and self.answers is not None:
            self.answers[action.name] = action.report
            self.told_all = self.told_all or action.last
        else:
            super().act(action)

    def try_elsewhere(self) -> None:
        """Try once more what has raised, and avoid a host: one of the first three, by what is submitted."""
        self.tries_elsewhere = True

    def resolve(self, ids: list[int], outcomes: list[bytes], odd: list[tuple[int, int]]) -> None:
        calls = [self.calls[number] for number, kind in odd if kind == ERROR] if self.tries_elsewhere else []
        super().resolve(ids, outcomes, odd)
        if self.in_turn.number in ids:
            self.clock.at(self.clock.now + self.in_turn.gap, self._call_next)
        for call in calls:
            if not call.conditions.avoid and self.leaves_at == NEVER:
                avoided = f"b{read(call.payload).tag % 3}"
                self.submit(call.payload, call.function, call.priority, call.conditions._replace(avoid=(avoided,)))
                self._sort()

    def _sort(self) -> None:
        self.own.sort(key=lambda other: -self.calls[other].priority)

    def backlog(self) -> int:
        return len(self.own) + self.left

    def submit_lazily(self, payloads: Iterator[bytes], count: int) -> None:
        """Submit Futures one after the other, as they are wanted."""
        self.supply, self.left = payloads, count

    def tick(self) -> None:
        self.step(TICK)

    def arrive(self, source: str, frame: Arrival) -> None:
        if self.halted:
            self.later(lambda: self.arrive(source, frame))
        else:
            self.take_in(frame)
            self.service()

    def hear(self, source: str, frame: Frame) -> None:
        """An Origin does not listen to what is published."""

    def service(self) -> None:
        """Submit and give what is wanted."""
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
        number = self.submit(payload, function, priority, read(payload).conditions)
        if priority:
            self._sort()
        self.service()
        return number

    def call_in_turn(self, payloads: Iterator[bytes], gap: float) -> None:
        """Make one call after the other, each so many seconds after the outcome of the last."""
        self.in_turn.begin(payloads, gap)
        self._call_next(None)

    def _call_next(self, argument: object) -> None:
        if self.halted:
            self.later(lambda: self._call_next(argument))
        elif self.alive and self.leaves_at == NEVER and (payload := next(self.in_turn.payloads, None)) is not None:
            self.in_turn.made(self.put(payload, b"f"))

    def cancel(self, number: int, *, running: bool = False) -> None:
        """Ask for a Future back for good, with `running` even if it runs."""
        if number not in self.calls or self.leaves_at < NEVER:
            return
        self.world.observer.on_cancel(self.name, number, running=running)
        if number in self.own:
            self.own.remove(number)
            self.resolve([number], [b""], [(number, CANCELLED)])
        else:
            self.step(rules.CancelGiven([number], running))
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

    def broker_ended(self) -> None:
        """Its Broker has ended with all Workers of this host, and it sees that at once."""
        if self.halted:
            self.later(self.broker_ended)
        elif self.alive and self.leaves_at == NEVER:
            self.bereft = True
            self.step(rules.BrokerEnded())
            self.service()

    def leave(self) -> None:
        """The program ends: once the Broker has heard of it, or does not answer."""
        self.step(rules.Leave("the program has ended"))
        self.world.observer.on_leave(self.name)
        self.left = 0
        self.leaves_at = self.clock.now + LINGER_SECONDS
        self._linger(None)

    def _linger(self, _: object) -> None:
        if self.machine.channel.unacknowledged and self.clock.now < self.leaves_at:
            self.clock.at(self.clock.now + LINGER_SECONDS / 20, self._linger)
        else:
            self.end()
