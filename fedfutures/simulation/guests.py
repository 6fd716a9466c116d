"""Guests at a Broker, played by a trial: each says what it is told to say, by the rules of sessions, and lies.

When a schedule is over, all others take their leave of a Broker, and guests come. What they hear is kept, and goes
through the codec; what the Broker wants done with segments is kept, too. Time is what the trial says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgpack

from ..broker import files
from ..broker.events import Publish
from ..federation.channel import Channel
from ..federation.events import Arrived, Send
from ..federation.link import FORGET_AFTER_SECONDS, SILENT_AFTER_SECONDS
from ..wire import codec
from ..wire.messages import (
    PROTOCOL,
    UNSEQUENCED,
    Batch,
    Bye,
    Chunk,
    Demand,
    Function,
    Hello,
    Holding,
    Message,
    Results,
    Welcome,
)  # fmt: skip
from .broker import SimBroker
from .world import TICK

M = TypeVar("M")
TASK = Function(b"t", "task", b"body of the guests' function")
FORGED = b"forged"


def payload_of_guest(number: int) -> bytes:
    """Return what proves that somebody was given this Future: no two are alike."""
    return b"payload of number " + number.to_bytes(8, "big")


def manifest(*names: str, once: bool = False) -> bytes:
    """Return a payload, or an outcome, that needs segments."""
    return b"\x01" + bytes(msgpack.packb([b"pickle", list(names), once]))


class Guest:
    """A peer of a Broker, in some session with it."""

    def __init__(self, name: str, role: str) -> None:
        self.name, self.role = name, role
        self.incarnation, self.pieces = 1, 0
        self.channel: Channel | None = None
        self.heard: list[Message] = []

    def hear(self, action: Send) -> None:
        """The Broker says something."""
        message: Any = codec.decode(codec.encode(action.message, action.sequence, action.acknowledged))[2]
        self.heard.append(message)
        if type(message) is Welcome:
            self.channel = Channel(message.session)
        elif self.channel is not None and action.sequence:
            self.channel.accept(action.sequence, action.acknowledged, 0.0)

    def heard_of(self, kind: type[M]) -> list[M]:
        """Return what it has heard of a kind."""
        return [message for message in self.heard if isinstance(message, kind)]


class Reception:
    """A Broker, and the guests that it receives."""

    def __init__(self, broker: SimBroker, fail: Callable[[str], None]) -> None:
        self.broker, self.machine = broker, broker.machine
        self.fail = fail
        self.now = broker.clock.now * broker.rate + broker.offset
        self.guests: dict[str, Guest] = {}
        self.files: list[Any] = []  # what is to be done with segments
        for peer in list(self.machine.peers.values()):
            self.step(Arrived(peer.name, peer.channel.acknowledged + 1, 0, Bye("the schedule is over")))

    def step(self, event: Any) -> None:
        """Let the Broker hear, and look at the whole."""
        for each in (event, TICK):
            for action in self.machine.step(each, self.now):
                if type(action) is Send:
                    if action.peer in self.guests:
                        self.guests[action.peer].hear(action)
                elif type(action) is Publish:
                    state: Any = codec.decode(codec.encode(action.state))[2]
                    if action.topic in self.guests:
                        self.guests[action.topic].heard.append(state)
                else:
                    self.files.append(action)
        self.machine.check()

    def wait(self, seconds: float) -> None:
        """Time passes, and guests say nothing."""
        self.now += seconds
        self.step(TICK)

    def dismiss(self) -> None:
        """All guests go; neighbours are forgotten."""
        for guest in self.guests.values():
            if guest.role != "broker" and guest.name in self.machine.peers:
                self.say(guest, Bye("the part is over"))
        for seconds in (SILENT_AFTER_SECONDS + 1.0, FORGET_AFTER_SECONDS):
            self.wait(seconds)
        if self.machine.peers:
            self.fail(f"{sorted(self.machine.peers)} were silent for a minute, and are not forgotten")
        self.guests.clear()
        self.files.clear()

    def receive(self, name: str, role: str = "broker", *said: Message) -> Guest:
        """A guest comes, or begins another session, and says something."""
        guest = self.guests.setdefault(name, Guest(name, role))
        guest.incarnation += 1
        self.step(Arrived(name, 0, 0, Hello(PROTOCOL, role, name, guest.incarnation, 1)))
        if role == "origin":
            self.say(guest, TASK)
        self.say(guest, *said)
        return guest

    def say(self, guest: Guest, *said: Message) -> None:
        """A guest says something in its session."""
        for message in said:
            assert guest.channel is not None
            sequence, acknowledged = guest.channel.number(message, self.now)
            self.step(Arrived(guest.name, sequence, acknowledged, message))

    def give(self, guest: Guest, *ids: int, **more: Any) -> Batch:
        """A guest gives Futures of its own; return the Batch."""
        guest.pieces += 1
        fields: dict[str, Any] = {
            "attempt": 1, "crashes": 0, "backlog": 0, "spent": False, "ids": list(ids), "function": TASK.digest,
            "payloads": [payload_of_guest(number) for number in ids], **more,
        }  # fmt: skip
        batch = Batch(guest.pieces, guest.name, **fields)
        self.say(guest, batch)
        return batch

    def lend(self, guest: Guest) -> Batch:
        """A guest asks for Futures; return what it is given."""
        self.say(guest, Demand(64, 1, 1))
        self.wait(0.01)
        batches = guest.heard_of(Batch)
        if not batches:
            self.fail(f"{guest.name} is given nothing")
        return batches[-1]

    @property
    def violations(self) -> int:
        """How many messages the Broker has refused."""
        return self.machine.statistics()["violations"]

    def say_aside(self, guest: Guest, message: Message) -> None:
        """A guest says what belongs to no session."""
        self.step(Arrived(guest.name, 0, 0, message))

    def offends(self, guest: Guest, message: Message, what: str) -> None:
        """A guest says what it may not; the Broker is to refuse it."""
        before = self.violations
        (self.say_aside if type(message) in UNSEQUENCED else self.say)(guest, message)
        if self.violations == before:
            self.fail(f"{guest.name} {what}, and that is no offence")

    def wants(self, kind: type[M]) -> list[M]:
        """Return what is to be done with segments, of a kind."""
        return [action for action in self.files if isinstance(action, kind)]

    def bring(self, guest: Guest, name: str) -> None:
        """A guest sends the segment that the Broker has asked for; it is stored."""
        self.step(files.Brought(guest.name, Chunk(name, 0, 4), b"data"))
        self.broker.segments[name] = 4
        self.step(files.Stored(name))


def claim(piece: int, submitter: Guest, *ids: int, proofs: list[bytes] | None = None) -> Holding:
    """Return what says that somebody holds Futures; without `proofs` it has seen their payloads."""
    ends = [payload_of_guest(number)[-16:] for number in ids] if proofs is None else proofs
    return Holding(piece, submitter.name, TASK.digest, 1, 0, list(ids), ends)


def outcome(piece: int, *ids: int, odd: int = 0) -> Results:
    """Return outcomes that are forged."""
    return Results(piece, 1, list(ids), [FORGED] * len(ids), [(number, odd) for number in ids] if odd else [])
