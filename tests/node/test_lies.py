"""A Broker that lies: whatever it says, the books of a node are whole, and others take what the node says."""

from __future__ import annotations

import random
from typing import Any

import pytest
from effort import scaled
from lies import a_lie

from fedfutures.errors import RemoteProtocolError
from fedfutures.federation.channel import Channel
from fedfutures.federation.events import Arrived, Send, Tick
from fedfutures.node import events as rules
from fedfutures.node.machine import WorkerMachine
from fedfutures.wire import codec
from fedfutures.wire.messages import PROTOCOL, UNSEQUENCED, Demand, Hello, Welcome

LIES = 200


class Node:
    """A node with a link; what it says is what a Broker would decode."""

    def __init__(self, role: str) -> None:
        self.now = 0.0
        self.machine = WorkerMachine("w", role, 7, 1)
        hello = next(message for message in self.step(Tick()) if isinstance(message, Hello))
        self.step(Arrived("", 0, 0, Welcome(PROTOCOL, "b", 1, 5, hello.incarnation + hello.round)))
        self.channel = Channel(5)
        self.machine.own.define(b"f", "f", b"b")

    def step(self, event: Any) -> list[Any]:
        """Give the machine an event; return the messages that it sends."""
        sent = [action for action in self.machine.step(event, self.now) if isinstance(action, Send)]
        for action in sent:
            frame = codec.encode(action.message, action.sequence, action.acknowledged)
            assert codec.decode(frame) == (action.sequence, action.acknowledged, action.message)
        self.machine.check()
        return [action.message for action in sent]

    def hear(self, message: Any) -> bool:
        """The Broker says something; return whether that is for nodes."""
        header = (0, 0) if type(message) in UNSEQUENCED else self.channel.number(message, self.now)
        try:
            self.step(Arrived("", *header, message))
        except RemoteProtocolError:
            return False
        return True


@pytest.mark.parametrize("role", ["worker", "origin"])
@pytest.mark.parametrize("seed", range(scaled(30)))
def test_whatever_a_broker_says_the_books_are_whole(seed: int, role: str) -> None:
    dice, node, heard = random.Random(seed), Node(role), 0
    for number in range(1, LIES):
        node.now += dice.choice([0.0, 0.01, 1.0])
        heard += node.hear(a_lie(dice))
        if number % 10 == 0:
            node.step(Tick())
            node.hear(Demand(4, 1))
            node.step(rules.Offer(b"f", [number], [b"payload"], 0))
    assert heard > LIES / 3
