"""Brokers, Workers and Origins, joined by links in memory: every message is encoded and decoded on its way.

The nodes here do what the shells do: they run Futures (whose value is made of their payload), hand back what they are
asked for, and submit. Brokers form the tree of a plan and are started again as their host processes do it. Each step is
followed by ``check()``.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import msgpack

from fedfutures.broker import files
from fedfutures.broker.events import Dial, Event, Expect, GaveUp, PeerLost, Publish
from fedfutures.broker.machine import BrokerMachine
from fedfutures.federation.events import Arrived, Send, Tick
from fedfutures.node import events as rules
from fedfutures.node.machine import WorkerMachine
from fedfutures.wire import codec, messages
from fedfutures.wire.manifest import MANIFEST, segments_of
from fedfutures.wire.messages import VALUE
from fedfutures.wire.names import host_of

from .hosts import Host, manifest

CRASH = b"crash"
"""A Future whose payload starts so kills the Worker that runs it."""


def value_of(payload: bytes) -> bytes:
    return b"value of " + payload


class Node:
    """What a shell keeps around a WorkerMachine."""

    def __init__(self, network: Network, name: str, role: str, incarnation: int, home: str) -> None:
        self.network = network
        self.home = home  # its Broker
        self.name, self.role, self.incarnation = name, role, incarnation
        self.machine = WorkerMachine(name, role, incarnation, 1000 + incarnation)
        self.to_broker: deque[bytes] = deque()
        self.to_node: deque[bytes] = deque()
        self.own: deque[tuple[bytes, int, bytes]] = deque()  # (function, number, payload), not given
        self.payloads: dict[int, bytes] = {}  # of all own Futures
        self.functions: dict[int, bytes] = {}
        self.priorities: dict[int, int] = {}
        self.outcomes: dict[int, tuple[int, bytes]] = {}  # (kind, outcome)
        self.started: set[int] = set()
        self.workload = self.machine.workload
        self.running: list[tuple[int, int, bytes, set[int]]] = []  # the last: own Futures that it waits for
        self.constants: dict[str, bytes] = {}
        self.denied = ""
        self.alive = True

    def step(self, event: rules.Event) -> None:
        """Give the machine an event and do what it says."""
        for action in self.machine.step(event, self.network.now):
            if type(action) is Send:
                self.send(action)
            else:
                getattr(self, "_" + type(action).__name__.lower())(action)
        self.machine.check()

    def send(self, action: Send) -> None:
        self.to_broker.append(codec.encode(action.message, action.sequence, action.acknowledged))

    def _run(self, action: rules.Run) -> None:
        assert action.body == b"body of " + self.workload.pieces[action.piece].terms.function
        self.workload.enqueue(action.piece, action.body)

    def _resolve(self, action: rules.Resolve) -> None:
        odd = dict(action.odd)
        for number, outcome in zip(action.ids, action.outcomes):
            assert number not in self.outcomes, "resolved twice"
            self.outcomes[number] = odd.get(number, VALUE), self._taken(self.payloads[number], outcome)

    @property
    def host(self) -> Host:
        """Where this node runs."""
        return self.network.hosts[host_of(self.home)]

    def _taken(self, payload: bytes, outcome: bytes) -> bytes:
        """Let go of an argument's segment, and return the value that is meant."""
        if outcome[:1] == MANIFEST:
            self.host.opens(outcome)
            self.host.forget(outcome)
            assert segments_of(outcome)[0].endswith(f"-of-{segments_of(payload)[0]}")
            outcome = value_of(payload)
        if not set(segments_of(payload)).intersection(self.network.pinned):
            self.host.forget(payload)
        return outcome

    def _result(self, payload: bytes) -> bytes:
        """What a Future returns: something as large as its argument."""
        if payload[:1] != MANIFEST:
            return value_of(payload)
        self.network.written += 1
        return manifest(self.host.write(f"r{self.network.written}-of-{segments_of(payload)[0]}", self.name))

    @property
    def todo(self) -> list[int]:
        """Futures of others that are not started."""
        return [number for piece in self.workload.queue for number, _ in piece.todo]

    def send_results(self) -> None:
        """Report what has finished, or was handed back as cancelled."""
        for finished in self.workload.results():
            self.step(finished)

    def _started(self, action: rules.Started) -> None:
        self.started.update(action.ids)

    def _shared(self, action: rules.Shared) -> None:
        self.host.opens(action.body)
        self.constants[action.name] = action.body

    def _reclaim(self, action: rules.Reclaim) -> None:
        self.own.extendleft((self.functions[i], i, self.payloads[i]) for i in reversed(action.ids))

    def _linked(self, action: rules.Linked) -> None:
        pass

    def _denied(self, action: rules.Denied) -> None:
        self.denied = action.reason

    def submit(self, function: bytes, payloads: list[bytes], priority: int = 0) -> list[int]:
        """Submit Futures; they stay here until the Broker can use them."""
        numbers = []
        for payload in payloads:
            number = len(self.payloads) + 1
            self.payloads[number], self.functions[number], self.priorities[number] = payload, function, priority
            self.own.append((function, number, payload))
            for name in segments_of(payload):
                self.host.write(name, self.name)
            numbers.append(number)
        return numbers

    def service(self) -> None:
        """Offer, tick, and say what the load is, as shells do after each round."""
        wanted = self.machine.wanted()
        while self.own:
            function, number, _ = self.own[0]
            priority = self.priorities[number]
            if (wanted if priority <= 0 else max(wanted, self.machine.urgent())) <= 0:
                break
            cut: list[tuple[bytes, int, bytes]] = []
            while self.own and self._goes_with(function, priority) and len(cut) < max(1, min(wanted, 4)):
                cut.append(self.own.popleft())
            wanted -= len(cut)
            self.machine.own.define(function, "function", b"body of " + function)
            ids, payloads = [number for _, number, _ in cut], [payload for _, _, payload in cut]
            self.step(rules.Offer(function, ids, payloads, len(self.own), priority))
        deadline = self.machine.next_deadline()
        if deadline is not None and self.network.now >= deadline:
            self.step(Tick())
        self.step(self.workload.load(0.0, len(self.own), bool(self.running), None, locked_in=False))

    def _goes_with(self, function: bytes, priority: int) -> bool:
        return self.own[0][0] == function and self.priorities[self.own[0][1]] == priority

    def start(self) -> bool:
        """Start the next Future; return whether it lets its Worker live."""
        queue = self.workload.queue
        while not queue[0].todo:
            del queue[0]
        piece, (number, payload) = queue[0].number, queue[0].todo.popleft()
        if payload[:1] == MANIFEST and self.network.awaits(payload):
            self.host.opens(payload)
        self.running.append((piece, number, payload, set()))
        return not payload.startswith(CRASH)

    def finish(self) -> bool:
        """Finish the Future started last that waits for nothing; return whether there was one."""
        for at in reversed(range(len(self.running))):
            piece, number, payload, children = self.running[at]
            if children <= self.outcomes.keys():
                del self.running[at]
                self.workload.pieces[piece].finished.append((number, self._result(payload), VALUE, 0.002))
                self.send_results()
                return True
        return False

    def run_own(self) -> None:
        """Run one own Future here."""
        if self.own:
            _, number, payload = self.own.popleft()
            self.outcomes[number] = VALUE, self._taken(payload, self._result(payload))

    def give_back(self, most: int) -> None:
        """Return Futures that came last, as when others want so many while one takes long here."""
        for back in self.workload.surplus(1e-6, most, None, locked_in=False):
            self.step(back)


class Network:
    """The Brokers and their links: `plan` says which others each dials; the first is the root."""

    def __init__(self, plan: dict[str, list[str]] | None = None) -> None:
        self.now = 0.0
        self.dice = random.Random(1)
        self.plan = plan or {"b": []}
        self.brokers: dict[str, BrokerMachine] = {}
        self.nodes: dict[str, Node] = {}
        self.dead: list[Node] = []
        self.incarnations = 0
        self.states: list[messages.State] = []
        self.between: dict[tuple[str, str], deque[Any]] = {}  # (from, to) -> frames on their way between Brokers
        self.hosts: dict[str, Host] = {}
        self.written = 0
        self.pinned: set[str] = set()  # segments that several payloads need
        self.space = 2000  # bytes of arguments that hosts keep
        self.cuts: dict[frozenset[str], bool] = {}  # links that are cut -> whether frames wait for the end of that
        for name in self.plan:
            self._start(name)
        for name in self.plan:
            self._dial(name)

    @property
    def broker(self) -> BrokerMachine:
        """The root's machine."""
        return self.brokers[next(iter(self.plan))]

    def _start(self, name: str) -> None:
        incarnation = self.dice.getrandbits(48)
        host = self.hosts.setdefault(host_of(name), Host())
        host.coming.clear()
        self.brokers[name] = BrokerMachine(
            name, incarnation, msgpack.packb, random.Random(incarnation), host.size_of, self.space
        )  # fmt: skip

    def _dial(self, name: str) -> None:
        for other in self.plan[name]:
            self.broker_step(Dial(other), name)

    def node(self, role: str, name: str | None = None, home: str | None = None) -> Node:
        """Start a node; under a name that is known, it is that one started again."""
        self.incarnations += 1
        name = name or f"{role}.{self.incarnations}"
        node = self.nodes[name] = Node(self, name, role, self.incarnations, home or self.broker.name)
        return node

    def broker_step(self, event: Event, name: str | None = None) -> None:
        """Give a Broker an event and do what it says."""
        name = name or self.broker.name
        broker = self.brokers[name]
        for action in broker.step(event, self.now):
            if isinstance(action, Publish):
                self._publish(name, action)
                continue
            if not isinstance(action, Send):
                self._store(name, action)
                continue
            frame = codec.encode(action.message, action.sequence, action.acknowledged)
            if action.peer in self.brokers:
                if self.cuts.get(frozenset((name, action.peer)), True):
                    self.between.setdefault((name, action.peer), deque()).append(frame)
            elif action.peer in self.nodes:
                self.nodes[action.peer].to_node.append(frame)
        broker.check()

    def _store(self, name: str, action: files.Action) -> None:
        """Do something with the segments of a Broker's host."""
        host = self.hosts[host_of(name)]
        if isinstance(action, files.Read):
            if self.cuts.get(frozenset((name, action.peer)), True):
                self.between.setdefault((name, action.peer), deque()).append(host.read(action))
        elif (event := host.do(action)) is not None:
            self.broker_step(event, name)

    def awaits(self, payload: bytes) -> bool:
        """Whether a Future of this payload has no outcome: else its segments may be gone, and it is run in vain."""
        return any(
            other == payload and number not in node.outcomes
            for node in self.nodes.values()
            for number, other in node.payloads.items()
        )

    def _publish(self, name: str, action: Publish) -> None:
        state: Any = codec.decode(codec.encode(action.state))[2]
        self.states.append(state)
        if not action.topic:
            for node in list(self.nodes.values()):
                if node.role == "worker" and node.home == name:
                    node.step(Arrived("", 0, 0, state))
        elif frozenset((name, action.topic)) not in self.cuts:
            self.broker_step(Arrived(name, 0, 0, state), action.topic)

    def to_broker(self, node: Node) -> None:
        """Let the oldest frame of a node arrive."""
        if node.to_broker:
            self.broker_step(Arrived(node.name, *codec.decode(node.to_broker.popleft())), node.home)

    def to_node(self, node: Node) -> None:
        """Let the oldest frame for a node arrive."""
        if node.to_node:
            node.step(Arrived("", *codec.decode(node.to_node.popleft())))
            node.send_results()

    def across(self, way: tuple[str, str]) -> None:
        """Let the oldest frame from one Broker to another arrive."""
        frames = self.between.get(way)
        if frames and frozenset(way) not in self.cuts:
            frame = frames.popleft()
            if isinstance(frame, tuple):
                chunk: Any = codec.decode(frame[0])[2]
                self.broker_step(files.Brought(way[0], chunk, frame[1]), way[1])
            else:
                self.broker_step(Arrived(way[0], *codec.decode(frame)), way[1])

    def tick(self) -> None:
        """A Tick of the Brokers, and the rounds of all nodes."""
        for name in self.plan:
            self.broker_step(Tick(), name)
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
            for way, frames in list(self.between.items()):
                while frames and frozenset(way) not in self.cuts:
                    self.across(way)

    def wait(self, seconds: float) -> None:
        """Let time pass in heartbeats, so that nobody takes a step of the test for silence."""
        for _ in range(int(seconds)):
            self.now += 1.0
            self.settle(1)

    def lose(self, node: Node, *, blame: bool = True, late: int = 0) -> None:
        """A Worker has died; the Broker hears of it when `late` more of its frames have arrived."""
        node.alive = False
        self.nodes.pop(node.name)
        for _ in range(late):
            self.to_broker(node)
        running = node.running[-1][:2] if node.running else None
        self.broker_step(PeerLost(node.name, "signal SIGSEGV", blame, running, "dump", "host"), node.home)
        while node.to_broker:
            self.to_broker(node)
        self.dead.append(node)

    def restart(self, name: str, *, lost: bool) -> None:
        """A Broker dies, what was on its way to it perhaps with it; its host process starts it again."""
        self._start(name)
        workers = [node for node in self.nodes.values() if node.home == name and node.role == "worker"]
        if lost:
            for node in self.nodes.values():
                if node.home == name:
                    node.to_broker.clear()
            for way, frames in self.between.items():
                if way[1] == name:
                    frames.clear()
        self.broker_step(
            Expect(
                [node.name for node in workers],
                [one for way in self.between for one in way if name in way and one != name],
            ),
            name,
        )
        self._dial(name)

    def kill_host(self, name: str) -> None:
        """The host process of a Broker is killed; it starts again, without the files and the Workers that it had."""
        workers = [node for node in self.nodes.values() if node.home == name]
        for node in workers:
            node.alive = False
            self.dead.append(self.nodes.pop(node.name))
        host = self.hosts[host_of(name)]
        host.segments.clear()
        host.makers.clear()
        for way, frames in self.between.items():
            if name in way:
                frames.clear()
        self._start(name)
        self.broker_step(Expect([], [one for way in self.between for one in way if name in way and one != name]), name)
        self._dial(name)
        for _ in workers:
            self.node("worker", home=name)

    def cut(self, way: tuple[str, str], *, kept: bool) -> None:
        """Cut a link; `kept`: what is sent meanwhile arrives when it is whole again."""
        self.cuts[frozenset(way)] = kept

    def heal(self) -> None:
        """All links are whole again."""
        self.cuts.clear()

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
                    self.run_at(node)
            if all(self._is_done(node) for node in self.nodes.values()):
                return
            if self.now % 7 < 0.06:
                self.wait(9.0)  # whatever was lost is sent again
        stuck = [
            (node.name, number, [broker.explain(node.name, number) for broker in self.brokers.values()],
             node.machine.own.explain(number, node.name))
            for node in self.nodes.values()
            for number in node.payloads.keys() - node.outcomes.keys()
        ]  # fmt: skip
        raise AssertionError(f"never resolved: {stuck[:5]}")

    def run_at(self, node: Node) -> None:
        """Let a Worker start and finish what it can."""
        while node.finish():
            pass
        if node.own and node.running:
            node.run_own()
        if node.todo and not node.start():
            self.lose(node)
            self.node("worker", home=node.home)

    def _is_done(self, node: Node) -> bool:
        return node.payloads.keys() == node.outcomes.keys() and not node.running and not node.todo

    def check_empty(self) -> None:
        """Assert that nobody's books have anything left in them."""
        for broker in self.brokers.values():
            statistics = broker.statistics()
            assert (statistics["queued"], statistics["held"], broker.adoption.orphans) == (0, 0, {}), broker.name
            assert not broker.ledger.intakes
            assert not broker.ledger.parked
            assert not broker.recovery.doubtful
            assert not broker.queries.open
            assert not len(broker.downloads)
            for account in broker.ledger.accounts.values():
                assert not any((account.held, account.shards)), (broker.name, account.name)
        for node in self.nodes.values():
            assert node.payloads.keys() == node.outcomes.keys()
            assert node.machine.statistics()["given"] == node.machine.statistics()["held"] == 0
        constants = {name: known.body for name, known in self.broker.functions.constants.items()}
        for broker in self.brokers.values():
            assert {name: known.body for name, known in broker.functions.constants.items()} == constants, broker.name
        assert all(node.constants == constants for node in self.nodes.values())
