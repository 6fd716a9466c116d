"""A simulated Federation: its nodes and links, and what host processes do for them.

A host process learns of its Worker's end, tells its Broker, and forks another; it starts a Broker that died again
and tells the new one which Workers are alive and whom to dial.
"""

from __future__ import annotations

import random

from ..broker.events import EndedFor, EndForCancel, GaveUp, PeerContinued, PeerLost, PeerStopped
from ..federation.channel import Channel
from ..supervision.cancels import HOW_CANCELLED, victim
from ..supervision.stops import LOOK_SECONDS
from ..wire.control import EndWorker
from ..wire.messages import CANCELLED, OUT_OF_MEMORY, OVERRAN
from ..wire.names import stand_in_name
from .broker import SimBroker
from .network import FaultyLink, LinkFaults, Receiver, SimLink
from .origin import SimOrigin
from .running import BegunFuture, Fates
from .submitter import SimSubmitter
from .worker import SimWorker
from .world import SimNode, Watch, World

LOCAL_LATENCY_SECONDS = 30e-6
NOTICED_AFTER_SECONDS = 0.002
FORK_SECONDS = 0.005
ASKED_SECONDS = 0.0001
"""What a Broker asks its host process takes so long."""
STAND_IN = 0
"""The slot of stand-ins; those of other Workers begin at 1."""


class System:
    """All nodes and links.

    size
        How many Workers there will be.
    conditions
        What links do to frames; None: they are perfect.
    drift
        How much clocks may run fast or slow.
    spreads_starts
        Within how many seconds nodes start.
    """

    def __init__(
        self, world: World, size: int, *, conditions: LinkFaults | None = None, drift: float = 0.0,
        spreads_starts: float = 0.0,
    ) -> None:  # fmt: skip
        self.world, self.clock, self.size = world, world.clock, size
        self.random = random.Random(f"{world.seed} fate")
        self.conditions, self.drift, self.spreads_starts = conditions, drift, spreads_starts
        self.brokers: dict[str, SimBroker] = {}
        self.workers: dict[str, SimWorker] = {}  # those that are alive
        self.origins: dict[str, SimOrigin] = {}
        self.parents: dict[str, str] = {}  # Broker -> the one that dials it
        self.children: dict[str, list[str]] = {}
        self.hosts: dict[str, str] = {}  # Worker or Origin -> Broker
        self.staff: dict[str, list[str]] = {}  # Broker -> its Workers that are alive
        self.faulty_links: list[FaultyLink] = []
        self.links_between: dict[tuple[str, str], list[FaultyLink]] = {}  # (from, to), with Main and Meta
        self.places: dict[str, int] = {}  # Broker -> how many Workers its host is to have, in slots from 1 on
        self.dead: set[str] = set()  # Brokers that will not come back
        self.down: set[str] = set()  # those whose host process is being started again
        self.gave_up = ""  # why the hosts start no Worker any more
        self._retired_sent = 0  # messages of nodes that are gone
        self._starts: dict[str, int] = {}
        self._fates = Fates(self._crash, self._overrun, self._overgrow, self._leave)

    def _watch(self) -> Watch:
        """Draw a node's clock."""
        if not self.drift:
            return Watch()
        return Watch(1.0 + self.random.uniform(-self.drift, self.drift), self.random.uniform(0.0, 10_000.0))

    # -- building ----------------------------------------------------------------------------------------------------

    def add_broker(self, name: str) -> SimBroker:
        """Start a Broker."""
        broker = self.brokers[name] = SimBroker(self.world, name, self._watch())
        clock = self.clock
        broker.attend(
            lambda: clock.at(clock.now + FORK_SECONDS, self._add_stand_in, name),
            lambda action: clock.at(clock.now + ASKED_SECONDS, self._end_for_cancel, action),
        )
        self.children[name], self.staff[name], self.places[name] = [], [], 0
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

    def _link(self, here: str, there: str, target: Receiver, latency: float, source: str | None = None) -> SimLink:
        source = here if source is None else source
        if self.conditions is None:
            return SimLink(self.clock, source, target, latency)
        link = FaultyLink(self.clock, source, target, latency, self.conditions, self.random)
        self.faulty_links.append(link)
        self.links_between.setdefault((here, there), []).append(link)
        return link

    def add_worker(self, broker: str, slot: int) -> SimWorker:
        """Start a Worker on a Broker's host."""
        self.places[broker] = max(slot, self.places[broker])
        place = f"{broker}.{slot}"
        self._starts[place] = count = self._starts.get(place, 0) + 1
        name = place if count == 1 else f"{place}+{count - 1}"
        return self._attach_worker(SimWorker(self.world, name, broker, slot, self._fates, self._watch()), broker)

    def _add_stand_in(self, broker: str) -> None:
        """Start a Worker for Futures with a time limit; nobody starts another in its place."""
        if self.gave_up or not self.brokers[broker].alive:
            return
        self._starts[broker] = count = self._starts.get(broker, 0) + 1
        name = stand_in_name(broker, count)
        self._attach_worker(SimWorker(self.world, name, broker, STAND_IN, self._fates, self._watch()), broker)

    def _attach_worker(self, worker: SimWorker, broker: str) -> SimWorker:
        self.workers[worker.name] = worker
        self.staff[broker].append(worker.name)
        self._attach(worker, broker)
        home = self.brokers[broker]
        home.meta.setdefault("", {})[worker.name] = home.links[worker.name]
        return worker

    def add_origin(self, broker: str, name: str) -> SimOrigin:
        """Start a program on a Broker's host."""
        origin = self.origins[name] = SimOrigin(self.world, name, broker, self._watch())
        self._attach(origin, broker)
        return origin

    def _attach(self, node: SimSubmitter, broker: str) -> None:
        self.hosts[node.name] = broker
        self.world.lanes.enter(node)
        node.attach(self._link(node.name, broker, self.brokers[broker], LOCAL_LATENCY_SECONDS))
        self.brokers[broker].links[node.name] = self._link(broker, node.name, node, LOCAL_LATENCY_SECONDS, "")
        self.clock.at(self.clock.now + self.random.random() * self.spreads_starts, self._introduce, node)

    def _introduce(self, node: SimSubmitter) -> None:
        node.tick()
        node.plan()

    # -- ends and beginnings -----------------------------------------------------------------------------------------

    def _crash(self, worker: SimWorker) -> None:
        self.worker_died(worker, "signal SIGSEGV", blame=True)

    def _overrun(self, worker: SimWorker, running: BegunFuture) -> None:
        self.world.observer.on_overrun(worker.name, running.piece.terms.submitter, running.number)  # type: ignore[union-attr]
        self.worker_died(worker, "over its time limit", blame=False, ended_for=EndedFor(OVERRAN, *running.blamed))

    def _overgrow(self, worker: SimWorker, running: BegunFuture) -> None:
        """A Future uses more memory than its own limit, or, if it has none, than that of each Worker."""
        self.world.observer.on_overgrowth(worker.name, running.piece.terms.submitter, running.number)  # type: ignore[union-attr]
        why = EndedFor(OUT_OF_MEMORY, *running.blamed, 2, 0 if running.spec.memory else 1)
        self.worker_died(worker, "over its memory limit", blame=False, ended_for=why)

    def _end_for_cancel(self, asked: EndForCancel) -> None:
        """A Broker has said which Futures of a Worker were cancelled: its host process looks whether one runs."""
        if (worker := self.workers.get(asked.worker)) is None:
            return
        piece, running = worker.workload.pieces.get(asked.piece), worker.cells()
        wanted = EndWorker(asked.worker, asked.piece, asked.ids, asked.begun)
        number = victim(wanted, running if running[0] else None, worker.alone())
        if number is not None:
            if piece is not None:
                self.world.observer.on_end_for(worker.name, piece.terms.submitter, number)
            ended_for = EndedFor(CANCELLED, asked.piece, number)
            self.worker_died(worker, HOW_CANCELLED, blame=False, ended_for=ended_for)

    def _leave(self, worker: SimWorker) -> None:
        self.worker_died(worker, "exit code 0", blame=False, left=worker.slot != STAND_IN)

    def count_workers(self, name: str) -> int:
        """How many Workers live on a host, stand-ins aside."""
        return sum(self.workers[other].slot != STAND_IN for other in self.staff[name])

    def resize(self, name: str, workers: int) -> None:
        """A host is to have so many Workers: those that lack are started, and those that are too many withdrawn."""
        self.world.note(name, f"is to have {workers} Workers")
        self.places[name] = workers
        living = {self.workers[other].slot: self.workers[other] for other in self.staff[name]}
        for slot in range(1, workers + 1):
            if slot not in living:
                self.clock.at(self.clock.now + FORK_SECONDS, self._fork, (name, slot))
        for slot, worker in living.items():
            if slot != STAND_IN:
                self.clock.at(self.clock.now + ASKED_SECONDS, self._withdraw, worker)

    def _withdraw(self, worker: SimWorker) -> None:
        stays = worker.slot <= self.places[worker.home]
        if worker.alive and worker.inbox.withdrawal.is_told is stays:
            worker.withdraw(stays=stays)

    def worker_died(
        self, worker: SimWorker, status: str, *, blame: bool, again: bool = True, left: bool = False,
        ended_for: EndedFor | None = None,
    ) -> None:  # fmt: skip
        """A Worker has ended, or has `left` as it was told: its host process tells the Broker and forks another."""
        if not worker.alive:
            return
        worker.end()
        self.world.note(worker.name, f"has ended: {status}")
        if left:
            self.world.observer.on_worker_left(worker.name)
        else:
            self.world.observer.on_worker_lost(worker.name, worker.blamed_future() if blame else None)
        broker = self.hosts[worker.name]
        self.staff[broker].remove(worker.name)
        del self.workers[worker.name]
        self._retired_sent += worker.sent
        cells = worker.cells()
        event = PeerLost(
            worker.name, status, blame, cells if cells[0] else None, "", broker, ended_for, worker.is_nested,
            begun=worker.parents.begun_once,
        )  # fmt: skip
        self.clock.at(self.clock.now + NOTICED_AFTER_SECONDS, self._notice, (broker, event))
        if again and worker.slot != STAND_IN:
            self.clock.at(self.clock.now + FORK_SECONDS, self._fork, (broker, worker.slot))

    def _notice(self, argument: tuple[str, PeerLost]) -> None:
        name, event = argument
        broker = self.brokers[name]
        broker.meta[""].pop(event.peer, None)
        broker.links.pop(event.peer, None)
        if broker.alive:
            broker.inform(event)
        else:  # where ZeroMQ keeps what this Worker has said, the next Broker must hear of its end after that
            broker.later(lambda: broker.inform(event))

    def worker_stopped(self, name: str) -> None:
        """If it is a Worker that is stopped, and still is when its host process looks, its Broker is told."""
        if name in self.workers:
            self.clock.at(self.clock.now + LOOK_SECONDS, self._look, name)

    def _look(self, name: str) -> None:
        worker = self.workers.get(name)
        broker = self.brokers[self.hosts[name]]
        if worker is not None and worker.halted and broker.alive:
            cells = worker.cells()
            broker.inform(PeerStopped(name, cells if cells[0] else None))

    def worker_continued(self, name: str) -> None:
        """If it is a Worker that goes on, its Broker is told."""
        if name in self.workers and (broker := self.brokers[self.hosts[name]]).alive:
            broker.inform(PeerContinued(name))

    def _fork(self, argument: tuple[str, int]) -> None:
        name, slot = argument
        is_wanted = slot <= self.places[name] and all(self.workers[other].slot != slot for other in self.staff[name])
        if is_wanted and name not in self.dead and name not in self.down and not self.gave_up:
            self.add_worker(name, slot)

    def broker_died(self, broker: SimBroker, *, keeps_mail: bool) -> None:
        """A Broker has ended."""
        if broker.alive:
            broker.end(keeps_mail=keeps_mail)
            self.world.note(broker.name, "has ended" + ("; ZeroMQ keeps what comes meanwhile" if keeps_mail else ""))
            self.world.observer.on_disturbance(broker.name, "broker")

    def broker_starts(self, broker: SimBroker) -> None:
        """The host process starts a Broker again."""
        if not broker.alive and broker.name not in self.dead:
            broker.start_again(list(self.staff[broker.name]), self.children[broker.name])
            if self.gave_up:
                broker.inform(GaveUp(self.gave_up))

    def give_up(self, reason: str) -> None:
        """All host processes end their Workers, start none again, and tell their Brokers so."""
        self.world.note("everything", f"is given up: {reason}")
        self.world.observer.on_gave_up()
        self.gave_up = reason
        for worker in list(self.workers.values()):
            self.worker_died(worker, reason, blame=False, again=False)
        for broker in self.brokers.values():
            if broker.alive:
                self.clock.at(self.clock.now + NOTICED_AFTER_SECONDS, self._tell_given_up, broker)

    def _tell_given_up(self, broker: SimBroker) -> None:
        if broker.alive:
            broker.inform(GaveUp(self.gave_up))

    def host_died(self, name: str) -> None:
        """A host is gone for good, and its Workers with it."""
        self.dead.add(name)
        for worker in [self.workers[other] for other in self.staff[name]]:
            self.worker_died(worker, "host lost", blame=False, again=False)
        self.broker_died(self.brokers[name], keeps_mail=False)

    def host_process_died(self, name: str) -> None:
        """A host process is killed, and all that it has started ends; programs there hear so."""
        self.down.add(name)
        for worker in [self.workers[other] for other in self.staff[name]]:
            self.worker_died(worker, "signal SIGKILL", blame=False, again=False)
        self.broker_died(self.brokers[name], keeps_mail=False)
        for origin in self.origins.values():
            if self.hosts[origin.name] == name:
                self.clock.at(self.clock.now + NOTICED_AFTER_SECONDS, SimOrigin.broker_ended, origin)

    def host_process_starts(self, name: str) -> None:
        """It is started again, with a Broker of the same name and new Workers."""
        self.down.discard(name)
        self.broker_starts(self.brokers[name])
        self.resize(name, self.places[name])

    def cut_off(self) -> set[str]:
        """Brokers that are lost for good, and those behind them."""
        lost: set[str] = set()
        if self.dead:
            for name in self.brokers:  # parents come before their children
                if name in self.dead or self.parents.get(name) in lost:
                    lost.add(name)
        return lost

    def reachable_submitters(self) -> list[SimSubmitter]:
        """Workers and Origins that are alive and behind no Broker that is lost for good."""
        lost, nodes = self.cut_off(), [*self.workers.values(), *self.origins.values()]
        return [node for node in nodes if node.alive and self.hosts[node.name] not in lost]

    def channel(self, node: str, peer: str) -> Channel | None:
        """Return the Channel of the session that a node has with a peer; None: it knows none."""
        broker = self.brokers.get(node)
        if broker is not None:
            there = broker.machine.peers.get(peer)
            return None if there is None else there.channel
        submitter = self.workers.get(node) or self.origins.get(node)
        return None if submitter is None else submitter.machine.channel

    # -- what is seen ------------------------------------------------------------------------------------------------

    def nodes(self) -> list[SimNode]:
        """All nodes that are alive."""
        return [node for node in self._everybody() if node.alive]

    def _everybody(self) -> list[SimNode]:
        return [*self.brokers.values(), *self.workers.values(), *self.origins.values()]

    def messages_sent(self) -> int:
        """How many messages all nodes have sent."""
        return self._retired_sent + sum(node.sent for node in self._everybody())
