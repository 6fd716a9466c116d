"""What befalls a Federation: a *swarm* says which faults a schedule has and how strong, dice say when and whom.

Swarm testing (Groce and others 2012): a schedule with every fault at once seldom gets anywhere interesting; one that
draws which faults there are at all reaches states that the others hide. Faults last until the schedule's healing;
what is dead for good stays so.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ..federation.events import Arrived
from ..wire import messages
from .forging import Forger
from .network import FaultyLink, LinkFaults
from .records import broken
from .system import STAND_IN, System
from .world import NEVER, SimNode

INCIDENT_SECONDS = 0.8
"""Mean time between incidents of one kind."""
MOST_WORKERS = 4
"""A host that is resized has so many at most."""


@dataclass(slots=True)
class Swarm:
    """What is on. Rates are incidents per second."""

    conditions: LinkFaults
    drift: float = 0.0
    worker_crashes: float = 0.0
    worker_retires: float = 0.0
    resizes: float = 0.0
    broker_crashes: float = 0.0
    cuts: float = 0.0
    long_cuts: bool = False
    clogs: float = 0.0
    pauses: float = 0.0
    slowness: float = 0.0
    deaths: float = 0.0
    leaves: float = 0.0
    intruders: float = 0.0
    forgets: float = 0.0
    gives_up: float = 0.0
    revivals: float = 0.0
    forgeries: float = 0.0

    def add(self, name: str, rate: float) -> None:
        """Let incidents of this kind come so many times a second."""
        setattr(self, name, rate)

    def lengthen_cuts(self) -> None:
        """Let cuts last until a silent neighbour is forgotten, and longer."""
        self.long_cuts = True

    def stretch(self, times: float) -> None:
        """Let incidents come so many times as seldom."""
        for name in RATES:
            setattr(self, name, getattr(self, name) / times)

    def thin_out(self, dice: Random, rate: float) -> None:
        """Leave good links, and one or two kinds of incidents: what these may do can be said exactly."""
        self.conditions.clear()
        self.drift = self.slowness = 0.0
        for name in RATES:
            setattr(self, name, 0.0)
        for name in {dice.choice(FEW), dice.choice(FEW)}:
            setattr(self, name, rate)

    def __str__(self) -> str:
        """Name what is on."""
        rates = {name: getattr(self, name) for name in self.__slots__ if name != "conditions"}
        chances = {name: getattr(self.conditions, name) for name in self.conditions.__slots__ if name != "delay"}
        on = [f"{name} {strength:.2g}" for name, strength in {**rates, **chances}.items() if strength]
        return ", ".join(on) or "no faults"


def draw_swarm(dice: Random) -> Swarm:
    """Decide which faults a schedule has; one in eight has none."""
    if dice.random() < 0.125:
        return Swarm(LinkFaults())

    def on(strength: float) -> float:
        return strength if dice.random() < 0.3 else 0.0

    conditions = LinkFaults(
        drop=on(dice.choice([0.01, 0.05, 0.3])), duplicate=on(dice.choice([0.05, 0.5])), late=on(dice.random()),
        delay=10 ** dice.uniform(-3, 0.5), reorder=on(0.3), drop_published=on(dice.choice([0.1, 0.5, 1.0])),
        replay=on(0.02),
    )  # fmt: skip
    rate = 1 / INCIDENT_SECONDS
    return Swarm(
        conditions, drift=on(0.05), worker_crashes=on(rate), worker_retires=on(rate / 2), broker_crashes=on(rate / 2),
        cuts=on(rate / 2), long_cuts=dice.random() < 0.03, clogs=on(rate), pauses=on(rate), slowness=on(5.0),
        deaths=on(rate / 4), leaves=on(rate / 8), intruders=on(rate),
    )  # fmt: skip


RATES = (
    "worker_crashes", "worker_retires", "broker_crashes", "cuts", "clogs", "pauses", "deaths", "leaves", "intruders",
    "forgets", "gives_up", "revivals", "forgeries", "resizes",
)  # fmt: skip
"""What comes so many times a second."""
FEW = ("worker_crashes", "broker_crashes", "broker_crashes", "cuts", "cuts", "deaths", "leaves", "forgets", "gives_up")
"""What a thin swarm has."""


class Nemesis:
    """Lets a swarm befall a system until it heals."""

    def __init__(self, system: System, swarm: Swarm, until: float) -> None:
        self.system, self.swarm, self.until = system, swarm, until
        self.random = system.random
        self.paused: list[SimNode] = []
        self.core: set[str] = self._core()

    def _core(self) -> set[str]:
        """Brokers that are never lost for good: those of Origins, and all on the way between them."""
        core: set[str] = set()
        for origin in self.system.origins:
            broker: str | None = self.system.hosts[origin]
            while broker is not None:
                core.add(broker)
                broker = self.system.parents.get(broker)
        return core or {next(iter(self.system.brokers))}

    def spare(self, broker: str) -> None:
        """Never lose this Broker for good, nor those on the way to it."""
        name: str | None = broker
        while name is not None:
            self.core.add(name)
            name = self.system.parents.get(name)

    def begin(self) -> None:
        """Draw when what will happen."""
        for name in RATES:
            rate: float = getattr(self.swarm, name)
            time = self.random.expovariate(rate) if rate else NEVER
            while time < self.until:
                self.system.clock.at(time, getattr(self, name))
                time += self.random.expovariate(rate)
        if self.swarm.slowness:
            for worker in self.system.workers.values():
                worker.be_slow(self.random.choice([1.0, 1.0, self.swarm.slowness]))

    # -- incidents ---------------------------------------------------------------------------------------------------

    def worker_crashes(self, _: object) -> None:
        """A Worker is killed; what it was running may be to blame, or not (then nothing is)."""
        if self.system.workers:
            worker = self.random.choice(list(self.system.workers.values()))
            self.system.worker_died(worker, "signal SIGKILL", blame=self.random.random() < 0.2)

    def worker_retires(self, _: object) -> None:
        """A Worker leaves on purpose, when it has nothing to run and nothing waits there."""
        workers = self.system.workers.values()
        resting = [worker for worker in workers if worker.resting and not worker.waiting and not worker.halted]
        if resting:
            worker = self.random.choice(resting)
            worker.retire()
            self.system.clock.at(
                self.system.clock.now + 0.001,
                lambda _: self.system.worker_died(worker, "exit code 0", blame=False),
            )

    def resizes(self, _: object) -> None:
        """A host gets more Workers, or fewer."""
        hosts = [name for name in self.system.brokers if name not in self.system.dead | self.system.down]
        if hosts and not self.system.gave_up:
            self.system.resize(self.random.choice(hosts), self.random.randint(0, MOST_WORKERS))

    def broker_crashes(self, _: object) -> None:
        """A Broker is killed and started again."""
        broker = self.random.choice(list(self.system.brokers.values()))
        self.system.broker_died(broker, keeps_mail=self.random.random() < 0.5)
        down = self.random.choice([0.01, 0.1, 0.1, 0.5, 4.0])
        self.system.clock.at(self.system.clock.now + down, lambda _: self.system.broker_starts(broker))

    def revivals(self, _: object) -> None:
        """The host process of a program's host is killed, with all that it has started; the program starts another."""
        system = self.system
        homes = sorted(
            {system.hosts[origin] for origin in system.origins if system.brokers[system.hosts[origin]].alive}
        )
        if homes and not system.gave_up:
            name = self.random.choice(homes)
            system.world.note(name, "ends with its host process and all Workers")
            system.host_process_died(name)
            down = self.random.choice([0.1, 0.3, 1.0])
            system.clock.at(system.clock.now + down, lambda _: system.host_process_starts(name))

    def cuts(self, _: object) -> None:
        """A link is cut, one way or both."""
        if not self.system.links_between:
            return
        here, there = self.random.choice(self._pairs())
        ways = [(here, there), (there, here)][: self.random.choice([1, 2, 2])]
        keeps = self.random.choice(["keep", "lose"]) == "keep"
        seconds = 70.0 if self.swarm.long_cuts else self.random.choice([0.05, 0.5, 2.0, 5.0])
        world, frames = self.system.world, "keep" if keeps else "lose"
        for way in ways:
            world.note(f"{way[0]} -> {way[1]}", f"is cut for {seconds} s; frames: {frames}")
            world.observer.on_disturbance(way[0], "cut")
            for link in self.system.links_between.get(way, ()):
                link.cut_off(keeps=keeps)
                self.system.clock.at(self.system.clock.now + seconds, FaultyLink.heal, link)

    def _pairs(self) -> list[tuple[str, str]]:
        """Links between Brokers three times as often as others: those are the ones that get cut."""
        near = [pair for pair in self.system.links_between if pair[0] in self.system.hosts]
        far = [pair for pair in self.system.links_between if pair[0] in self.system.parents]
        return far if far and (self.random.random() < 0.75 or not near) else near

    def clogs(self, _: object) -> None:
        """Nothing arrives for a while over one link, or over all of one node (swizzle-clog: not healed together)."""
        links = self.system.faulty_links
        if self.random.random() < 0.5:
            chosen = [self.random.choice(links)]
        else:
            source = self.random.choice(links).source
            chosen = [link for link in links if link.source == source]
        for link in chosen:
            link.clog(self.system.clock.now + self.random.expovariate(1.0))

    def pauses(self, _: object) -> None:
        """A process is stopped for a while, as by SIGSTOP."""
        nodes = [node for node in self.system.nodes() if not node.halted]
        if nodes:
            node = self.random.choice(nodes)
            seconds = self.random.choice([0.05, 0.5, 5.0])
            self.system.world.note(node.name, f"is stopped for {seconds} s")
            self.system.world.observer.on_disturbance(node.name, "pause")
            node.halt(keeps_mail=True)
            self.paused.append(node)
            self.system.worker_stopped(node.name)
            self.system.clock.at(self.system.clock.now + seconds, lambda _: self._resume(node))

    def _resume(self, node: SimNode) -> None:
        if node in self.paused:
            self.paused.remove(node)
            if node.alive and node.halted:
                node.go_on()
                self.system.worker_continued(node.name)

    def deaths(self, _: object) -> None:
        """A host is lost for good, or a Worker without another in its place; the core and its Workers stay."""
        hosts = [name for name in self.system.brokers if name not in self.core and name not in self.system.dead]
        if hosts and self.random.random() < 0.5:
            name = self.random.choice(hosts)
            self.system.world.note(name, "is lost for good")
            self.system.host_died(name)
            return
        workers = [worker for worker in self.system.workers.values() if worker.slot != STAND_IN]
        reachable = [worker for worker in workers if self.system.hosts[worker.name] in self.core]
        if len(reachable) > 1:
            worker = self.random.choice(reachable)
            self.system.worker_died(worker, "signal SIGKILL", blame=False, again=False)

    def leaves(self, _: object) -> None:
        """A program ends before its Futures have resolved, unless it is the last."""
        origins = [origin for origin in self.system.origins.values() if origin.leaves_at == NEVER]
        if len(origins) > 1:
            origin = self.random.choice(origins)
            if not origin.halted:
                origin.leave()

    def forgets(self, _: object) -> None:
        """A Broker or a Worker drops the functions that it knows, as it does when there are too many."""
        nodes = [node for node in self.system.nodes() if not node.halted and node.name not in self.system.origins]
        if nodes:
            node = self.random.choice(nodes)
            self.system.world.note(node.name, "forgets its functions")
            node.forget_functions()

    def gives_up(self, _: object) -> None:
        """All hosts give up: no Worker is left, and none is started again."""
        self.system.give_up("Workers end as soon as they start")

    def forgeries(self, _: object) -> None:
        """A Broker, or who has taken it over, alters outcomes that it passes on; their seals show that."""
        links = [link for link in self.system.faulty_links if link.source in self.system.brokers or not link.source]
        link = self.random.choice(links)
        self.system.world.observer.on_forgery()
        link.alter(Forger(self.random).forge)

    def intruders(self, _: object) -> None:
        """Messages of a peer that never was welcome arrive; they change nothing (S12)."""
        broker = self.random.choice(list(self.system.brokers.values()))
        if broker.halted:
            return
        before = broker.machine.statistics()
        submitter = self.random.choice(list(self.system.hosts))
        for message in (
            messages.Demand(5, 1), messages.Batch(1, submitter, b"f", 1, 0, 0, False, [1], [b""]),
            messages.Results(1, 1, [1], [b""]), messages.Return(1, [1]), messages.Cancel(1, [1]),
        ):  # fmt: skip
            broker.step(Arrived("intruder", self.random.randrange(3), 0, message))
        after = broker.machine.statistics()
        if any(before[name] != after[name] for name in before if name != "violations"):
            raise broken(self.system.world, "S12 strangers change nothing", f"{broker.name}: {before} -> {after}")

    # -- healing -----------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Everything that can be made good is."""
        system = self.system
        system.world.note("everything", "heals")
        self.swarm.conditions.clear()
        for link in system.faulty_links:
            link.heal()
        for broker in system.brokers.values():
            system.broker_starts(broker)
        for node in list(self.paused):
            self._resume(node)
        for worker in system.workers.values():
            worker.be_slow(1.0)
        if self.swarm.resizes and not system.gave_up:
            for name in system.brokers:
                if name not in system.dead:
                    system.resize(name, max(1, system.places[name]))
