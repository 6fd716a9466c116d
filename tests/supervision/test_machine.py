"""When Workers and Brokers are started again, and when not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedfutures.supervision.brokers import BrokerPlace, broker_places
from fedfutures.supervision.machine import (
    BROKER_ENDS_LIMIT,
    BROKER_ENDS_SECONDS,
    BROKER_SETTLED_SECONDS,
    FAILED_STARTS_LIMIT,
    FIRST_DELAY_SECONDS,
    INITIALIZER_EXIT_CODE,
    LOOK_SECONDS,
    LOOKS_AT_A_STOPPED_BROKER,
    Ended,
    HostMachine,
    KillBroker,
    LoseBroker,
    Start,
    StartBroker,
    Tell,
)
from fedfutures.wire.control import ExpectWorkers, NoMoreWorkers


@pytest.fixture
def host() -> HostMachine:
    return HostMachine("h", 2)


def test_the_first_starts(host: HostMachine) -> None:
    assert host.begin() == [Start(0, "h.1"), Start(1, "h.2")]
    assert host.next_deadline() is None


def test_one_that_was_ready_is_replaced_at_once_under_a_new_name(host: HostMachine) -> None:
    host.begin()
    assert host.on_worker_ended(Ended(1, True, "signal SIGKILL", None), 1.0) == [Start(1, "h.2+1")]
    assert host.on_worker_ended(Ended(1, True, "exit code 0", 0), 1.0) == [Start(1, "h.2+2")]


def test_one_that_was_not_waits_longer_each_time(host: HostMachine) -> None:
    host.begin()
    now = 0.0
    for failed in range(FAILED_STARTS_LIMIT - 1):
        assert host.on_worker_ended(Ended(0, False, "exit code 1", 1), now) == []
        due = host.next_deadline()
        assert due == pytest.approx(now + FIRST_DELAY_SECONDS * 2**failed)
        assert host.tick(due - 0.01) == []
        assert host.tick(due) == [Start(0, f"h.1+{failed + 1}")]
        assert host.next_deadline() is None
        now = due
    (surrender,) = host.on_worker_ended(Ended(0, False, "exit code 7", 7), now)
    assert isinstance(surrender.frame, NoMoreWorkers)
    assert "5 times in a row; the last one: exit code 7" in surrender.frame.reason
    assert host.on_worker_ended(Ended(1, True, "signal SIGKILL", None), now) == []
    assert host.tick(1e9) == []


def test_one_that_becomes_ready_clears_the_count(host: HostMachine) -> None:
    host.begin()
    for _ in range(3 * FAILED_STARTS_LIMIT):
        host.on_worker_ended(Ended(0, False, "exit code 1", 1), 0.0)
        assert host.tick(1e9)
        assert host.on_worker_ended(Ended(1, True, "exit code 0", 0), 0.0)


def test_an_initializer_that_raises_is_not_tried_again(host: HostMachine) -> None:
    host.begin()
    host.on_worker_ended(Ended(0, False, "exit code 1", 1), 0.0)
    (surrender,) = host.on_worker_ended(Ended(1, False, "exit code 81", INITIALIZER_EXIT_CODE), 0.0)
    assert isinstance(surrender.frame, NoMoreWorkers)
    assert "the initializer raised on host h" in surrender.frame.reason
    assert host.next_deadline() is None


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([True, False]), st.floats(0.0, 2.0))))
def test_a_slot_has_one_worker_or_a_time_for_it(ends: list[tuple[int, bool, float]]) -> None:
    host = HostMachine("h", 3)
    now, names, living, given_up = 0.0, set(), {0, 1, 2}, False
    names |= {start.name for start in host.begin()}
    for slot, ready, seconds in ends:
        now += seconds
        actions = host.tick(now)
        if slot in living:
            living.discard(slot)
            actions = actions + host.on_worker_ended(Ended(slot, ready, "exit code 1", 1), now)
        for action in actions:
            if isinstance(action, Tell):
                given_up = True
                continue
            assert action.slot not in living
            assert action.name not in names
            names.add(action.name)
            living.add(action.slot)
        assert (host.next_deadline() is None) == (given_up or len(living) == 3)
    living |= {action.slot for action in host.tick(1e9) if isinstance(action, Start)}
    assert given_up or living == {0, 1, 2}


# -- Brokers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def several() -> HostMachine:
    """Two Brokers, four Workers, everything started at 0.0; the first Broker dials the second."""
    host = HostMachine("h", 4, 2)
    first, second = broker_places("h", 2, "/d")
    assert first.name == "h.broker"
    assert host.link(second.dialled_by(0)) == []  # nobody is there to be told
    assert host.begin_brokers(0.0) == [StartBroker(0), told(0, second), StartBroker(1)]
    assert [start.slot for start in host.begin() if isinstance(start, Start)] == [0, 1, 2, 3]
    return host


def told(index: int, place: BrokerPlace) -> Tell:
    return Tell(index, place.dialled_by(index))


FAR = BrokerPlace("far", "tcp://far:1", "tcp://far:2", "tcp://far:3")


def test_a_broker_that_had_settled_is_started_at_once_and_told_what_it_knew(several: HostMachine) -> None:
    second = broker_places("h", 2, "/d")[1]
    several.on_worker_ended(Ended(1, True, "exit code 0", 0), 0.5)
    assert several.on_broker_ended(0, "signal SIGKILL", 1.0) == [
        StartBroker(0, "signal SIGKILL"), Tell(0, ExpectWorkers(["h.1", "h.2+1"])), told(0, second),
    ]  # fmt: skip
    assert several.on_broker_ended(1, "exit code 1", BROKER_SETTLED_SECONDS) == [
        StartBroker(1, "exit code 1"), Tell(1, ExpectWorkers(["h.3", "h.4"])),
    ]  # fmt: skip
    assert several.next_deadline() is None


def test_a_worker_that_waits_to_be_started_is_not_expected(several: HostMachine) -> None:
    several.on_worker_ended(Ended(2, False, "exit code 1", 1), 1.0)
    assert several.on_broker_ended(1, "exit code 1", 1.05)[1] == Tell(1, ExpectWorkers(["h.4"]))


def test_a_broker_that_had_not_settled_waits_longer_each_time(several: HostMachine) -> None:
    now = 0.0
    for failed in range(BROKER_ENDS_LIMIT - 1):
        assert several.on_broker_ended(1, "exit code 1", now) == []
        due = several.next_deadline()
        assert due == pytest.approx(now + FIRST_DELAY_SECONDS * 2**failed)
        assert several.tick(due - 0.01) == []
        assert several.tick(due)[0] == StartBroker(1, "exit code 1")
        assert several.next_deadline() is None
        now = due
    assert several.on_broker_ended(1, "exit code 7", now) == [
        LoseBroker("h.broker2 ended 5 times in 1.5 s; last: exit code 7")
    ]


def test_ends_that_are_far_apart_are_not_added_up(several: HostMachine) -> None:
    apart = BROKER_ENDS_SECONDS / (BROKER_ENDS_LIMIT - 1) + 0.1
    for count in range(1, 20):
        assert several.on_broker_ended(0, "signal SIGSEGV", count * apart)[0] == StartBroker(0, "signal SIGSEGV")


def test_the_ends_of_two_brokers_are_not_added_up(several: HostMachine) -> None:
    for count in range(1, BROKER_ENDS_LIMIT):
        for index in range(2):
            assert isinstance(several.on_broker_ended(index, "signal SIGKILL", count * 2.0)[0], StartBroker)


def test_a_neighbour_elsewhere_is_dialled_now_and_again(several: HostMachine) -> None:
    assert several.link(FAR.dialled_by(1)) == [told(1, FAR)]
    assert several.on_broker_ended(1, "signal SIGKILL", 2.0)[2:] == [told(1, FAR)]
    moved = BrokerPlace("far", "tcp://far:4", "tcp://far:5", "tcp://far:6")
    several.on_broker_ended(1, "signal SIGKILL", 2.1)
    assert several.link(moved.dialled_by(1)) == []
    assert several.tick(9.0)[2:] == [told(1, moved)]
    assert several.link(FAR.dialled_by(2)) == several.link(FAR.dialled_by(-1)) == []


def test_a_broker_that_is_stopped_for_long_is_killed(several: HostMachine) -> None:
    several.on_broker_stopped(0, 10.0)
    for look in range(1, LOOKS_AT_A_STOPPED_BROKER):
        assert several.next_deadline() == 10.0 + look * LOOK_SECONDS
        assert several.tick(10.0 + look * LOOK_SECONDS) == []
    assert several.tick(15.0) == [KillBroker(0)]
    several.on_broker_stopped(0, 15.0)
    assert several.next_deadline() is None
    started = several.on_broker_ended(0, "signal SIGKILL", 15.1)[0]
    assert started == StartBroker(0, "stopped for 5 s, and killed for that")
    assert several.on_broker_ended(0, "signal SIGKILL", 17.0)[0] == StartBroker(0, "signal SIGKILL")


def test_a_broker_that_goes_on_is_left_alone(several: HostMachine) -> None:
    for begin in (10.0, 13.0, 16.0):
        several.on_broker_stopped(0, begin)
        assert several.tick(begin + LOOK_SECONDS) == []
        several.on_broker_continued(0)
    assert several.next_deadline() is None
    assert several.tick(99.0) == []


def test_the_time_when_the_host_process_was_stopped_too_does_not_count(several: HostMachine) -> None:
    several.on_broker_stopped(0, 10.0)
    assert several.tick(10_000.0) == []
    several.on_broker_continued(0)
    assert several.tick(20_000.0) == []


def test_a_broker_that_comes_after_the_workers_were_given_up_knows(several: HostMachine) -> None:
    surrender, other = several.on_worker_ended(Ended(0, False, "exit code 81", INITIALIZER_EXIT_CODE), 1.0)
    assert (surrender.broker, other.broker, surrender.frame) == (0, 1, other.frame)
    assert several.on_broker_ended(1, "signal SIGKILL", 2.0)[-1] == Tell(1, surrender.frame)
