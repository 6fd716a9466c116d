"""When batch jobs are submitted for a standing Federation, and which hosts it lets go."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from fedfutures.supervision.scaling import (
    BACKLOG_SECONDS,
    COMMAND_SECONDS,
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    ScalingMachine,
    ScalingPlan,
)


class Bench:
    """A ScalingMachine, with the hosts that its tests know of, and a clock."""

    def __init__(self, plan: ScalingPlan, size: int = 0, jobs: int = 0) -> None:
        self.now = 100.0
        self.plan = plan
        self.machine = ScalingMachine(plan, self.now, size, jobs)
        self.slots: dict[str, int] = {"login": 0}
        self.away: set[str] = set()
        self.left: list[str] = []  # who was told to leave
        self.tell()

    def tell(self) -> None:
        there = {host: count for host, count in self.slots.items() if host not in self.away}
        self.machine.on_hosts(there, self.away, [host for host in self.slots if host != "login"], self.now)

    def come(self, host: str, slots: int) -> None:
        self.slots[host] = slots
        self.tell()

    def go(self, host: str) -> None:
        del self.slots[host]
        self.tell()

    def submitted(self, seconds: float = 0.0, *, commands_end: bool = True) -> int:
        """Let time pass, as next_deadline says; return how many jobs were submitted."""
        until, count = self.now + seconds, 0
        while True:
            job, leaving = self.machine.tick(self.now)
            self.left += leaving
            if job is not None:
                count += 1
                if commands_end:
                    self.machine.on_command_end(job, "", self.now)
                continue
            due = self.machine.next_deadline(self.now)
            assert due is None or due > self.now, "it would be asked for ever"
            if due is None or due > until:
                self.now = until
                return count
            self.now = due

    def want(self, more: int) -> None:
        self.machine.on_more(more, self.now)


@pytest.fixture
def bench() -> Bench:
    return Bench(ScalingPlan(0, 64, 60.0, 600.0))


def test_nothing_is_submitted_while_nobody_wants_more(bench: Bench) -> None:
    assert bench.submitted(1000) == 0
    assert bench.machine.next_deadline(bench.now) is None


def test_a_backlog_has_to_last(bench: Bench) -> None:
    bench.want(8)
    assert bench.submitted(BACKLOG_SECONDS / 2) == 0
    bench.want(0)
    bench.want(8)
    assert bench.submitted(BACKLOG_SECONDS * 0.9) == 0
    bench.want(16)
    assert bench.submitted(BACKLOG_SECONDS / 5) == 1


def test_the_first_job_comes_alone_and_the_others_when_its_size_is_known(bench: Bench) -> None:
    bench.want(40)
    assert bench.submitted(20) == 1
    bench.come("n1", 16)
    assert bench.submitted(BACKLOG_SECONDS) == 3, "40 more Workers are three jobs of 16"
    assert len(bench.machine.jobs) == 3
    bench.come("n2", 16)
    bench.come("n3", 16)
    bench.want(8)
    assert bench.submitted(20) == 0, "one is still to come"
    assert len(bench.machine.jobs) == 1


def test_there_are_never_more_than_the_most(bench: Bench) -> None:
    bench.want(1000)
    bench.submitted(2)
    bench.come("n1", 24)
    assert bench.submitted(20) == 1, "a third one would be 72 of 64"
    bench.come("n2", 24)
    assert bench.submitted(20) == 0


def test_a_single_job_may_be_larger_than_the_most() -> None:
    bench = Bench(ScalingPlan(0, 4), size=16)
    bench.want(1)
    assert bench.submitted(2) == 1
    bench.come("n1", 16)
    assert bench.submitted(100) == 0


def test_the_least_are_always_there() -> None:
    bench = Bench(ScalingPlan(3, 8, 60.0))
    assert bench.submitted(0) == 1
    bench.come("n1", 2)
    assert bench.submitted(0) == 1
    bench.come("n2", 2)
    bench.machine.on_used("n1", 0, bench.now)
    bench.machine.on_used("n2", 0, bench.now)
    assert bench.submitted(300) == 0
    assert bench.left == []
    bench.go("n1")
    assert bench.submitted(1) == 1


def test_a_host_is_let_go_when_nobody_has_wanted_it_for_a_while(bench: Bench) -> None:
    bench.come("n1", 4)
    bench.come("n2", 4)
    bench.machine.on_used("n1", 0, bench.now)
    bench.submitted(30)
    bench.machine.on_used("n1", 0, bench.now)  # said again: it is no news
    bench.machine.on_used("n2", 3, bench.now)
    bench.submitted(29)
    assert bench.left == []
    bench.submitted(2)
    assert bench.left == ["n1"]
    bench.submitted(100)
    assert bench.left == ["n1"], "it is told once"
    bench.go("n1")
    bench.machine.on_used("n2", 0, bench.now)
    bench.machine.on_used("n2", 1, bench.now)
    assert bench.submitted(100) == 0
    assert bench.left == ["n1"]


def test_only_hosts_that_came_by_themselves_are_let_go(bench: Bench) -> None:
    bench.machine.on_used("login", 0, bench.now)
    bench.submitted(1000)
    assert bench.left == []


def test_no_host_is_let_go_while_more_are_wanted(bench: Bench) -> None:
    bench.come("n1", 4)
    bench.machine.on_used("n1", 0, bench.now)
    bench.want(1)
    bench.submitted(100)
    assert bench.left == []


def test_a_command_that_fails_is_run_again_later_and_later(bench: Bench) -> None:
    bench.want(4)
    pauses = []
    for _ in range(9):
        before = bench.now
        assert bench.submitted(1000, commands_end=False) >= 1
        bench.now = before  # it was submitted at some time since; find out when
        job = max(bench.machine.jobs)
        at = bench.machine.jobs[job]
        pauses.append(at - before)
        bench.now = at
        bench.machine.on_command_end(job, "sbatch has ended with exit code 1", at)
        assert bench.machine.problem
        assert not bench.machine.jobs
    assert pauses[1:4] == [FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    bench.submitted(LONGEST_PAUSE_SECONDS)
    bench.come("n1", 4)
    assert not bench.machine.problem, "one has come"


def test_a_command_may_stay_as_long_as_its_job() -> None:
    bench = Bench(ScalingPlan(0, 64), size=4)
    bench.want(12)
    assert bench.submitted(BACKLOG_SECONDS, commands_end=False) == 1
    assert bench.submitted(COMMAND_SECONDS - 1, commands_end=False) == 0
    assert bench.submitted(2, commands_end=False) == 1
    job = min(bench.machine.jobs)
    bench.come("n1", 4)
    bench.machine.on_command_end(job, "srun was ended by SIGTERM", bench.now)
    assert not bench.machine.problem, "its host has been there"


def test_a_job_that_does_not_come_is_lost_and_the_next_one_has_twice_as_long(bench: Bench) -> None:
    bench.want(4)
    assert bench.submitted(600) == 1
    assert bench.submitted(2) == 1
    assert "has not come for 600 s" in bench.machine.problem
    assert bench.submitted(1100) == 0
    assert bench.submitted(200) == 1
    bench.come("n1", 4)
    assert not bench.machine.problem
    assert not bench.machine.jobs


def test_a_host_that_is_back_is_no_other_job(bench: Bench) -> None:
    bench.want(8)
    bench.submitted(2)
    bench.come("n1", 4)
    assert bench.submitted(BACKLOG_SECONDS) == 2
    bench.away.add("n1")
    bench.tell()
    bench.away.clear()
    bench.tell()
    assert len(bench.machine.jobs) == 2


def test_a_job_that_comes_is_enough_for_who_says_so_a_moment_later() -> None:
    """The program hears of the host when the keeper has; what it wants besides, it can only say then."""
    bench = Bench(ScalingPlan(0, 4), size=2, jobs=1)
    bench.want(1)
    assert bench.submitted(5) == 0
    bench.come("n1", 2)
    assert bench.submitted(BACKLOG_SECONDS / 2) == 0
    bench.want(0)
    assert bench.submitted(100) == 0


def test_the_next_keeper_goes_on_with_what_was_recorded() -> None:
    bench = Bench(ScalingPlan(0, 64), size=4, jobs=2)
    bench.want(8)
    assert bench.submitted(100) == 0
    bench.come("n1", 4)
    bench.come("n2", 4)
    assert bench.submitted(100) == 2, "the two that were recorded have come, and as many more are wanted"


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 12), st.integers(1, 16), st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from("wcgufax"), st.integers(0, 20)), max_size=60),
)  # fmt: skip
def test_whatever_happens(least: int, most: int, size: int, events: list[tuple[str, int]]) -> None:
    """Jobs never pass the most by more than one that is alone; the machine is never asked for ever."""
    bench = Bench(ScalingPlan(min(least, most), most, 3.0, 50.0))
    came = 0
    for what, number in events:
        others = sorted(bench.slots.keys() - {"login"})
        if what == "w":
            bench.want(number)
        elif what == "c" and bench.machine.jobs:
            came += 1
            bench.come(f"n{came}", size)
        elif what == "g" and others:
            bench.go(others[number % len(others)])
        elif what == "u" and others:
            bench.machine.on_used(others[number % len(others)], number // 4, bench.now)
        elif what == "f" and bench.machine.jobs:
            bench.machine.on_command_end(max(bench.machine.jobs), "failed", bench.now)
        elif what == "a" and others:
            bench.away ^= {others[number % len(others)]}
            bench.tell()
        before = len(bench.machine.jobs)
        leaving = set(bench.left)
        submitted = bench.submitted(float(number))
        there = sum(count for host, count in bench.slots.items() if host not in bench.away)
        if submitted and bench.machine.size and there + before:
            assert submitted <= most, "jobs were submitted without end"
        for host in set(bench.left) - leaving:
            assert host != "login"
