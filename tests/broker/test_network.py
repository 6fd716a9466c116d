"""A Broker with Workers and Origins, whatever happens: in the end every Future has resolved once with its own value."""

from __future__ import annotations

import random
from typing import Any

import pytest
from effort import scaled
from hypothesis import settings, strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from fedfutures.broker.recovery import CRASH_LIMIT
from fedfutures.node import events as rules
from fedfutures.wire.messages import CANCELLED, POISONED, VALUE

from .hosts import manifest
from .network import CRASH, Network, Node, value_of
from .work_rules import FUNCTIONS, WHICH, Work


class Federation(Work):
    """Rules for all that users, the network and fate can do."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()
        self.cancelled: set[tuple[str, int, int]] = set()
        self.shared = 0
        self.everyone: list[Node] = []

    @initialize(workers=st.integers(1, 3), origins=st.integers(1, 2))
    def start(self, workers: int, origins: int) -> None:
        for role, count in (("worker", workers), ("origin", origins)):
            for _ in range(count):
                self.everyone.append(self.network.node(role))
        self.network.settle(3)

    @rule(which=WHICH, function=FUNCTIONS, count=st.integers(1, 12), crash=st.sampled_from([False] * 5 + [True]))
    def submit(self, which: int, function: bytes, count: int, crash: bool) -> None:
        payloads = [self.payload() for _ in range(count)]
        if crash:
            payloads[0] = CRASH + payloads[0]
        self.pick("origin", which).submit(function, payloads)

    @rule(which=WHICH, late=st.integers(0, 9), again=st.booleans())
    def worker_dies(self, which: int, late: int, again: bool) -> None:
        self.die(which, False, late)

    def die(self, which: int, blame: bool, late: int) -> None:
        self.network.lose(self.pick("worker", which), blame=blame, late=late)
        self.everyone.append(self.network.node("worker"))

    @precondition(lambda self: sum(node.role == "origin" for node in self.network.nodes.values()) > 1)
    @rule(which=WHICH)
    def origin_leaves(self, which: int) -> None:
        origin = self.pick("origin", which)
        for _ in range(3):
            self.network.now += 9.0
            self.network.settle(2)
        origin.step(rules.Leave("done"))
        self.network.settle(1)
        assert origin.name not in self.network.broker.peers
        del self.network.nodes[origin.name]

    @rule(which=WHICH)
    def origin_starts_again(self, which: int) -> None:
        self.everyone.append(self.network.node("origin", self.pick("origin", which).name))

    @rule(which=WHICH, number=WHICH)
    def cancel(self, which: int, number: int) -> None:
        node = self.pick("origin", which)
        given = list(node.machine.own.where)
        if given:
            chosen = given[number % len(given)]
            self.cancelled.add((node.name, node.incarnation, chosen))
            node.step(rules.CancelGiven([chosen]))

    @rule(which=WHICH, name=st.sampled_from(["a", "b"]))
    def share(self, which: int, name: str) -> None:
        node = self.pick("any", which)
        self.shared += 1
        node.constants[name] = b"%d" % self.shared
        node.step(rules.Share(name, node.constants[name]))

    @rule(which=WHICH, function=FUNCTIONS)
    def forget(self, which: int, function: bytes) -> None:
        self.pick("any", which).machine.forget(function)

    @rule(function=FUNCTIONS)
    def the_broker_forgets(self, function: bytes) -> None:
        """As it does when there are too many."""
        if function in self.network.broker.functions.definitions:
            self.network.broker.functions.forget(function)

    @rule(which=WHICH, count=st.integers(1, 10), up=st.booleans())
    def arrive(self, which: int, count: int, up: bool) -> None:
        node = self.pick("any", which)
        for _ in range(count):
            (self.network.to_broker if up else self.network.to_node)(node)

    @rule(which=WHICH, place=WHICH, up=st.booleans())
    def lose(self, which: int, place: int, up: bool) -> None:
        node = self.pick("any", which)
        frames = node.to_broker if up else node.to_node
        if place < len(frames):
            del frames[place]

    @rule(which=WHICH, place=WHICH, up=st.booleans())
    def double(self, which: int, place: int, up: bool) -> None:
        node = self.pick("any", which)
        frames = node.to_broker if up else node.to_node
        if frames:
            frames.append(frames[place % len(frames)])

    @rule(seconds=st.sampled_from([0.0, 0.002, 0.06, 0.3, 1.1]))
    def tick(self, seconds: float) -> None:
        self.network.now += seconds
        self.network.tick()

    @rule()
    def settle(self) -> None:
        self.network.settle(2)

    @invariant()
    def nothing_wrong_so_far(self) -> None:
        for node in self.network.nodes.values():
            for number, (kind, outcome) in node.outcomes.items():
                self.check_outcome(node, number, kind, outcome)

    def check_outcome(self, node: Node, number: int, kind: int, outcome: bytes) -> None:
        payload = node.payloads[number]
        if kind == VALUE:
            assert outcome == value_of(payload)
        elif kind == CANCELLED:
            assert (node.name, node.incarnation, number) in self.cancelled
        else:
            assert kind == POISONED
            assert payload.startswith(CRASH)

    def teardown(self) -> None:
        if not self.network.nodes:
            return
        for _ in range(4):
            self.network.work()
            self.network.now += 9.0
            self.network.settle()
        self.network.check_empty()
        assert (
            CRASH_LIMIT * sum(payload.startswith(CRASH) for node in self.everyone for payload in node.payloads.values())
            >= self.network.broker.recovery.crashes
        )


# How often each rule is chosen in a random walk; hypothesis prefers simple examples, and rare states want long ones.
WEIGHTS = {
    "submit": 8, "submit_nested": 4, "run_own": 2, "begin": 12, "finish": 8, "give_back": 3, "worker_dies": 1,
    "cancel": 3, "share": 2, "forget": 1, "the_broker_forgets": 1, "arrive": 20, "lose": 2, "double": 2, "tick": 8,
    "settle": 6, "origin_starts_again": 0.3, "origin_leaves": 0.1,
}  # fmt: skip


def walk(seed: int, steps: int = 200) -> None:
    dice = random.Random(seed)
    federation = Federation()
    federation.start(dice.randint(1, 4), dice.randint(1, 3))
    for _ in range(steps):
        (name,) = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
        which, count = dice.randrange(10), dice.randint(1, 10)
        function, up = dice.choice([b"f", b"g", b"h"]), dice.random() < 0.5
        if name == "origin_leaves" and sum(node.role == "origin" for node in federation.network.nodes.values()) < 2:
            continue
        arguments: dict[str, Any] = {
            "submit": (which, function, count, dice.random() < 0.1),
            "submit_nested": (which, function, dice.randint(1, 4)),
            "give_back": (which, dice.randint(1, 4)),
            "worker_dies": (which, dice.randrange(10), False),
            "cancel": (which, dice.randrange(10)),
            "share": (which, dice.choice("ab")),
            "forget": (which, function),
            "the_broker_forgets": (function,),
            "arrive": (which, count, up),
            "lose": (which, dice.randrange(10), up),
            "double": (which, dice.randrange(10), up),
            "tick": (dice.choice([0.0, 0.002, 0.06, 0.3, 1.1]),),
            "settle": (),
        }
        getattr(federation, name)(*arguments.get(name, (which,)))
        federation.nothing_wrong_so_far()
    federation.teardown()


@pytest.mark.parametrize("seed", range(24))
def test_random_walks(seed: int) -> None:
    walk(seed)


TestFederation = Federation.TestCase
TestFederation.settings = settings(max_examples=scaled(40), stateful_step_count=40, deadline=None)


# -- a whole host in the middle ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("homes", ["c", "bc", "abc"])
@pytest.mark.parametrize("seed", range(8, 8 + scaled(100)))
def test_a_host_in_the_middle_that_is_killed_with_all_its_files_loses_nothing(homes: str, seed: int) -> None:
    dice = random.Random(seed)
    network = Network({"a.broker": ["b.broker"], "b.broker": ["c.broker"], "c.broker": []})
    origin = network.node("origin", home="a.broker")
    for home in homes:
        network.node("worker", home=f"{home}.broker")
    network.settle(12)
    origin.submit(b"f", [manifest(network.hosts["a"].write(f"o{i}", origin.name)) for i in range(30)])
    network.settle(dice.randint(1, 12))
    for _ in range(dice.randint(0, 3)):
        for node in list(network.nodes.values()):
            if node.role == "worker":
                network.run_at(node)
        network.settle(dice.randint(1, 3))
    network.kill_host("b.broker")
    began = network.now
    network.work()
    assert {kind for kind, _ in origin.outcomes.values()} == {VALUE}
    assert network.now - began < 15.0
