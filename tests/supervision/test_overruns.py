"""Futures over their time limit: when the host process looks, and whom it ends."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from fedfutures.supervision.overruns import (
    ABORT_SECONDS,
    LOOK_SECONDS,
    STOOD_STILL_SECONDS,
    AloneFuture,
    Overruns,
)

ONE, OTHER = AloneFuture(1, 7, 5.0), AloneFuture(2, 8, 6.0)


def test_it_looks_when_the_first_time_is_over() -> None:
    overruns = Overruns()
    assert overruns.next_deadline() is None
    assert not overruns.is_due(9.0)
    assert overruns.look({0: OTHER, 1: ONE}, 1.0) == {}
    assert overruns.next_deadline() == 1.0 + LOOK_SECONDS
    for now in (2.0, 3.0, 4.0):
        assert overruns.look({0: OTHER, 1: ONE}, now) == {}
    assert overruns.next_deadline() == 5.0
    assert (overruns.is_due(4.9), overruns.is_due(5.0)) == (False, True)
    assert overruns.look({0: OTHER, 1: ONE}, 5.0) == {1: "abort"}
    assert overruns.next_deadline() == 5.0 + ABORT_SECONDS
    assert overruns.look({}, 5.05) == {}
    assert overruns.next_deadline() is None


def test_what_does_not_end_is_killed_again_and_again() -> None:
    overruns = Overruns()
    overruns.look({0: ONE}, 5.0)
    assert overruns.look({0: ONE}, 5.01) == {}
    assert overruns.look({0: ONE}, 5.0 + ABORT_SECONDS) == {0: "kill"}
    assert overruns.look({0: ONE}, 5.0 + 2 * ABORT_SECONDS) == {0: "kill"}


def test_a_worker_is_ended_for_what_was_open_then() -> None:
    overruns = Overruns()
    assert overruns.end(0, ONE) is None, "it has died by itself"
    overruns.look({0: ONE, 1: OTHER}, 6.0)
    assert overruns.end(0, ONE) == ONE
    assert overruns.end(0, ONE) is None
    assert overruns.end(1, None) is None, "its Future had ended in time after all"


def test_the_next_future_of_a_worker_has_a_time_of_its_own() -> None:
    overruns = Overruns()
    assert overruns.look({0: ONE}, 5.0) == {0: "abort"}
    following = AloneFuture(1, 8, 7.0)
    assert overruns.look({0: following}, 5.05) == {}
    assert overruns.look({0: following}, 6.9) == {}
    assert overruns.next_deadline() == 7.0
    assert overruns.end(0, following) is None


def test_time_in_which_the_host_process_stood_still_counts_for_nobody() -> None:
    overruns = Overruns()
    overruns.look({0: ONE, 1: OTHER}, 1.0)
    assert overruns.look({0: ONE, 1: OTHER}, 2.0 + 100.0) == {}, "a suspended job"
    for now in (103.0, 104.0, 104.9):
        assert overruns.look({0: ONE, 1: OTHER}, now) == {}
    assert overruns.look({0: ONE, 1: OTHER}, 105.0) == {0: "abort"}
    assert overruns.look({1: OTHER}, 106.0) == {1: "abort"}


@given(st.floats(0.0, STOOD_STILL_SECONDS), st.floats(0.001, 5.0))
def test_a_look_that_is_a_little_late_grants_nothing(late: float, limit: float) -> None:
    overruns = Overruns()
    mine = AloneFuture(1, 1, 10.0 + limit)
    for seconds in range(1 + int(limit)):
        assert overruns.look({0: mine}, 10.0 + seconds) == ({} if seconds < limit else {0: "abort"})
    if limit == int(limit):
        return
    assert overruns.look({0: mine}, 10.0 + limit + 0.999 * late) == {0: "abort"}


@pytest.mark.parametrize("now", [5.0, 5.5])
def test_nobody_is_ended_twice_for_one_future(now: float) -> None:
    overruns = Overruns()
    assert overruns.look({0: ONE}, now) == {0: "abort"}
    assert overruns.look({0: ONE}, now) == {}
