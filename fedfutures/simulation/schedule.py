"""One schedule: a small Federation, a workload and a swarm of faults, all drawn from a seed; then healing, then quiet.

Until :attr:`Schedule.heals_at` things happen. From then on the network is good and everybody who can be is alive: all
Futures have to resolve within a bound (L1), nobody may idle meanwhile (L2), and when all has resolved, ledgers empty
and messages dwindle to beats (L3).
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from random import Random

from .checker import Checker
from .nemesis import Nemesis, Swarm, draw_swarm
from .observer import Listener
from .origin import SimOrigin
from .records import Key, LawBroken, broken
from .specs import CRASHES, LOCKS, PLAIN, RAISES, payload_of
from .system import System
from .world import World

MACHINE_FAILED = "crash of a machine"
SAMPLE_SECONDS = 0.25
LEFTOVERS_SECONDS = 15.0
EVENTS_AT_MOST = 10_000
"""Between two samples; more is a storm."""
SETTLING_SECONDS = 0.5
L1_SECONDS = 45.0
"""Within which all that can resolve does: a loss may only just have begun to be noticed, and is repeated in seconds."""
L2_AFTER_SECONDS = 10.0
"""What was lost before healing is repeated only after a while, and until then it is nowhere."""
QUIET_SECONDS = 3.0
QUIET_WITHIN_WINDOWS = 5
"""Whose Broker was started again while they were idle notice by their next beat, and begin anew."""
ANSWER_SECONDS = 2.0
MESSAGES_PER_LINK_AND_SECOND = 8
MESSAGES_PER_NODE_AND_SECOND = 1
FUNCTIONS = (b"f", b"g", b"h")


@dataclass(slots=True)
class Verdict:
    """What became of a schedule."""

    seed: int
    broken: LawBroken | None
    swarm: str
    futures: int = 0
    executions: int = 0
    events: int = 0
    disturbances: int = 0
    seconds: float = 0.0  # of virtual time
    late: float = 0.0  # how long after healing the last Future resolved


class Schedule:
    """Everything that is drawn, and the run."""

    def __init__(self, seed: int, *listeners: Listener, checked_of: int = 1) -> None:
        self.seed = seed
        self.dice = dice = Random(f"{seed} schedule")
        self.swarm: Swarm = draw_swarm(dice)
        self.faults = str(self.swarm)  # before they heal
        self.heals_at = dice.choice([0.5, 2.0, 5.0]) * (1.0 + dice.random())
        spreads_starts = dice.choice([0.0, 0.01, 0.3])
        counts = [dice.randint(1, 3) for _ in range(dice.choice([1, 1, 2, 2, 3, 4]))]
        self.world = World(seed, checked_of=checked_of)
        conditions = self.swarm.conditions
        self.system = System(
            self.world, sum(counts), conditions=conditions, drift=self.swarm.drift, spreads_starts=spreads_starts
        )
        losses = ("drop", "duplicate", "late", "reorder", "replay")
        loses_frames = any(getattr(conditions, name) for name in losses) or bool(self.swarm.clogs)
        self.checker = Checker(self.system, loses_frames=loses_frames)
        for listener in (*listeners, self.checker):
            self.world.observer.register(listener)
        self._build(counts)
        self.nemesis = Nemesis(self.system, self.swarm, self.heals_at)

    def _build(self, counts: list[int]) -> None:
        dice, system = self.dice, self.system
        for index in range(len(counts)):
            system.add_broker(f"b{index}")
            if index:
                system.join(f"b{dice.randrange(index)}", f"b{index}", 10 ** dice.uniform(-4, -1.3))
        for index, count in enumerate(counts):
            for slot in range(1, count + 1):
                system.add_worker(f"b{index}", slot)
        for index in range(dice.choice([1, 1, 2])):
            self._write_program(system.add_origin(f"b{dice.randrange(len(counts))}", f"o{index}"))

    def _write_program(self, origin: SimOrigin) -> None:
        """Decide what a program submits when, and what it cancels."""
        dice, clock = self.dice, self.system.clock
        locks = Random(f"{self.seed} {origin.name} locks")  # of its own, so that all else is drawn as it was without
        mean = 10 ** dice.uniform(-3, -0.5)
        span = self.heals_at * dice.choice([0.0, 0.5, 1.0])
        poison = dice.random() < 0.1
        priorities = dice.choice([(0,), (0,), (-1, 0, 1)])
        for index in range(dice.randint(5, 25)):
            kind = CRASHES if poison and not index else RAISES if dice.random() < 0.1 else PLAIN
            width = depth = 0
            if kind == PLAIN and dice.random() < 0.15:
                width, depth = dice.randint(1, 3), dice.randint(1, 2)
                kind = locks.choice([PLAIN, LOCKS])
            payload = payload_of(self.world.next_tag(), dice.expovariate(1 / mean), width, depth, kind)
            time = dice.uniform(0.0, span)
            clock.at(time, self._submit, (origin, payload, dice.choice(FUNCTIONS), dice.choice(priorities)))
        if dice.random() < 0.2:
            for _ in range(dice.randint(1, 4)):
                clock.at(dice.uniform(0.0, self.heals_at), self._share, (origin, dice.choice("xy")))
        if dice.random() < 0.3:
            for _ in range(dice.randint(1, 5)):
                clock.at(dice.uniform(0.0, self.heals_at), self._cancel, (origin, dice.randint(1, 25)))

    def _submit(self, argument: tuple[SimOrigin, bytes, bytes, int]) -> None:
        origin, payload, function, priority = argument
        if origin.halted:
            origin.later(lambda: self._submit(argument))
        elif origin.alive and origin.name not in self.checker.records.gone:
            origin.put(payload, function, priority)

    def _cancel(self, argument: tuple[SimOrigin, int]) -> None:
        origin, number = argument
        if origin.alive and not origin.halted:
            origin.cancel(number)

    def _share(self, argument: tuple[SimOrigin, str]) -> None:
        origin, name = argument
        if origin.alive and not origin.halted and origin.name not in self.checker.records.gone:
            origin.share(name, b"%d" % self.world.next_tag())

    # -- the run -----------------------------------------------------------------------------------------------------

    def run(self) -> Verdict:
        """Let it happen; return what became of it."""
        found = None
        try:
            self._run()
        except LawBroken as error:
            found = error
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{error!r} in {last.name}, {last.filename}:{last.lineno}"
            found = broken(self.world, MACHINE_FAILED, where)
            found.__cause__ = error
        checker, clock = self.checker, self.world.clock
        return Verdict(
            self.seed, found, self.faults, checker.count, checker.executions, clock.events,
            checker.records.disturbances, clock.now, self.late,
        )  # fmt: skip

    late = 0.0

    def _run(self) -> None:
        self.nemesis.begin()
        self._pass_until(self.heals_at, healed=False)
        self.nemesis.heal()
        self._resolve_all()
        self.late = self.system.clock.now - self.heals_at
        self._empty_all()
        self._be_quiet()
        for node in self.system.nodes():
            node.check()
        self.checker.end()
        self._ask_everybody()

    def _pass_until(self, time: float, *, healed: bool) -> None:
        clock = self.system.clock
        while clock.now < time:
            if not clock.run(min(time, clock.now + SAMPLE_SECONDS), EVENTS_AT_MOST):
                raise broken(self.world, "L3 storm", f"{EVENTS_AT_MOST} events within {SAMPLE_SECONDS} s")
            self.checker.sample(healed)

    def _resolve_all(self) -> None:
        """L1: everything resolves within a bound after healing."""
        clock, records = self.world.clock, self.checker.records
        bound = clock.now + L1_SECONDS
        self._pass_until(clock.now + SETTLING_SECONDS, healed=False)
        while True:
            unresolved = [key for key in records.unresolved() if self._is_reachable(key[0])]
            if not unresolved:
                return
            if clock.now > bound:
                places = "; ".join(self.where(key) for key in unresolved[:3])
                raise broken(self.world, "L1 everything resolves", f"{len(unresolved)} have not: {places}")
            self._pass_until(clock.now + SAMPLE_SECONDS, healed=clock.now > self.heals_at + L2_AFTER_SECONDS)

    def _is_reachable(self, node: str) -> bool:
        return self.system.hosts[node] not in self.system.cut_off()

    def where(self, key: Key) -> str:
        """Say what all machines know of a Future."""
        node, number = key
        system = self.system
        submitter = system.origins.get(node) or system.workers.get(node)
        said = (
            [submitter.machine.own.explain(number, submitter.name)]
            if submitter is not None
            else ["its submitter is gone"]
        )
        said += [broker.machine.explain(node, number) for broker in system.brokers.values() if broker.alive]
        return f"{node}/{number}: {', '.join(said)}"

    def _empty_all(self) -> None:
        """S8 and C1: some time later nobody holds anything, and all know the same."""
        clock = self.system.clock
        bound = clock.now + LEFTOVERS_SECONDS
        while self.checker.unfinished() and clock.now < bound:
            self._pass_until(clock.now + SAMPLE_SECONDS, healed=False)

    def _be_quiet(self) -> None:
        """L3: what is still said is beats."""
        system = self.system
        arrived = max((link.last for link in system.faulty_links), default=0.0)
        self._pass_until(max(arrived, system.clock.now) + SETTLING_SECONDS, healed=False)
        links, nodes = len(system.parents), len(system.nodes())
        most = QUIET_SECONDS * (MESSAGES_PER_LINK_AND_SECOND * links + MESSAGES_PER_NODE_AND_SECOND * nodes)
        for _ in range(QUIET_WITHIN_WINDOWS):
            before = system.messages_sent()
            self._pass_until(system.clock.now + QUIET_SECONDS, healed=False)
            said = system.messages_sent() - before
            if said <= most:
                return
        raise broken(self.world, "L3 quiet when idle", f"{said} messages in {QUIET_SECONDS} s, not {most:.0f}")

    def _ask_everybody(self) -> None:
        """A1: every machine that can be reached answers, and the asker learns that these were all."""
        system = self.system
        askers = [origin for origin in system.origins.values() if origin.name not in self.checker.records.gone]
        known = self._reachable()
        for _ in range(2):  # a question is lost where the asker has yet to notice that its Broker was started again
            until = system.clock.now + ANSWER_SECONDS + SETTLING_SECONDS
            for origin in askers:
                if not origin.told_all:
                    origin.ask(ANSWER_SECONDS)
            while system.clock.now < until and not all(origin.told_all for origin in askers):
                self._pass_until(system.clock.now + SAMPLE_SECONDS, healed=False)
        expected = known - self.checker.records.gone - {origin.name for origin in askers}
        for origin in askers:
            said = {name for name, report in (origin.answers or {}).items() if report}
            missing = expected - said
            if missing or not origin.told_all:
                raise broken(self.world, "A1 everybody answers", f"{origin.name} has not heard {sorted(missing)}")

    def _reachable(self) -> set[str]:
        """Nodes that their Brokers know: one started again does not know those that have been idle since."""
        system = self.system
        lost = system.cut_off()
        found = set()
        for node in system.nodes():
            broker = system.brokers[system.hosts.get(node.name, node.name)]
            if broker.name not in lost and (node is broker or node.name in broker.machine.peers):
                found.add(node.name)
        return found
