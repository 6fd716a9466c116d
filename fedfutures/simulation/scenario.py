"""Figure runs: a Federation without faults and one Origin with many Futures; how well is it used, at what price?"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

from ..supervision.brokers import FAN_OUT, usual_dials
from .checker import Tally
from .observer import Listener
from .records import broken
from .specs import durations, payload_of
from .system import System
from .world import FREE, Costs, World

SITE_LATENCY_SECONDS = 0.001
STARTS_WITHIN_SECONDS = 0.05
SETTLES_WITHIN_SECONDS = 1.0


@dataclass(slots=True)
class FigureSettings:
    """What a figure run is made of."""

    brokers: int = 1
    workers: int = 4  # of each Broker
    fan_out: int = FAN_OUT
    futures: int = 0  # 0: ten for each Worker
    seconds: float = 0.01
    distribution: str = "constant"
    latency: float = 0.0001
    sites: bool = False
    seed: int = 1
    costs: Costs = FREE


@dataclass(slots=True)
class Figures:
    """What a figure run has shown."""

    futures: int
    workers: int
    makespan: float
    ideal: float
    utilisation: float  # of Workers, from the first submission to the last outcome
    executions: int
    messages: int
    broker_messages_mean: float
    broker_messages_max: int
    peers_max: int
    queued_max: int
    events: int

    @property
    def messages_per_future(self) -> float:
        """Of all nodes together, while the Futures were there."""
        return self.messages / self.futures

    @property
    def ratio(self) -> float:
        """How much longer it took than it had to."""
        return self.makespan / self.ideal


def parents_of(brokers: int, fan_out: int, sites: bool) -> list[tuple[int, int, bool]]:
    """Lay out the tree: (parent, child, far) for each link; far ones join sites.

    In sites, the first Broker of each is below the first of all, and the others of the site below it: such a head may
    have `fan_out` of either kind.

    >>> parents_of(4, 2, False)
    [(0, 1, False), (0, 2, False), (1, 3, False)]
    """
    if not sites:
        return [(parent, child, False) for parent, child in usual_dials(brokers, fan_out)]
    size = max(2, round(sqrt(brokers)))
    links = []
    heads = 0
    for child in range(1, brokers):
        first = child - child % size
        if child == first:
            links.append((heads // fan_out * size, child, True))
            heads += 1
        else:
            links.append((first + (child - first - 1) // fan_out, child, False))
    return links


def build(settings: FigureSettings) -> System:
    """Make the Federation; nothing has happened yet."""
    world = World(settings.seed, costs=settings.costs)
    system = System(world, settings.brokers * settings.workers, spreads_starts=STARTS_WITHIN_SECONDS)
    for index in range(settings.brokers):
        system.add_broker(f"b{index}")
    for parent, child, far in parents_of(settings.brokers, settings.fan_out, settings.sites):
        system.join(f"b{parent}", f"b{child}", SITE_LATENCY_SECONDS if far else settings.latency)
    for index in range(settings.brokers):
        for slot in range(1, settings.workers + 1):
            system.add_worker(f"b{index}", slot)
    system.add_origin("b0", "o0")
    return system


class FigureRun:
    """Start everything, let it settle, submit, and measure until the last Future has resolved."""

    def __init__(self, settings: FigureSettings, *listeners: Listener) -> None:
        self.settings = settings
        self.system = build(settings)
        self.tally = Tally(self.system.world)
        for listener in (*listeners, self.tally):
            self.system.world.observer.register(listener)
        self.futures = settings.futures or 10 * self.system.size
        self.work = self.longest = 0.0
        self.queued_max = 0

    def run(self) -> Figures:
        """Return the figures; raise LawBroken if a law was."""
        gc.collect()
        gc.disable()  # nothing here holds cycles that matter; a pass over a million Workers would
        try:
            return self._run()
        finally:
            gc.enable()

    def _run(self) -> Figures:
        system, clock = self.system, self.system.clock
        clock.run(until=STARTS_WITHIN_SECONDS + SETTLES_WITHIN_SECONDS)
        busy_before = self._busy_seconds()
        began, before = clock.now, {broker.name: broker.sent for broker in system.brokers.values()}
        sent_before = system.messages_sent()
        self.tally.stop_after(self.futures)
        origin = system.origins["o0"]
        origin.submit_lazily(self._payloads(), self.futures)
        clock.at(clock.now, lambda _: origin.service())
        while self.tally.resolved_count < self.futures:
            if not clock.run(until=clock.now + 0.1) and not clock.stopped:
                raise broken(system.world, "L1 everything resolves", "nothing is left to happen")
            self._sample()
        makespan = clock.now - began
        said = [broker.sent - before[broker.name] for broker in system.brokers.values()]
        busy = self._busy_seconds() - busy_before
        return Figures(
            futures=self.futures, workers=system.size, makespan=makespan,
            ideal=max(self.work / min(system.size, self.settings.costs.processors or system.size), self.longest),
            utilisation=busy / (system.size * makespan), executions=self.tally.executions,
            messages=system.messages_sent() - sent_before, broker_messages_mean=sum(said) / len(said),
            broker_messages_max=max(said),
            peers_max=max(len(broker.machine.peers) for broker in system.brokers.values()),
            queued_max=self.queued_max, events=clock.events,
        )  # fmt: skip

    def _busy_seconds(self) -> float:
        return sum(worker.times.busy for worker in self.system.workers.values())

    def _sample(self) -> None:
        queued = max(broker.machine.ledger.queue.count for broker in self.system.brokers.values())
        self.queued_max = max(self.queued_max, queued)

    def _payloads(self) -> Iterator[bytes]:
        settings = self.settings
        draw = durations(settings.distribution, settings.seconds, random.Random(f"{settings.seed} work"))
        for _ in range(self.futures):
            seconds = draw()
            self.work += seconds
            self.longest = max(self.longest, seconds)
            yield payload_of(self.system.world.next_tag(), seconds)
