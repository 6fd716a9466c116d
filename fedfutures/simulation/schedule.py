"""One schedule: a small Federation, a workload and a swarm of faults, all drawn from a seed; then healing, then quiet.

Until :attr:`Schedule.heals_at` things happen. From then on the network is good and everybody who can be is alive: all
Futures have to resolve within a bound (L1), nobody may idle meanwhile (L2), and when all has resolved, ledgers empty
and messages dwindle to heartbeats (L3).
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from random import Random

from ..wire.messages import ONCE_FLAG
from .checker import Checker
from .nemesis import Nemesis, Swarm, draw_swarm
from .node_trial import NodeTrial
from .observer import Listener
from .origin import SimOrigin
from .records import Key, LawBroken, broken
from .scale import draw_scale
from .specs import CRASHES, FUNCTIONS, GROWS, GUARDS, LOCKS, PLAIN, RAISES, payload_of, work_of
from .standing import SimHostServer
from .system import System
from .trial import Trial
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
"""Whose Broker was started again while they were idle notice by their next heartbeat, and begin anew."""
ANSWER_SECONDS = 2.0
TRIALS = 0.15
JOINED = 0.1
"""So many of all schedules run on hosts of a standing Federation, with another program."""
LONE_CALLERS = 0.35
"""So many programs make lone calls, too."""
RESIZED = 0.15
"""In so many, hosts get more Workers, or fewer."""
MESSAGES_PER_LINK_AND_SECOND = 8
MESSAGES_PER_NODE_AND_SECOND = 1


def draw_limit(dice: Random, payload: bytes) -> int:
    """Draw a time limit, in milliseconds: for some too short, for most ample, since Workers may be slow."""
    work = work_of(payload)
    return max(1, int(1000 * (work * dice.uniform(0.1, 0.9) if dice.random() < 0.3 else 20 * work + 5.0)))


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
        self.heals_at = dice.choice([0.5, 2.0, 5.0]) * (1.0 + dice.random())
        self.scale = draw_scale(Random(f"{seed} scale"), self.swarm, self.heals_at)  # of its own, as `locks` below
        self.heals_at = self.scale.heals_at
        revivals = Random(f"{seed} revivals")
        if revivals.random() < 0.1 and str(self.swarm) != "no faults":
            self.swarm.add("revivals", revivals.choice([1.0, 3.0]) / self.heals_at)
        forgeries = Random(f"{seed} forgeries")
        if forgeries.random() < 0.15 and str(self.swarm) != "no faults":
            self.swarm.add("forgeries", forgeries.choice([4.0, 16.0]) / self.heals_at)
        standing = Random(f"{seed} standing").random()
        self.is_joined = standing < JOINED
        if JOINED <= standing < JOINED + RESIZED:
            self.swarm.add("resizes", Random(f"{seed} resizes").choice([2.0, 8.0]) / self.heals_at)
        self.faults = str(self.swarm)  # before they heal
        self.work = self.longest = 0.0  # seconds that all Futures compute, and one of them with all that it submits
        spreads_starts = dice.choice([0.0, 0.01, 0.3])
        counts = [dice.randint(1, 3) for _ in range(dice.choice([1, 1, 2, 2, 3, 4]))]
        self.world = World(seed, checked_of=checked_of, sealed=True)
        conditions = self.swarm.conditions
        self.system = System(
            self.world, sum(counts), conditions=conditions, drift=self.swarm.drift, spreads_starts=spreads_starts
        )
        losses = ("drop", "duplicate", "late", "reorder", "replay")
        loses_frames = any(getattr(conditions, name) for name in losses) or bool(self.swarm.clogs)
        self.checker = Checker(self.system, loses_frames=loses_frames)
        for listener in (*listeners, self.checker):
            self.world.observer.register(listener)
        self.without = Random(f"{seed} without").choice([-1, -1, 0, 1]) if len(counts) > 1 else -1
        self._build(counts)
        self.nemesis = Nemesis(self.system, self.swarm, self.heals_at)
        if self.is_joined and self.without >= 0:  # one host with slots has to be left
            self.nemesis.spare(f"b{int(self.without == 0)}")

    def _build(self, counts: list[int]) -> None:
        dice, system = self.dice, self.system
        for index in range(len(counts)):
            system.add_broker(f"b{index}")
            if index:
                system.join(f"b{dice.randrange(index)}", f"b{index}", 10 ** dice.uniform(-4, -1.3))
        for index, count in enumerate(counts):
            if self.is_joined:  # one of several hosts may have no slots: that of a program is none of the hosts then
                SimHostServer(system, f"b{index}", 0 if index == self.without else count + 1, self.heals_at)
                continue
            for slot in range(1, count + 1):
                system.add_worker(f"b{index}", slot)
        for index in range(dice.choice([1, 1, 2])):
            self._write_program(system.add_origin(f"b{dice.randrange(len(counts))}", f"o{index}"))

    def _write_program(self, origin: SimOrigin) -> None:
        """Decide what a program submits when, and what it cancels."""
        dice, clock = self.dice, self.system.clock
        locks = Random(f"{self.seed} {origin.name} locks")  # of its own, so that all else is drawn as it was without
        limits = Random(f"{self.seed} {origin.name} limits")
        memory = Random(f"{self.seed} {origin.name} memory")
        hungry = memory.choice([0.0, 0.0, 0.0, 0.3])
        share = limits.choice([0.0, 0.0, 0.0, 0.3, 1.0])
        guards = Random(f"{self.seed} {origin.name} guards")
        once = Random(f"{self.seed} {origin.name} once")
        share_once = once.choice([0.0, 0.0, 0.3, 1.0])
        if Random(f"{self.seed} {origin.name} elsewhere").random() < 0.5:
            origin.try_elsewhere()
        mean = 10 ** dice.uniform(-3, -0.5)
        mean, longest = self.scale.mean or mean, self.scale.longest
        span = self.heals_at * dice.choice([0.0, 0.5, 1.0])
        span = 0.0 if self.scale.futures else span
        poison = dice.random() < 0.1
        priorities = dice.choice([(0,), (0,), (-1, 0, 1)])
        count = dice.randint(5, 25)
        for index in range(self.scale.futures or count):
            kind = CRASHES if poison and not index else RAISES if dice.random() < 0.1 else PLAIN
            width = depth = 0
            if kind == PLAIN and dice.random() < 0.15:
                width, depth = dice.randint(1, 3), dice.randint(1, 2)
                kind = locks.choice([PLAIN, LOCKS])
                kind = GUARDS if guards.random() < 0.15 else kind
            seconds = min(dice.expovariate(1 / mean), longest)
            limit = draw_limit(limits, payload_of(0, seconds, width, depth)) if limits.random() < share else 0
            bound = 0
            if kind == PLAIN and not width and memory.random() < hungry:
                kind, bound = memory.choice([(PLAIN, 1), (GROWS, 1), (GROWS, 0)])
            flags = ONCE_FLAG if once.random() < share_once else 0
            payload = payload_of(self.world.next_tag(), seconds, width, depth, kind, limit, flags, memory=bound)
            self.work += work_of(payload)
            self.longest = max(self.longest, work_of(payload))
            time = dice.uniform(0.0, span)
            clock.at(time, self._submit, (origin, payload, dice.choice(FUNCTIONS), dice.choice(priorities)))
        if dice.random() < 0.2:
            for _ in range(dice.randint(1, 4)):
                clock.at(dice.uniform(0.0, self.heals_at), self._share, (origin, dice.choice("xy")))
        if dice.random() < 0.3:
            for _ in range(dice.randint(1, 5)):
                clock.at(dice.uniform(0.0, self.heals_at), self._cancel, (origin, dice.randint(1, 25)))
        for time, number in self.scale.cancels(locks):
            clock.at(time, self._cancel, (origin, number))
        ends = Random(f"{self.seed} {origin.name} ends")
        for _ in range(ends.choice([0, 0, 0, 8, 24])):
            clock.at(ends.uniform(0.0, self.heals_at), self._end, (origin, ends.random()))

        self._write_lone_calls(origin)

    def _write_lone_calls(self, origin: SimOrigin) -> None:
        """In some schedules, let a program make one short call after the other, which others may interrupt."""
        dice = Random(f"{self.seed} {origin.name} lone")
        if dice.random() >= LONE_CALLERS or self.scale.futures:
            return
        mean = 10 ** dice.uniform(-4, -2.5)
        payloads = [self._lone_payload(dice, mean) for _ in range(dice.choice([6, 12, 40, 40]))]
        gap = dice.choice([0.0, 0.0, 1e-3, 5e-3])
        start = dice.uniform(0.0, self.heals_at / 2)
        self.system.clock.at(start, lambda _: origin.call_in_turn(iter(payloads), gap))

    def _lone_payload(self, dice: Random, mean: float) -> bytes:
        kind = dice.choices([PLAIN, RAISES, CRASHES], [20, 1, 1])[0]
        nested = kind == PLAIN and dice.random() < 0.1
        seconds = 0.5 if dice.random() < 0.05 else min(dice.expovariate(1 / mean), 0.1)
        payload = payload_of(self.world.next_tag(), seconds, int(nested), int(nested), kind)
        self.work += work_of(payload)
        self.longest = max(self.longest, work_of(payload))
        return payload

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

    def _end(self, argument: tuple[SimOrigin, float]) -> None:
        """Cancel one that is open, even if it runs: the oldest for 0.0, the newest for nearly 1.0."""
        origin, place = argument
        if origin.alive and not origin.halted and (open_ones := sorted(origin.calls)):
            origin.cancel(open_ones[int(place * len(open_ones))], running=True)

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
        self.checker.records.heal(self.heals_at)
        self._resolve_all()
        self.late = self.system.clock.now - self.heals_at
        self._empty_all()
        self._be_quiet()
        for node in self.system.nodes():
            node.machine.check()
        self.checker.end()
        self._ask_everybody()
        self._try_some()

    def _try_some(self) -> None:
        """T: in one schedule of seven an Origin and a Broker withstand liars."""
        dice = Random(f"{self.seed} trial")
        if self.system.gave_up or dice.random() >= TRIALS:
            return
        for origin in self.system.origins.values():
            if origin.alive and origin.machine.linked and origin.name not in self.checker.records.gone:
                NodeTrial(origin, self.system.brokers[origin.home].incarnation).run()
                break
        lost = self.system.cut_off()
        Trial(dice.choice([broker for name, broker in self.system.brokers.items() if name not in lost])).run()

    def _pass_until(self, time: float, *, healed: bool) -> None:
        clock = self.system.clock
        while clock.now < time:
            if not clock.run(min(time, clock.now + SAMPLE_SECONDS), EVENTS_AT_MOST):
                raise broken(self.world, "L3 storm", f"{EVENTS_AT_MOST} events within {SAMPLE_SECONDS} s")
            self.checker.sample(healed)

    def _resolve_all(self) -> None:
        """L1: everything resolves within a bound after healing."""
        clock, records = self.world.clock, self.checker.records
        workers = sum(self._is_reachable(name) for name in self.system.workers)
        bound = clock.now + L1_SECONDS + 2 * (self.longest + self.work / max(1, workers))
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
        said = [submitter.machine.own.explain(number, submitter.name) if submitter else "its submitter is gone"]
        said += [broker.machine.explain(node, number) for broker in system.brokers.values() if broker.alive]
        return f"{node}/{number}: {', '.join(said)}"

    def _empty_all(self) -> None:
        """S8 and C1: some time later nobody holds anything, and all know the same.

        Nobody stops what runs, nor what that submits, though others had its result first.
        """
        clock = self.system.clock
        ends = [worker.current.ends for worker in self.system.workers.values() if worker.current is not None]
        bound = max([clock.now, *ends]) + self.longest + LEFTOVERS_SECONDS
        while self.checker.unfinished() and clock.now < bound:
            self._pass_until(clock.now + SAMPLE_SECONDS, healed=False)

    def _be_quiet(self) -> None:
        """L3: what is still said is heartbeats."""
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
        expected = known - self.checker.records.gone.keys() - {origin.name for origin in askers}
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
