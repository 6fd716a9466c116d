"""The slots of a host's Workers, whose number changes."""

from __future__ import annotations

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fedfutures.limits import LIMIT_EXIT_CODE
from fedfutures.supervision.actions import (
    INITIALIZER_EXIT_CODE,
    Action,
    Ended,
    KillWorker,
    Start,
    Tell,
    TellWorkers,
    Withdraw as Withdrawal,
)
from fedfutures.supervision.machine import FAILED_STARTS_LIMIT, HostMachine
from fedfutures.supervision.slots import STAND_INS_FROM
from fedfutures.supervision.stops import KILLED_FOR_THAT, LOOKS_AT_A_STOPPED_CHILD
from fedfutures.wire.control import ExpectPeers, FederationSize


@pytest.fixture
def host() -> HostMachine:
    made = HostMachine("h", 2)
    made.begin()
    return made


def test_more_workers_start_at_once(host: HostMachine) -> None:
    assert host.resize(4) == [Start(2, "h.3"), Start(3, "h.4")]
    assert host.living() == 4


def test_the_workers_of_the_highest_slots_are_withdrawn_and_not_replaced(host: HostMachine) -> None:
    host.resize(4)
    assert host.resize(1) == [Withdrawal(3), Withdrawal(2), Withdrawal(1)]
    assert host.resize(1) == []
    for left, slot in ((3, 2), (2, 3), (1, 1)):
        assert host.on_worker_ended(Ended(slot, True, 0), 3.0) == []
        assert host.living() == left
    assert host.resize(2) == [Start(1, "h.2+1")]


def test_one_that_has_not_left_may_stay(host: HostMachine) -> None:
    host.resize(1)
    assert host.resize(2) == [Withdrawal(1, stays=True)]
    assert host.resize(1) == [Withdrawal(1)]


@pytest.mark.parametrize("ready", [True, False])
def test_if_it_has_left_all_the_same_another_one_starts_at_once(host: HostMachine, ready: bool) -> None:
    for _ in range(2 * FAILED_STARTS_LIMIT):
        host.resize(1)
        host.resize(2)
        (start,) = host.on_worker_ended(Ended(1, ready, 0), 1.0)
        assert isinstance(start, Start)
    assert host.on_worker_ended(Ended(1, False, 0), 1.0) == [], "one that nobody has told to end has failed"
    assert host.next_deadline() == 1.1


def test_none_at_all(host: HostMachine) -> None:
    """A run that was given nothing yet."""
    host.resize(0)
    for slot in (0, 1):
        assert host.on_worker_ended(Ended(slot, True, 0), 1.0) == []
    assert (host.living(), host.next_deadline()) == (0, None)
    assert host.resize(1) == [Start(0, "h.1+1")]
    assert HostMachine("h", 0).begin() == []


def test_what_was_to_be_started_later_is_not_if_it_is_too_many(host: HostMachine) -> None:
    host.on_worker_ended(Ended(1, False, 1), 1.0)
    assert host.next_deadline() is not None
    assert host.resize(1) == []
    assert host.next_deadline() is None
    assert host.resize(2) == [Start(1, "h.2+1")]


def test_the_failures_of_one_that_is_withdrawn_count_for_nobody(host: HostMachine) -> None:
    """Whoever is not to be there need not be able to start."""
    for ended in (Ended(1, False, 1), Ended(1, False, -9), Ended(1, False, LIMIT_EXIT_CODE)):
        for _ in range(2 * FAILED_STARTS_LIMIT):
            host.resize(2)
            host.resize(1)
            assert host.on_worker_ended(ended, 1.0) == []
    host.resize(2)
    host.resize(1)
    assert host.on_worker_not_started(1, "no memory", 1.0, others_ready=False) == []
    assert host.next_deadline() is None


def test_an_initializer_that_raises_ends_all_even_then(host: HostMachine) -> None:
    host.resize(1)
    (said,) = host.on_worker_ended(Ended(1, False, INITIALIZER_EXIT_CODE), 1.0)
    assert isinstance(said, Tell)
    assert host.resize(8) == [], "no Worker can start"


def test_a_host_that_leaves_starts_none(host: HostMachine) -> None:
    host.leave()
    assert host.resize(8) == []


def test_one_that_is_stopped_is_killed_as_others_are_and_not_replaced(host: HostMachine) -> None:
    host.resize(1)
    host.on_worker_stopped(1, 1.0)
    actions: list[Action] = []
    for _ in range(LOOKS_AT_A_STOPPED_CHILD):
        actions = host.tick(host.next_deadline() or 0.0)
    assert actions == [KillWorker(1)]
    assert host.on_worker_ended(Ended(1, True, -9, killed_for=KILLED_FOR_THAT), 9.0) == []


def test_stand_ins_have_slots_of_their_own(host: HostMachine) -> None:
    assert host.on_stand_in_wanted("h.broker") == [Start(STAND_INS_FROM, "h.s1")]
    assert host.resize(3) == [Start(2, "h.3")]
    assert host.resize(0) == [Withdrawal(2), Withdrawal(1), Withdrawal(0)], "stand-ins leave by themselves"
    assert host.living() == 3
    assert host.resize(STAND_INS_FROM + 9)[-1] == Start(STAND_INS_FROM - 1, f"h.{STAND_INS_FROM}")


def test_all_are_told_how_many_there_are_in_the_whole_federation() -> None:
    host = HostMachine("h", 1, size=5)
    assert host.resize(2, 6) == [TellWorkers(FederationSize(6)), Start(0, "h.1"), Start(1, "h.2")]
    assert host.resize(2, 6) == host.resize(2) == []
    assert host.size == 6


def test_workers_that_live_keep_their_brokers_and_new_ones_go_to_those_with_the_fewest() -> None:
    host = HostMachine("h", 4, 2)
    host.begin()
    assert [host.broker_of(slot) for slot in range(4)] == [0, 0, 1, 1]
    host.resize(8)
    assert [host.broker_of(slot) for slot in range(8)] == [0, 0, 1, 1, 0, 1, 0, 1]
    host.resize(2)
    assert [host.broker_of(slot) for slot in range(8)] == [0, 0, 1, 1, 0, 1, 0, 1], "those that are ending are there"
    for slot in range(2, 8):
        host.on_worker_ended(Ended(slot, True, 0), 2.0)
    host.resize(4)
    assert [host.broker_of(slot) for slot in range(4)] == [0, 0, 1, 1]


def test_a_new_broker_is_told_of_those_that_are_ending(host: HostMachine) -> None:
    host.begin_brokers(0.0)
    host.resize(1)
    assert Tell(0, ExpectPeers(["h.1", "h.2"], [])) in host.on_broker_ended(0, -9, 2.0)


class Twin(RuleBasedStateMachine):
    """The slots of a host beside a naive account: for each slot, who is there and whether it was told to end."""

    def __init__(self) -> None:
        super().__init__()
        self.host = HostMachine("h", 2, 3)
        self.wanted = 2
        self.there: dict[int, list[str]] = {}  # slot -> what was said to who is there
        self.names: set[str] = set()
        self.brokers: dict[int, int] = {}
        self.now = 0.0
        self.take(self.host.begin())

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Start):
                assert action.slot not in self.there
                assert action.slot < self.wanted
                assert action.name not in self.names
                self.names.add(action.name)
                self.there[action.slot] = ["start"]
                self.brokers[action.slot] = self.host.broker_of(action.slot)
            elif isinstance(action, Withdrawal):
                self.there[action.slot].append("stay" if action.stays else "end")

    @rule(workers=st.integers(0, 9))
    def resize(self, workers: int) -> None:
        self.wanted = workers
        self.take(self.host.resize(workers))

    @precondition(lambda self: self.there)
    @rule(data=st.data(), ready=st.booleans(), code=st.sampled_from([0, -9]))
    def end(self, data: st.DataObject, ready: bool, code: int) -> None:
        slot = data.draw(st.sampled_from(sorted(self.there)))
        said = self.there.pop(slot)
        del self.brokers[slot]
        actions = self.host.on_worker_ended(Ended(slot, ready, code, others_ready=True), self.now)
        self.take(actions)
        if slot < self.wanted and (ready or (code == 0 and "end" in said)):
            assert slot in self.there, "it was to be replaced at once"

    @rule(seconds=st.floats(0.0, 10.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.host.tick(self.now))

    @invariant()
    def agrees(self) -> None:
        self.host.check()
        assert self.host.living() == len(self.there)
        for slot, said in self.there.items():
            assert (said[-1] == "end") == (slot >= self.wanted)
            assert self.host.broker_of(slot) == self.brokers[slot]
        counts = [0, 0, 0]
        for slot in range(self.wanted):
            counts[self.host.broker_of(slot)] += 1
        assert sum(counts) == self.wanted

    def teardown(self) -> None:
        """After a while each slot is filled."""
        self.now += 1e9
        self.take(self.host.tick(self.now))
        assert {slot for slot in self.there if slot < self.wanted} == set(range(self.wanted))


Twin.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestTwin = Twin.TestCase
