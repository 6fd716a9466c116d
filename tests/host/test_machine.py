"""When Workers are started again, and when not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedfutures.host.machine import (
    FAILED_STARTS_LIMIT,
    FIRST_DELAY_SECONDS,
    INITIALIZER_EXIT_CODE,
    Ended,
    HostMachine,
    Start,
    Surrender,
)


@pytest.fixture
def host() -> HostMachine:
    return HostMachine("h", 2)


def test_the_first_starts(host: HostMachine) -> None:
    assert host.begin() == [Start(0, "h.1"), Start(1, "h.2")]
    assert host.next_deadline() is None


def test_one_that_was_ready_is_replaced_at_once_under_a_new_name(host: HostMachine) -> None:
    host.begin()
    assert host.ended(Ended(1, True, "signal SIGKILL", None), 1.0) == [Start(1, "h.2+1")]
    assert host.ended(Ended(1, True, "exit code 0", 0), 1.0) == [Start(1, "h.2+2")]


def test_one_that_was_not_waits_longer_each_time(host: HostMachine) -> None:
    host.begin()
    now = 0.0
    for failed in range(FAILED_STARTS_LIMIT - 1):
        assert host.ended(Ended(0, False, "exit code 1", 1), now) == []
        due = host.next_deadline()
        assert due == pytest.approx(now + FIRST_DELAY_SECONDS * 2**failed)
        assert host.tick(due - 0.01) == []
        assert host.tick(due) == [Start(0, f"h.1+{failed + 1}")]
        assert host.next_deadline() is None
        now = due
    (surrender,) = host.ended(Ended(0, False, "exit code 7", 7), now)
    assert isinstance(surrender, Surrender)
    assert "5 times in a row; the last one: exit code 7" in surrender.reason
    assert host.ended(Ended(1, True, "signal SIGKILL", None), now) == []
    assert host.tick(1e9) == []


def test_one_that_becomes_ready_clears_the_count(host: HostMachine) -> None:
    host.begin()
    for _ in range(3 * FAILED_STARTS_LIMIT):
        host.ended(Ended(0, False, "exit code 1", 1), 0.0)
        assert host.tick(1e9)
        assert host.ended(Ended(1, True, "exit code 0", 0), 0.0)


def test_an_initializer_that_raises_is_not_tried_again(host: HostMachine) -> None:
    host.begin()
    host.ended(Ended(0, False, "exit code 1", 1), 0.0)
    (surrender,) = host.ended(Ended(1, False, "exit code 81", INITIALIZER_EXIT_CODE), 0.0)
    assert isinstance(surrender, Surrender)
    assert "the initializer raised on host h" in surrender.reason
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
            actions = actions + host.ended(Ended(slot, ready, "exit code 1", 1), now)
        for action in actions:
            if isinstance(action, Surrender):
                given_up = True
                continue
            assert action.slot not in living
            assert action.name not in names
            names.add(action.name)
            living.add(action.slot)
        assert given_up or len(living) + len(host._due) == 3
        assert (host.next_deadline() is None) == (not host._due)
