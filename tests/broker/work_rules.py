"""What Workers and programs do, as rules: the same with one Broker and with a tree of them."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from .network import Network, Node

FUNCTIONS = st.sampled_from([b"f", b"g", b"h"])
WHICH = st.integers(0, 9)


class Work(RuleBasedStateMachine):
    """The rules of Workers."""

    network: Network

    def __init__(self) -> None:
        super().__init__()
        self.submitted = 0

    def pick(self, role: str, which: int) -> Node:
        nodes = [node for node in self.network.nodes.values() if role in ("any", node.role)]
        return nodes[which % len(nodes)]

    def payload(self) -> bytes:
        self.submitted += 1
        return b"%d" % self.submitted

    def die(self, which: int, blame: bool, late: int) -> None:
        """A Worker dies, and another takes its place."""
        raise NotImplementedError

    @rule(which=WHICH, function=FUNCTIONS, count=st.integers(1, 4))
    def submit_nested(self, which: int, function: bytes, count: int) -> None:
        worker = self.pick("worker", which)
        if worker.running:
            worker.running[-1][3].update(worker.submit(function, [self.payload() for _ in range(count)]))

    @rule(which=WHICH)
    def run_own(self, which: int) -> None:
        self.pick("worker", which).run_own()

    @rule(which=WHICH)
    def begin(self, which: int) -> None:
        worker = self.pick("worker", which)
        if worker.todo and not worker.start():
            self.die(which, True, 9)

    @rule(which=WHICH)
    def finish(self, which: int) -> None:
        self.pick("worker", which).finish()

    @rule(which=WHICH, most=st.integers(1, 4))
    def give_back(self, which: int, most: int) -> None:
        self.pick("worker", which).give_back(most)
