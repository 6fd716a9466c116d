"""Brokers in a tree, whatever happens to them, their links and their Workers: every Future resolves once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from effort import scaled
from hypothesis import settings, strategies as st
from hypothesis.stateful import initialize, invariant, rule

from fedfutures.broker import congestion
from fedfutures.node import events as rules
from fedfutures.wire.manifest import segments_of
from fedfutures.wire.messages import CANCELLED, POISONED, VALUE

from .hosts import manifest
from .network import CRASH, Network, value_of
from .work_rules import FUNCTIONS, WHICH, Work

PLANS: list[dict[str, list[str]]] = [
    {"a": ["b"], "b": []},
    {"a": ["b", "c"], "b": [], "c": []},
    {"a": ["b"], "b": ["c"], "c": []},
]


class Tree(Work):
    """Rules for all that users, the network and fate can do."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled: set[tuple[str, int]] = set()

    @initialize(plan=st.sampled_from(PLANS), workers=st.integers(1, 4), origins=st.integers(1, 2), linked=st.booleans())
    def start(self, plan: dict[str, list[str]], workers: int, origins: int, linked: bool) -> None:
        self.network = Network(plan=plan)
        homes = list(plan)
        for number in range(workers):
            self.network.node("worker", home=homes[-1 - number % len(homes)])
        for number in range(origins):
            self.network.node("origin", home=homes[number % len(homes)])
        if linked:
            self.network.settle(3)

    def way(self, which: int) -> tuple[str, str]:
        ways = [(name, other) for name, others in self.network.plan.items() for other in others]
        ways += [(other, name) for name, other in ways]
        return ways[which % len(ways)]

    @rule(which=WHICH, function=FUNCTIONS, count=st.integers(1, 12), priority=st.sampled_from([0, 0, 0, -1, 2]),
          crash=st.sampled_from([False] * 9 + [True]), large=st.booleans())  # fmt: skip
    def submit(self, which: int, function: bytes, count: int, priority: int, crash: bool, large: bool = False) -> None:
        payloads = [self.large() if large else self.payload() for _ in range(count)]
        if crash and not large:
            payloads[0] = CRASH + payloads[0]
        self.pick("origin", which).submit(function, payloads, priority)

    def large(self) -> bytes:
        """A payload whose bulk is in a segment."""
        self.submitted += 1
        return manifest(f"a{self.submitted}")

    @rule(which=WHICH, count=st.integers(2, 6))
    def submit_shared(self, which: int, count: int) -> None:
        """Futures that all need one segment, which stays."""
        payload = self.large()
        self.network.pinned.update(segments_of(payload))
        self.pick("origin", which).submit(b"f", [payload] * count)

    @rule(which=WHICH)
    def share_large(self, which: int) -> None:
        node = self.pick("any", which)
        body = self.large()
        for name in segments_of(body):
            self.network.pinned.add(node.host.write(name))
        node.constants["c"] = body
        node.step(rules.Share("c", body))

    @rule(which=WHICH, late=st.integers(0, 9))
    def worker_dies(self, which: int, late: int) -> None:
        self.die(which, False, late)

    def die(self, which: int, blame: bool, late: int) -> None:
        worker = self.pick("worker", which)
        self.network.lose(worker, blame=blame, late=late)
        self.network.node("worker", home=worker.home)

    @rule(which=WHICH, lost=st.booleans())
    def broker_dies(self, which: int, lost: bool) -> None:
        names = list(self.network.plan)
        self.network.restart(names[which % len(names)], lost=lost)

    @rule(which=WHICH, kept=st.booleans())
    def cut(self, which: int, kept: bool) -> None:
        self.network.cut(self.way(which), kept=kept)

    @rule()
    def heal(self) -> None:
        self.network.heal()

    @rule(which=WHICH, number=WHICH)
    def cancel(self, which: int, number: int) -> None:
        node = self.pick("origin", which)
        given = list(node.machine.own.where)
        if given:
            chosen = given[number % len(given)]
            self.cancelled.add((node.name, chosen))
            node.step(rules.CancelGiven([chosen]))

    @rule(which=WHICH, name=st.sampled_from(["a", "b"]))
    def share(self, which: int, name: str) -> None:
        node = self.pick("any", which)
        self.submitted += 1
        node.constants[name] = b"%d" % self.submitted
        node.step(rules.Share(name, node.constants[name]))

    @rule(which=WHICH, function=FUNCTIONS)
    def the_broker_forgets(self, which: int, function: bytes) -> None:
        """As it does when there are too many."""
        brokers = list(self.network.brokers.values())
        broker = brokers[which % len(brokers)]
        if function in broker.functions.definitions:
            broker.functions.forget(function)

    @rule(which=WHICH, count=st.integers(1, 10), up=st.booleans())
    def arrive(self, which: int, count: int, up: bool) -> None:
        node = self.pick("any", which)
        for _ in range(count):
            (self.network.to_broker if up else self.network.to_node)(node)

    @rule(which=WHICH, count=st.integers(1, 10))
    def cross(self, which: int, count: int) -> None:
        for _ in range(count):
            self.network.across(self.way(which))

    @rule(which=WHICH, place=WHICH)
    def lose(self, which: int, place: int) -> None:
        frames = self.network.between.get(self.way(which))
        if frames and place < len(frames):
            del frames[place]

    @rule(which=WHICH, place=WHICH)
    def double(self, which: int, place: int) -> None:
        frames = self.network.between.get(self.way(which))
        if frames:
            frames.append(frames[place % len(frames)])

    @rule(seconds=st.sampled_from([0.0, 0.002, 0.06, 0.3, 1.1, 3.1]))
    def tick(self, seconds: float) -> None:
        self.network.now += seconds
        self.network.tick()

    @rule(seconds=st.sampled_from([2, 5, 64]))
    def wait(self, seconds: int) -> None:
        self.network.wait(seconds)

    @rule()
    def settle(self) -> None:
        self.network.settle(2)

    @invariant()
    def nothing_wrong_so_far(self) -> None:
        if not hasattr(self, "network"):
            return
        for node in self.network.nodes.values():
            for number, (kind, outcome) in node.outcomes.items():
                payload = node.payloads[number]
                if kind == VALUE:
                    assert outcome == value_of(payload)
                elif kind == CANCELLED:
                    assert (node.name, number) in self.cancelled
                else:
                    assert kind == POISONED
                    assert payload.startswith(CRASH)

    def teardown(self) -> None:
        if not hasattr(self, "network"):
            return
        self.network.heal()
        for _ in range(2):
            self.network.work()
            self.network.wait(9.0)
        self.network.wait(70.0)  # what nobody has named is asked back after a minute
        self.network.check_empty()
        self.nothing_wrong_so_far()


# How often each rule is chosen in a random walk; hypothesis prefers simple examples, and rare states want long ones.
WEIGHTS = {
    "submit": 8, "submit_nested": 4, "run_own": 2, "begin": 12, "finish": 8, "give_back": 3, "worker_dies": 1,
    "broker_dies": 0.5, "cut": 0.5, "heal": 1, "cancel": 3, "share": 2, "the_broker_forgets": 1, "arrive": 16,
    "submit_shared": 1, "share_large": 0.5, "cross": 20, "lose": 2, "double": 2, "tick": 8, "wait": 0.5, "settle": 6,
}  # fmt: skip


def walk(seed: int, steps: int = 200) -> None:
    dice = random.Random(seed)
    tree = Tree()
    tree.start(dice.choice(PLANS), dice.randint(1, 4), dice.randint(1, 2), dice.random() < 0.7)
    for _ in range(steps):
        (name,) = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
        which, count, function = dice.randrange(10), dice.randint(1, 10), dice.choice([b"f", b"g", b"h"])
        arguments: dict[str, Any] = {
            "submit": (
                which,
                function,
                count,
                dice.choice([0, 0, 0, -1, 2]),
                dice.random() < 0.05,
                dice.random() < 0.4,
            ),
            "submit_shared": (which, dice.randint(2, 6)),
            "submit_nested": (which, function, dice.randint(1, 4)),
            "give_back": (which, dice.randint(1, 4)),
            "worker_dies": (which, dice.randrange(10)),
            "broker_dies": (which, dice.random() < 0.5),
            "cut": (which, dice.random() < 0.5),
            "heal": (),
            "cancel": (which, dice.randrange(10)),
            "share": (which, dice.choice("ab")),
            "the_broker_forgets": (which, function),
            "arrive": (which, count, dice.random() < 0.5),
            "cross": (which, count),
            "lose": (which, dice.randrange(10)),
            "double": (which, dice.randrange(10)),
            "tick": (dice.choice([0.0, 0.002, 0.06, 0.3, 1.1, 3.1]),),
            "wait": (dice.choice([2, 5, 64]),),
            "settle": (),
        }
        getattr(tree, name)(*arguments.get(name, (which,)))
        tree.nothing_wrong_so_far()
    tree.teardown()


@pytest.fixture(autouse=True, scope="module")
def small_chunks() -> Iterator[None]:
    """Segments of a few hundred bytes travel in several chunks."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("CHUNK_LEAST", 32), ("WINDOW_LEAST", 32), ("WINDOW_FIRST", 96)):
            patch.setattr(congestion, name, value)
        yield


@pytest.mark.parametrize("seed", range(10))
def test_random_walks(seed: int) -> None:
    walk(seed)


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=scaled(15), stateful_step_count=40, deadline=None)
