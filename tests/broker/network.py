"""One Broker, Workers and Origins, joined by links in memory: every message is encoded and decoded on its way.

The nodes here do what the shells do: they run Futures (whose value is made of their payload), hand back what they are
asked for, and submit. Each step is followed by ``check()``.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import msgpack

from fedfutures.broker.machine import BrokerMachine, Event, GaveUp, PeerLost, Publish
from fedfutures.federation.events import Arrived, Send, Tick
from fedfutures.wire import codec, messages
from fedfutures.wire.messages import CANCELLED, VALUE
from fedfutures.worker import machine as rules
from fedfutures.worker.machine import WorkerMachine

CRASH = b"crash"
"""A Future whose payload starts so kills the Worker that runs it."""


def value_of(payload: bytes) -> bytes:
    return b"value of " + payload


class Node:
    """What a shell keeps around a WorkerMachine."""

    def __init__(self, network: Network, name: str, role: str, boot: int) -> None:
        self.network = network
        self.name, self.role = name, role
        self.machine = WorkerMachine(name, role, boot, 1000 + boot)
        self.to_broker: deque[bytes] = deque()
        self.to_node: deque[bytes] = deque()
        self.own: deque[tuple[bytes, int, bytes]] = deque()  # (function, number, payload), not given
        self.payloads: dict[int, bytes] = {}  # of all own Futures
        self.outcomes: dict[int, tuple[int, bytes]] = {}  # (kind, outcome)
        self.started: set[int] = set()
        self.todo: deque[tuple[int, int, bytes]] = deque()  # (piece, number, payload)
        self.running: list[tuple[int, int, bytes, set[int]]] = []  # the last: own Futures that it waits for
        self.constants: dict[str, bytes] = {}
        self.denied = ""
        self.size = 0
        self.alive = True

    def step(self, event: rules.Event) -> None:
        """Give the machine an event and do what it says."""
        for action in self.machine.step(event, self.network.now):
            getattr(self, "_" + type(action).__name__.lower())(action)
        self.machine.check()

    def _send(self, action: Send) -> None:
        self.to_broker.append(codec.encode(action.message, action.sequence, action.acknowledged))

    def _run(self, action: rules.Run) -> None:
        batch = action.batch
        assert action.body == b"body of " + batch.function
        self.todo.extend((batch.piece, number, payload) for number, payload in zip(batch.ids, batch.payloads))

    def _resolve(self, action: rules.Resolve) -> None:
        odd = dict(action.odd)
        for number, outcome in zip(action.ids, action.outcomes):
            assert number not in self.outcomes, "resolved twice"
            self.outcomes[number] = odd.get(number, VALUE), outcome

    def _unstart(self, action: rules.Unstart) -> None:
        wanted = set(action.ids)
        found = [number for piece, number, _ in self.todo if piece == action.piece and number in wanted]
        if found:
            self._drop(action.piece, set(found))
            odd = [(number, CANCELLED) for number in found]
            self.step(rules.Finished(action.piece, found, [b""] * len(found), odd, 0.0, 0))
        else:
            ids = [number for piece, number, _, _ in self.running if piece == action.piece and number in wanted]
            if ids:
                self.step(rules.Report(action.piece, ids))

    def _drop(self, piece: int, ids: set[int]) -> None:
        self.todo = deque(entry for entry in self.todo if entry[0] != piece or entry[1] not in ids)

    def _started(self, action: rules.Started) -> None:
        self.started.update(action.ids)

    def _shared(self, action: rules.Shared) -> None:
        self.constants[action.name] = action.body

    def _linked(self, action: rules.Linked) -> None:
        self.size = action.size

    def _denied(self, action: rules.Denied) -> None:
        self.denied = action.reason

    def submit(self, function: bytes, payloads: list[bytes]) -> list[int]:
        """Submit Futures; they stay here until the Broker can use them."""
        numbers = []
        for payload in payloads:
            number = len(self.payloads) + 1
            self.payloads[number] = payload
            self.own.append((function, number, payload))
            numbers.append(number)
        return numbers

    def service(self) -> None:
        """Offer, tick, and say what the load is, as shells do after each round."""
        wanted = self.machine.wanted()
        while wanted > 0 and self.own:
            function = self.own[0][0]
            cut: list[tuple[bytes, int, bytes]] = []
            while self.own and self.own[0][0] == function and len(cut) < min(wanted, 4):
                cut.append(self.own.popleft())
            wanted -= len(cut)
            self.machine.define(function, "function", b"body of " + function)
            ids, payloads = [number for _, number, _ in cut], [payload for _, _, payload in cut]
            self.step(rules.Offer(function, ids, payloads, len(self.own)))
        deadline = self.machine.next_deadline()
        if deadline is not None and self.network.now >= deadline:
            self.step(Tick())
        self.step(rules.Load(len(self.todo), len(self.own), bool(self.running)))

    def start(self) -> bool:
        """Start the next Future; return whether it lets its Worker live."""
        piece, number, payload = self.todo.popleft()
        self.running.append((piece, number, payload, set()))
        return not payload.startswith(CRASH)

    def finish(self) -> bool:
        """Finish the Future started last that waits for nothing; return whether there was one."""
        for at in reversed(range(len(self.running))):
            piece, number, payload, children = self.running[at]
            if children <= self.outcomes.keys():
                del self.running[at]
                self.step(rules.Finished(piece, [number], [value_of(payload)], [], 0.002, 1))
                return True
        return False

    def run_own(self) -> None:
        """Run one own Future here."""
        if self.own:
            _, number, payload = self.own.popleft()
            self.outcomes[number] = VALUE, value_of(payload)

    def give_back(self, most: int) -> None:
        """Return Futures of the piece that came last."""
        if self.todo:
            piece = self.todo[-1][0]
            ids = [number for other, number, _ in self.todo if other == piece][-most:]
            self._drop(piece, set(ids))
            self.step(rules.GiveBack(piece, ids))


class Network:
    """The Broker and its links."""

    def __init__(self, size: int = 2) -> None:
        self.now = 0.0
        self.broker = BrokerMachine("b", 1, size, msgpack.packb, random.Random(1))
        self.nodes: dict[str, Node] = {}
        self.dead: list[Node] = []
        self.boots = 0
        self.states: list[messages.State] = []

    def node(self, role: str, name: str | None = None) -> Node:
        """Start a node; under a name that is known, it is that one started again."""
        self.boots += 1
        name = name or f"{role}.{self.boots}"
        node = self.nodes[name] = Node(self, name, role, self.boots)
        return node

    def broker_step(self, event: Event) -> None:
        """Give the Broker an event and do what it says."""
        for action in self.broker.step(event, self.now):
            if isinstance(action, Publish):
                frame = codec.encode(action.state)
                state: Any = codec.decode(frame)[2]
                self.states.append(state)
                for node in self.nodes.values():
                    if node.role == "worker":
                        node.step(Arrived("", 0, 0, state))
            elif action.peer in self.nodes:
                frame = codec.encode(action.message, action.sequence, action.acknowledged)
                self.nodes[action.peer].to_node.append(frame)
        self.broker.check()

    def to_broker(self, node: Node) -> None:
        """Let the oldest frame of a node arrive."""
        if node.to_broker:
            self.broker_step(Arrived(node.name, *codec.decode(node.to_broker.popleft())))

    def to_node(self, node: Node) -> None:
        """Let the oldest frame for a node arrive."""
        if node.to_node:
            node.step(Arrived("", *codec.decode(node.to_node.popleft())))

    def tick(self) -> None:
        """A Tick of the Broker, and the rounds of all nodes."""
        self.broker_step(Tick())
        for node in list(self.nodes.values()):
            node.service()

    def settle(self, rounds: int = 8) -> None:
        """Let everything arrive that is under way, and what is said to it."""
        for _ in range(rounds):
            self.tick()
            for node in list(self.nodes.values()):
                while node.to_broker:
                    self.to_broker(node)
                while node.to_node:
                    self.to_node(node)

    def lose(self, node: Node, *, blame: bool = True, late: int = 0) -> None:
        """A Worker has died; the Broker hears of it when `late` more of its frames have arrived."""
        node.alive = False
        self.nodes.pop(node.name)
        for _ in range(late):
            self.to_broker(node)
        running = node.running[-1][:2] if node.running else None
        self.broker_step(PeerLost(node.name, "signal SIGSEGV", blame, running, "dump", "host"))
        while node.to_broker:
            self.to_broker(node)
        self.dead.append(node)

    def give_up(self, reason: str = "no Worker starts") -> None:
        """The host process will not start Workers again."""
        self.broker_step(GaveUp(reason))

    def work(self, rounds: int = 2000) -> None:
        """Run everything there is; Workers that die are replaced."""
        for _ in range(rounds):
            self.now += 0.06
            self.settle(2)
            for node in list(self.nodes.values()):
                if node.role == "worker":
                    self._work_at(node)
            if all(self._is_done(node) for node in self.nodes.values()):
                return
            if self.now % 7 < 0.06:
                self.now += 9.0  # whatever was lost is sent again
        stuck = [
            (node.name, number, self.broker.explain(node.name, number), node.machine.explain(number))
            for node in self.nodes.values()
            for number in node.payloads.keys() - node.outcomes.keys()
        ]
        raise AssertionError(f"never resolved: {stuck[:5]}")

    def _work_at(self, node: Node) -> None:
        while node.finish():
            pass
        if node.own and node.running:
            node.run_own()
        if node.todo and not node.start():
            self.lose(node)
            self.node("worker")

    def _is_done(self, node: Node) -> bool:
        return node.payloads.keys() == node.outcomes.keys() and not node.running and not node.todo
