"""When a schedule is over, a program is put to trial: its Broker answers twice, ends, and comes again as it leaves."""

from __future__ import annotations

from typing import Any

from ..federation.events import Arrived, Send
from ..node import events as rules
from ..wire.messages import MAX_COUNT, PROTOCOL, Batch, Bye, Hello, Message, Results, State, Welcome
from .origin import SimOrigin
from .records import broken


class NodeTrial:
    """The trial of one Origin, whose machine is as the schedule has left it. It has codes from T20 on."""

    def __init__(self, origin: SimOrigin, incarnation: int) -> None:
        self.origin, self.machine = origin, origin.machine
        self.incarnation = incarnation  # of its Broker
        self.now = origin.clock.now * origin.rate + origin.offset

    def _require(self, holds: bool, law: str, what: str) -> None:
        if not holds:
            raise broken(self.origin.world, law, f"{self.origin.name}: {what}")

    def _step(self, event: Any) -> list[Any]:
        return self.machine.step(event, self.now)

    def _hear(self, message: Message, sequence: int) -> list[Any]:
        """Its Broker says something; return which Futures resolve."""
        actions = self._step(Arrived("", sequence, 0, message))
        return [number for action in actions if type(action) is rules.Resolve for number in action.ids]

    def run(self) -> None:
        """Hold it."""
        self._tell_late()
        said = self._give()
        self._answer_twice(said.piece, said.ids)
        self._end_and_leave(said.piece, said.ids)

    def _tell_late(self) -> None:
        for number, unmet in ((MAX_COUNT, 7), (MAX_COUNT - 1, 9)):
            self._step(Arrived("", 0, 0, State(self.incarnation, number, unmet, 0, 1)))
        self._require(
            self.machine.unmet == 7, "T20 late_news", f"{self.machine.unmet} are wanted, as an old State says"
        )

    def _give(self) -> Batch:
        ids = [self.origin.numbers + 1, self.origin.numbers + 2]
        self.machine.own.define(b"t", "task", b"body")
        actions = self._step(rules.Offer(b"t", ids, [b"1", b"2"], 0))
        return next(action.message for action in actions if type(action) is Send and type(action.message) is Batch)

    def _answer_twice(self, piece: int, ids: list[int]) -> None:
        for times, expected in enumerate(([ids[0]], [])):
            resolved = self._hear(Results(piece, 1, ids[:1], [b"value"]), self.machine.channel.acknowledged + 1)
            self._require(resolved == expected, "T21 answers", f"{resolved} resolve at answer {times + 1} of {ids[0]}")

    def _end_and_leave(self, piece: int, ids: list[int]) -> None:
        sequence = self.machine.channel.acknowledged + 1
        hello = next(
            (action.message for action in self._step(rules.BrokerEnded()) if type(action) is Send), None,
        )  # fmt: skip
        resolved = self._hear(Results(piece, 1, ids[1:], [b"value"]), sequence)
        self._require(not resolved, "T22 dead_broker", f"{resolved} resolve by the word of a Broker that has ended")
        self._require(type(hello) is Hello, "T23 rejoins", "who has seen its Broker end does not introduce itself")
        assert isinstance(hello, Hello)
        self._step(rules.Leave("the trial is over"))
        greeter = hello.incarnation + hello.round
        actions = self._step(Arrived("", 0, 0, Welcome(PROTOCOL, self.origin.home, 1, 1, greeter)))
        says_bye = any(type(action) is Send and type(action.message) is Bye for action in actions)
        self._require(says_bye, "T24 leaves", "who was leaving does not say so to the Broker that comes")
