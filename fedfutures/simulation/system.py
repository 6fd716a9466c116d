"""A simulated Federation: its nodes and links, and what host processes do for them.

A host process learns of its Worker's end, tells its Broker, and forks another; it starts a Broker that died again
and tells the new one which Workers are alive and whom to dial.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from ..broker.events import Expect, PeerLost
from ..federation.events import Send
from .clock import Clock
from .laws import Laws
from .network import FaultyLink, Link, Receiver, Weather
from .nodes import Node, SimBroker, SimOrigin, Submitter
from .worker import Running, SimWorker

if TYPE_CHECKING:
    from .trace import Trace
    from .transcript import Transcript

LOCAL_LATENCY_SECONDS = 30e-6
NOTICED_AFTER_SECONDS = 0.002
FORK_SECONDS = 0.005


class System:
    """All of it. `careful`: every machine checks itself after every step, and the network has a weather."""

    def __init__(self, seed: int, laws: Laws, *, careful: bool = False, size: int = 0) -> None:
        self.seed, self.laws, self.careful, self.size = seed, laws, careful, size
        self.clock = Clock()
        self.random = random.Random(f"{seed} fate")
        self.weather = Weather()
        self.drift = 0.0  # how much clocks may run fast or slow
        self.brokers: dict[str, SimBroker] = {}
        self.workers: dict[str, SimWorker] = {}  # those that are alive
        self.origins: dict[str, SimOrigin] = {}
        self.parents: dict[str, str] = {}  # Broker -> the one that dials it
        self.children: dict[str, list[str]] = {}
        self.hosts: dict[str, str] = {}  # Worker or Origin -> Broker
        self.staff: dict[str, list[str]] = {}  # Broker -> its Workers that are alive
        self.faulty_links: list[FaultyLink] = []
        self.links_between: dict[tuple[str, str], list[FaultyLink]] = {}  # (from, to), with Main and Meta
        self.dead: set[str] = set()  # Brokers that will not come back
        self.transcript: Transcript | None = None
        self.trace: Trace | None = None
        self.watched = careful  # whether the laws see every message
        self.spreads_starts = 0.0
        self.retired_sent = 0  # messages of nodes that are gone
        self._tags = 0
        self._boots = random.Random(f"{seed} boots")
        self._starts: dict[str, int] = {}
        laws.system = self

    # -- numbers -----------------------------------------------------------------------------------------------------

    def next_boot(self) -> int:
        """What a process draws when it starts."""
        return self._boots.getrandbits(48)

    def next_tag(self) -> int:
        """A number no Future has had."""
        self._tags += 1
        return self._tags

    def _watch(self) -> tuple[float, float]:
        """Return rate and beginning of a node's clock."""
        if not self.drift:
            return 1.0, 0.0
        return 1.0 + self.random.uniform(-self.drift, self.drift), self.random.uniform(0.0, 10_000.0)

    # -- building ----------------------------------------------------------------------------------------------------

    def add_broker(self, name: str) -> SimBroker:
        """Start a Broker."""
        broker = self.brokers[name] = SimBroker(self, name, *self._watch())
        self.children[name], self.staff[name] = [], []
        return broker

    def join(self, parent: str, child: str, latency: float) -> None:
        """Link two Brokers; the parent dials."""
        self.parents[child] = parent
        self.children[parent].append(child)
        for here, there in ((parent, child), (child, parent)):
            link = self._link(here, there, self.brokers[there], latency)
            self.brokers[here].links[there] = link
            self.brokers[here].meta[there] = {there: link}
        self.clock.at(self.clock.now + self.random.random() * self.spreads_starts, self.brokers[parent].dial, child)

    def _link(self, here: str, there: str, target: Receiver, latency: float, source: str | None = None) -> Link:
        source = here if source is None else source
        if not self.careful:
            return Link(self.clock, source, target, latency)
        link = FaultyLink(self.clock, source, target, latency, self.weather, self.random)
        self.faulty_links.append(link)
        self.links_between.setdefault((here, there), []).append(link)
        return link

    def add_worker(self, broker: str, slot: int) -> SimWorker:
        """Start a Worker on a Broker's host."""
        place = f"{broker}.{slot}"
        self._starts[place] = count = self._starts.get(place, 0) + 1
        worker = SimWorker(self, place if count == 1 else f"{place}+{count - 1}", slot, *self._watch())
        self.workers[worker.name] = worker
        self.staff[broker].append(worker.name)
        self._attach(worker, broker)
        home = self.brokers[broker]
        home.meta.setdefault("", {})[worker.name] = home.links[worker.name]
        return worker

    def add_origin(self, broker: str, name: str) -> SimOrigin:
        """Start a program on a Broker's host."""
        origin = self.origins[name] = SimOrigin(self, name, *self._watch())
        self._attach(origin, broker)
        return origin

    def _attach(self, node: Submitter, broker: str) -> None:
        self.hosts[node.name] = broker
        node.up = self._link(node.name, broker, self.brokers[broker], LOCAL_LATENCY_SECONDS)
        self.brokers[broker].links[node.name] = self._link(broker, node.name, node, LOCAL_LATENCY_SECONDS, "")
        self.clock.at(self.clock.now + self.random.random() * self.spreads_starts, self._introduce, node)

    def _introduce(self, node: Submitter) -> None:
        node.tick()
        node.plan()

    # -- ends and beginnings -----------------------------------------------------------------------------------------

    def worker_died(self, worker: SimWorker, status: str, *, blame: bool, again: bool = True) -> None:
        """A Worker has ended: its host process tells the Broker and forks another."""
        if not worker.alive:
            return
        worker.alive = False
        worker.halt(keeps_mail=False)
        self.happened(worker.name, f"has ended: {status}")
        blamed = worker.blamed_future() if blame else None
        self.laws.lost(worker.name, blamed)
        broker = self.hosts[worker.name]
        self.staff[broker].remove(worker.name)
        del self.workers[worker.name]
        self.retired_sent += worker.sent
        cells = worker.cells()
        event = PeerLost(worker.name, status, blame, cells if cells[0] else None, "", broker)
        self.clock.at(self.clock.now + NOTICED_AFTER_SECONDS, self._notice, (broker, event))
        if again:
            self.clock.at(self.clock.now + FORK_SECONDS, self._fork, (broker, worker.slot))

    def _notice(self, argument: tuple[str, PeerLost]) -> None:
        name, event = argument
        broker = self.brokers[name]
        broker.meta[""].pop(event.peer, None)
        broker.links.pop(event.peer, None)
        if broker.alive:
            broker.inform(event)

    def _fork(self, argument: tuple[str, int]) -> None:
        if argument[0] not in self.dead:
            self.add_worker(*argument)

    def broker_died(self, broker: SimBroker, *, keeps_mail: bool) -> None:
        """A Broker has ended."""
        if broker.alive:
            broker.alive = False
            broker.halt(keeps_mail=keeps_mail)
            self.happened(broker.name, "has ended" + ("; ZeroMQ keeps what comes meanwhile" if keeps_mail else ""))
            self.laws.disturbed(broker.name)

    def broker_starts(self, broker: SimBroker) -> None:
        """The host process starts a Broker again."""
        if broker.alive or broker.name in self.dead:
            return
        broker.alive = True
        broker.start()
        self.happened(broker.name, f"was started again, boot {broker.boot}")
        mail, broker.mail = broker.mail, None
        broker.halted = False
        broker.inform(Expect(list(self.staff[broker.name])))
        for child in self.children[broker.name]:
            broker.dial(child)
        broker.mail = mail
        broker.go_on()

    def host_died(self, name: str) -> None:
        """A host is gone for good, and its Workers with it."""
        self.dead.add(name)
        for worker in [self.workers[other] for other in self.staff[name]]:
            self.worker_died(worker, "host lost", blame=False, again=False)
        self.broker_died(self.brokers[name], keeps_mail=False)

    def cut_off(self) -> set[str]:
        """Brokers that are lost for good, and those behind them."""
        lost: set[str] = set()
        if self.dead:
            for name in self.brokers:  # parents come before their children
                if name in self.dead or self.parents.get(name) in lost:
                    lost.add(name)
        return lost

    # -- what is seen ------------------------------------------------------------------------------------------------

    def nodes(self) -> list[Node]:
        """All nodes that are alive."""
        return [node for node in self._everybody() if node.alive]

    def _everybody(self) -> list[Node]:
        return [*self.brokers.values(), *self.workers.values(), *self.origins.values()]

    def messages_sent(self) -> int:
        """How many messages all nodes have sent."""
        return self.retired_sent + sum(node.sent for node in self._everybody())

    def sends(self, sender: str, peer: str, action: Send) -> None:
        """A machine sends a message; called where somebody watches."""
        if self.transcript is not None:
            self.transcript.sends(self.clock.now, sender, peer or self.hosts[sender], action)
        self.laws.sends(sender, peer or self.hosts[sender], action.message)

    def happened(self, name: str, what: str) -> None:
        """Note what befalls a node."""
        if self.transcript is not None:
            self.transcript.note(self.clock.now, name, what)

    def ran(self, worker: str, running: Running, now: float) -> None:
        """A Worker was busy with a Future from its beginning until now."""
        if self.trace is not None:
            submitter = worker if running.piece is None else running.piece.terms.submitter
            self.trace.ran(worker, f"{submitter}/{running.number}", running.began, now)
