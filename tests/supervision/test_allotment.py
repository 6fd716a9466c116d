"""Who gets how many of a host's Workers: rules one by one, shares over simulated minutes, and hosts of all kinds."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from fedfutures.supervision.allotment import CHARGED_SECONDS_AT_MOST, ROUND_SECONDS, Allotment, level

PLENTY = 1000


@given(st.integers(0, 12), st.lists(st.integers(0, 12), max_size=6))
def test_the_level_is_the_largest_that_fits(slots: int, wanted: list[int]) -> None:
    fitting = [height for height in range(slots + 1) if sum(min(count, height) for count in wanted) <= slots]
    assert level(slots, wanted) == max(fitting)


# -- rules, one by one -----------------------------------------------------------------------------------------------


def told(allotment: Allotment, now: float) -> dict[str, int]:
    news = allotment.tick(now)
    allotment.check()
    return news


def made(slots: int, **wanted: int) -> Allotment:
    """Return an allotment with these runs, which came one after the other, long ago; their Workers live."""
    allotment = Allotment(slots)
    for number, (run, count) in enumerate(wanted.items()):
        allotment.join(run, float(number))
        allotment.report(run, count, 0, float(number))
        told(allotment, float(number))
        for other, target in allotment.targets.items():
            allotment.report(other, wanted[other], target, number + 0.5)
        told(allotment, number + 0.5)
    return allotment


def test_a_run_that_joins_gets_what_is_free() -> None:
    allotment = Allotment(4)
    allotment.join("a", 0.0)
    assert told(allotment, 0.0) == {"a": 4}
    allotment.join("b", 1.0)
    assert told(allotment, 1.0) == {"b": 0}
    assert told(allotment, 2.0) == {}


def test_a_run_that_comes_again_is_told_again_and_agrees_on_how_often() -> None:
    """Its old connection may not be known to be lost yet."""
    allotment = made(4, a=9, b=9)
    assert allotment.targets == {"a": 2, "b": 2}
    allotment.join("a", 10.0)
    allotment.report("a", 9, 1, 10.0, told=0)
    assert told(allotment, 10.0) == {"a": 2}
    allotment.report("a", 9, 2, 10.5, told=1)
    allotment.report("a", 1, 2, 11.0, told=1)
    assert told(allotment, 12.0) == {"a": 1}
    allotment.report("a", 1, 1, 13.0, told=2)
    assert told(allotment, 13.0) == {"b": 3}, "the slot that it gave back is known to be free"


def test_two_that_join_at_once_share_what_is_free() -> None:
    allotment = Allotment(4)
    allotment.join("a", 0.0)
    allotment.join("b", 0.0)
    assert told(allotment, 0.0) == {"a": 2, "b": 2}


def test_joining_twice_is_joining_once() -> None:
    allotment = made(4, a=4)
    allotment.join("a", 1.0)
    assert allotment.targets == {"a": 4}


def test_an_idle_run_keeps_its_workers_until_another_wants_them() -> None:
    allotment = made(4, a=0, b=0)
    assert allotment.targets == {"a": 4, "b": 0}
    assert allotment.next_deadline() is None
    allotment.report("b", 3, 0, 10.0)
    assert told(allotment, 10.0) == {"a": 1}  # b waits for the ends of three Workers
    allotment.report("a", 0, 2, 10.1)
    assert told(allotment, 10.1) == {"b": 2}
    allotment.report("a", 0, 1, 10.2)
    assert told(allotment, 10.2) == {"b": 3}


def test_what_is_not_wanted_goes_at_once_also_between_two_moves() -> None:
    allotment = made(4, a=PLENTY, b=1)
    assert allotment.targets == {"a": 3, "b": 1}
    allotment.report("b", 2, 1, 10.0)
    assert told(allotment, 10.0) == {"a": 2}
    allotment.report("a", PLENTY, 2, 10.01)
    assert told(allotment, 10.01) == {"b": 2}
    allotment.report("b", 1, 2, 10.1)
    assert told(allotment, 10.1) == {"b": 1}
    allotment.report("b", 1, 1, 10.11)
    assert told(allotment, 10.11) == {"a": 3}
    allotment.report("b", 2, 1, 10.2)
    assert told(allotment, 10.2) == {}  # a would have to give one away, and has done so just now
    assert allotment.next_deadline() == 11.0
    assert told(allotment, 11.0) == {"a": 2}


def test_a_slot_is_given_when_its_worker_has_ended() -> None:
    allotment = made(2, a=2)
    allotment.join("b", 5.0)
    allotment.report("b", 2, 0, 5.0)
    assert told(allotment, 5.0) == {"a": 1, "b": 0}
    for now in (6.0, 7.0, 60.0):  # a long Future
        allotment.report("a", 2, 2, now)
        assert told(allotment, now) == {}
    allotment.report("a", 2, 1, 61.0)
    assert told(allotment, 61.0) == {"b": 1}


def test_a_run_that_has_not_heard_its_target_is_not_believed() -> None:
    allotment = Allotment(2)
    allotment.join("a", 0.0)
    assert told(allotment, 0.0) == {"a": 2}
    allotment.join("b", 0.0)
    allotment.report("b", 2, 0, 0.1)
    assert told(allotment, 0.1) == {"a": 0, "b": 0}
    allotment.report("a", 0, 0, 0.2, told=1)  # it has heard of two Workers and not yet that it is to end them
    assert told(allotment, 0.2) == {}
    allotment.report("a", 0, 2, 0.3, told=1)
    assert told(allotment, 0.3) == {}
    allotment.report("a", 0, 0, 0.4, told=2)
    assert told(allotment, 0.4) == {"b": 2}


def test_a_worker_that_ends_is_the_first_that_its_own_run_gets_back() -> None:
    allotment = made(2, a=2, b=0)
    allotment.report("b", 1, 0, 5.0)
    assert told(allotment, 5.0) == {"a": 1}
    allotment.report("b", 0, 0, 5.1)
    assert told(allotment, 5.1) == {"a": 2}


def test_slots_of_a_run_that_left_are_free() -> None:
    allotment = made(4, a=PLENTY, b=PLENTY)
    assert allotment.targets == {"a": 2, "b": 2}
    allotment.leave("a", 5.0)
    assert told(allotment, 5.0) == {"b": 4}
    allotment.leave("a", 6.0)
    assert told(allotment, 6.0) == {}


def test_a_host_that_has_fewer_slots_takes_them_at_once() -> None:
    allotment = made(4, a=PLENTY, b=PLENTY)
    allotment.resize(2, 5.0)
    assert told(allotment, 5.0) == {"a": 1, "b": 1}
    allotment.resize(3, 5.1)  # four Workers live
    assert told(allotment, 5.1) == {}
    allotment.report("a", PLENTY, 1, 5.2)
    assert told(allotment, 5.2) == {"b": 2}  # the slot of its own Worker that is ending


def test_a_run_that_comes_with_workers_keeps_them_as_far_as_there_are_slots() -> None:
    allotment = Allotment(4)  # of a host server that was started again
    for run in "ab":
        allotment.join(run, 0.0)
        allotment.report(run, PLENTY, 2, 0.0)
    assert told(allotment, 0.0) == {"a": 2, "b": 2}
    allotment.join("c", 0.1)
    allotment.report("c", PLENTY, 2, 0.1)
    news = told(allotment, 0.1)
    assert sum(allotment.targets.values()) == 4
    assert sorted(allotment.targets.values()) == [1, 1, 2]
    assert "c" in news


def test_charges_have_a_bound() -> None:
    allotment = made(1, a=1)
    allotment.join("b", 1.0)
    allotment.report("b", 1, 0, 1.0)
    assert told(allotment, 1.0) == {"a": 0, "b": 0}
    allotment.report("a", 1, 0, 1000.0)  # it had a Future of 999 s
    assert told(allotment, 1000.0) == {"b": 1}
    now = 1000.0
    while allotment.targets["b"]:
        now += ROUND_SECONDS
        told(allotment, now)
    assert now == pytest.approx(1000.0 + CHARGED_SECONDS_AT_MOST, abs=1.5)


def test_seconds_count_what_lives() -> None:
    allotment = made(2, a=2)
    assert allotment.seconds("a", 5.0) == pytest.approx(10.0)
    allotment.join("b", 5.0)
    allotment.report("b", 1, 0, 5.0)
    assert told(allotment, 5.0) == {"a": 1, "b": 0}
    assert allotment.seconds("a", 7.0) == pytest.approx(14.0)  # the one that is to end lives
    assert allotment.seconds("b", 7.0) == 0.0


# -- a host, simulated naively ---------------------------------------------------------------------------------------


@dataclass
class Run:
    """A program on the host: the seconds that a Worker takes to end, and those that its reports are under way."""

    wanted: int = PLENTY
    ends_within: float = 0.0
    delay: float = 0.0
    target: int = 0
    told: int = 0
    alive: int = 0
    ending: int = 0
    seconds: float = 0.0
    served_at: float = 0.0  # when it had a Worker, or wanted none, last


@dataclass
class Host:
    """A host with one allotment. What happens has a time; Workers end when they are done."""

    allotment: Allotment
    random: Random = field(default_factory=lambda: Random(1))
    now: float = 0.0
    runs: dict[str, Run] = field(default_factory=dict)
    events: list[tuple[float, int, str, str, tuple[int, ...]]] = field(default_factory=list)
    count: int = 0
    moves: list[float] = field(default_factory=list)
    longest: float = 0.0  # that a run wanted something and had nothing

    def at(self, when: float, kind: str, run: str, *values: int) -> None:
        self.count += 1
        heapq.heappush(self.events, (when, self.count, kind, run, values))

    def join(self, name: str, run: Run) -> None:
        run.served_at = self.now
        self.runs[name] = run
        self.allotment.join(name, self.now)
        self._report(name)
        self._tick()

    def leave(self, name: str) -> None:
        del self.runs[name]
        self.allotment.leave(name, self.now)
        self._tick()

    def want(self, name: str, wanted: int) -> None:
        self.runs[name].wanted = wanted
        self._report(name)

    def _report(self, name: str) -> None:
        run = self.runs[name]
        self.at(self.now + run.delay, "report", name, run.wanted, run.alive, run.told)

    def _tick(self) -> None:
        before = self.allotment.targets
        for name, target in self.allotment.tick(self.now).items():
            if target < min(before[name], self.runs[name].wanted):
                self.moves.append(self.now)
            self.at(self.now + self.runs[name].delay, "told", name, target)
        self.allotment.check()

    def _pass(self, until: float) -> None:
        for run in self.runs.values():
            run.seconds += run.alive * (until - self.now)
            if run.alive or not run.wanted:
                run.served_at = until
            self.longest = max(self.longest, until - run.served_at)
        self.now = until

    def go(self, until: float) -> None:
        while True:
            deadline = self.allotment.next_deadline()
            first = self.events[0][0] if self.events else math.inf
            when = min(first, until if deadline is None else max(deadline, self.now))
            if when >= until:
                self._pass(until)
                return
            self._pass(when)
            if when == first:
                _, _, kind, name, values = heapq.heappop(self.events)
                if name in self.runs:
                    getattr(self, f"_on_{kind}")(name, *values)
            self._tick()
            assert sum(run.alive for run in self.runs.values()) <= self.allotment.slots, "too many Workers live"

    def _on_report(self, name: str, *values: int) -> None:
        self.allotment.report(name, values[0], values[1], self.now, values[2])

    def _on_told(self, name: str, target: int) -> None:
        run = self.runs[name]
        run.told, run.target = run.told + 1, target
        staying = run.alive - run.ending
        run.alive += max(0, target - max(staying, run.alive))
        for _ in range(staying - target):
            run.ending += 1
            self.at(self.now + self.random.random() * run.ends_within, "ended", name)
        self._report(name)

    def _on_ended(self, name: str) -> None:
        run = self.runs[name]
        run.ending, run.alive = run.ending - 1, run.alive - 1
        run.alive += int(run.alive < run.target)
        self._report(name)

    def shares(self) -> list[float]:
        total = sum(run.seconds for run in self.runs.values())
        return [run.seconds / total for run in self.runs.values()]


@pytest.mark.parametrize("slots", [2, 4])
@pytest.mark.parametrize("ends_within", [0.0, 0.05, 0.3])
@pytest.mark.parametrize(("programs", "least", "most"), [(10, 0.08, 0.12), (2, 0.45, 0.55), (3, 0.30, 0.37)])
def test_programs_with_long_backlogs_get_equal_shares(
    slots: int, ends_within: float, programs: int, least: float, most: float
) -> None:
    host = Host(Allotment(slots))
    for number in range(programs):
        host.join(f"r{number}", Run(ends_within=ends_within, delay=0.002))
    for until in (30.0, 60.0, 90.0):
        for run in host.runs.values():
            run.seconds = 0.0
        host.go(until)
        assert all(least <= share <= most for share in host.shares()), host.shares()
    assert all(later - earlier > 0.99 for earlier, later in zip(sorted({*host.moves}), sorted({*host.moves})[1:]))


def test_a_program_with_long_futures_has_no_more_seconds_than_others() -> None:
    host = Host(Allotment(2))
    host.join("long", Run(ends_within=5.0))
    for number in range(4):
        host.join(f"r{number}", Run(ends_within=0.05))
    host.go(300.0)
    assert host.shares()[0] == pytest.approx(0.2, abs=0.03)


def test_a_program_that_wants_little_has_it_and_the_others_share_the_rest() -> None:
    host = Host(Allotment(4))
    host.join("a", Run())
    host.join("b", Run(wanted=1))
    host.join("c", Run())
    host.go(60.0)
    assert host.shares() == pytest.approx([0.375, 0.25, 0.375], abs=0.02)


def test_a_program_that_comes_to_busy_others_has_a_worker_at_once() -> None:
    host = Host(Allotment(2))
    host.join("a", Run())
    host.go(100.0)
    host.join("b", Run())
    host.go(100.001)
    assert host.runs["b"].alive == 1


def test_a_program_that_comes_to_a_single_worker_has_it_at_once() -> None:
    host = Host(Allotment(1))
    host.join("a", Run())
    host.go(100.0)
    host.join("b", Run())
    host.go(100.001)
    assert host.runs["b"].alive == 1


def test_nothing_moves_where_slots_divide_evenly() -> None:
    host = Host(Allotment(4))
    host.join("a", Run())
    host.join("b", Run())
    host.go(1.0)
    moves = len(host.moves)
    host.go(60.0)
    assert len(host.moves) == moves <= 1


def bound(runs: int, slots: int) -> float:
    """Return how long a run may wait: others go before it in two rounds at most, and one round has just begun.

    Twice, where those that go before it leave, and others come with as many seconds as they had.
    """
    return (2 * runs / slots + 1) * ROUND_SECONDS + 1e-6


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 8))
def test_no_run_starves_if_workers_end_when_they_are_told(data: st.DataObject, slots: int, most: int) -> None:
    host = Host(Allotment(slots))
    for step in range(data.draw(st.integers(1, 40))):
        change = data.draw(st.sampled_from(["join", "leave", "want", "want", "pass", "pass"]))
        if change == "join" and len(host.runs) < most:
            host.join(f"r{step}", Run(wanted=data.draw(st.sampled_from([0, 1, 2, PLENTY]))))
        elif change in ("leave", "want") and host.runs:
            name = data.draw(st.sampled_from(sorted(host.runs)))
            if change == "leave":
                host.leave(name)
            else:
                host.want(name, data.draw(st.sampled_from([0, 1, 2, PLENTY])))
        host.go(host.now + data.draw(st.sampled_from([0.0, 0.01, 0.2, 0.5, 1.0, 3.0])))
        assert host.longest <= bound(most, slots)
    host.go(host.now + 2 * bound(most, slots))
    assert host.longest <= bound(most, slots)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(0, 1 << 32))
def test_never_more_workers_than_slots_and_all_settles(data: st.DataObject, slots: int, seed: int) -> None:
    host = Host(Allotment(slots), Random(seed))
    for step in range(data.draw(st.integers(1, 40))):
        change = data.draw(st.sampled_from(["join", "leave", "want", "want"]))
        if change == "join":
            delays = st.sampled_from([0.0, 0.01, 0.3, 2.0])
            host.join(f"r{step}", Run(data.draw(st.integers(0, 9)), data.draw(delays), data.draw(delays)))
        elif host.runs:
            name = data.draw(st.sampled_from(sorted(host.runs)))
            host.leave(name) if change == "leave" else host.want(name, data.draw(st.integers(0, 9)))
        host.go(host.now + data.draw(st.sampled_from([0.0, 0.01, 0.2, 0.5, 1.0, 3.0])))
    host.go(host.now + 30.0)
    wanted = [run.wanted for run in host.runs.values()]
    assert [run.alive for run in host.runs.values()] == list(host.allotment.targets.values()) or sum(wanted) > slots
    even = level(slots, wanted)
    missing = [min(run.wanted, even) - run.target for run in host.runs.values() if not run.ending]
    assert max(missing, default=0) <= 0, "a run has less than its even share"
