"""A Broker whose peers are played by the test: what is said to it, and what it says."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any, TypeVar

import msgpack

from fedfutures.broker import files
from fedfutures.broker.events import Dial, PeerLost, Publish
from fedfutures.broker.machine import BrokerMachine
from fedfutures.federation.channel import Channel
from fedfutures.federation.events import Arrived, Send, Tick
from fedfutures.wire import codec, messages
from fedfutures.wire.messages import PROTOCOL, Batch, Demand, Function, Hello, Results, Welcome

from .hosts import Host

M = TypeVar("M")
BODY = Function(b"f", "function", b"body")


class Bench:
    """Each peer hears at once, and acknowledges with what it says next."""

    def __init__(
        self, incarnation: int = 7, *, space: int = 1 << 20, liars: Collection[str] = (), slots: int | None = None
    ) -> None:
        self.now = 0.0
        self.liars = liars  # what these are sent may be as odd as what they have said
        self.host = Host()
        self.wants: list[files.Action] = []  # what was to be done with segments, and is done
        self.broker = BrokerMachine(
            "b", incarnation, msgpack.packb, random.Random(1), self.host.size_of, space, slots=slots
        )
        self.sessions: dict[str, int] = {}
        self.said: dict[str, int] = {}
        self.heard: dict[str, int] = {}
        self.boxes: dict[str, list[Any]] = {}
        self.published: list[messages.State] = []  # for own Workers
        self.told: dict[str, list[messages.State]] = {}  # for neighbours

    def step(self, event: Any) -> None:
        for action in self.broker.step(event, self.now):
            if isinstance(action, Publish):
                state: Any = codec.decode(codec.encode(action.state))[2]
                (self.told.setdefault(action.topic, []) if action.topic else self.published).append(state)
                continue
            if not isinstance(action, Send):
                self.wants.append(action)
                said = None if isinstance(action, files.Read) else self.host.do(action)
                if said is not None:
                    self.step(said)
                continue
            frame = codec.encode(action.message, action.sequence, action.acknowledged)
            sequence, message = action.sequence, action.message
            if action.peer not in self.liars:
                assert codec.decode(frame) == (sequence, action.acknowledged, message)
            self.boxes.setdefault(action.peer, []).append(message)
            if isinstance(message, Welcome):
                self.begin(action.peer, message.session)
            self.heard[action.peer] = max(self.heard.get(action.peer, 0), sequence)
        self.broker.check()

    def begin(self, peer: str, session: int) -> None:
        """A peer takes the numbers of its session up, if it is a new one."""
        if self.sessions.get(peer) != session:
            self.sessions[peer] = session
            self.said[peer] = self.heard[peer] = Channel(session).acknowledged

    def say(self, peer: str, *several: Any, acknowledged: int | None = None) -> None:
        for message in several:
            sequence = 0
            if type(message) not in messages.UNSEQUENCED:
                sequence = self.said[peer] = self.said.get(peer, 0) + 1
            acked = self.heard.get(peer, 0) if acknowledged is None else acknowledged
            header = (0, 0) if type(message) in (Hello, Welcome) else (sequence, acked)
            self.step(Arrived(peer, *codec.decode(codec.encode(message, *header))))

    def tick(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.step(Tick())

    def join(self, name: str, role: str = "worker", *, demand: int | None = None, incarnation: int = 1) -> None:
        self.say(name, Hello(PROTOCOL, role, name, incarnation, 99))
        if demand is not None:
            self.say(name, Demand(demand, 1))

    def neighbour(
        self,
        name: str = "n",
        demand: Demand | None = None,
        *,
        dialled: bool = False,
        session: int = 500,
        incarnation: int = 3,
    ) -> None:
        """Link to a neighbour; `dialled`: by this end."""
        if dialled:
            self.step(Dial(name))
            self.welcome(name, session, incarnation)
        else:
            self.say(name, Hello(PROTOCOL, "broker", name, incarnation, 0))
        if demand is not None:
            self.say(name, demand)

    def welcome(self, name: str, session: int, incarnation: int = 3) -> None:
        """A neighbour answers the last Hello, and a session begins."""
        hello = self.heard_by(name, Hello)[-1]
        self.begin(name, session)
        self.say(name, Welcome(PROTOCOL, name, incarnation, session, hello.incarnation + hello.round))

    def submit(self, peer: str = "o", ids: Any = (1,), *, piece: int = 1, function: bytes = b"f", **more: Any) -> None:
        fields = {"submitter": peer, "attempt": 1, "crashes": 0, "backlog": 0, "spent": False, **more}
        payloads = [b"%d" % number for number in ids]
        self.say(peer, Batch(piece, function=function, ids=list(ids), payloads=payloads, **fields))

    def heard_by(self, peer: str, kind: type[M]) -> list[M]:
        """What a peer has heard of one type since it was last asked."""
        box = self.boxes.get(peer, [])
        self.boxes[peer] = [message for message in box if type(message) is not kind]
        return [message for message in box if type(message) is kind]

    def given_to(self, peer: str) -> list[list[int]]:
        """The Futures of each Batch that a peer was given since it was last asked."""
        return [batch.ids for batch in self.heard_by(peer, Batch)]

    def lose(self, peer: str, running: tuple[int, int] | None = None, *, blame: bool = True) -> None:
        self.step(PeerLost(peer, "signal SIGSEGV", blame, running, "dump", "host"))


def results(piece: int, ids: list[int], *, attempt: int = 1, seconds: float = 0.0, **more: Any) -> Results:
    outcomes = [b"r%d" % number for number in ids]
    return Results(piece, attempt, ids, outcomes, seconds=seconds, count=len(ids) if seconds else 0, **more)
