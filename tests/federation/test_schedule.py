"""How large a piece is, and how much is asked for: arithmetic with bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from fedfutures.federation import schedule
from fedfutures.federation.schedule import (
    STUCK_SECONDS,
    Durations,
    cushion,
    futures_in,
    overdue_seconds,
    portion,
    share,
    soon,
)

MEANS = st.none() | st.floats(0.0, 1e4)
COUNTS = st.integers(0, 10**6)


def test_durations_are_learnt_one_function_at_a_time() -> None:
    durations = Durations()
    assert durations.of(b"f") is None is durations.last
    durations.learn(b"f", 4.0, 2)
    durations.learn(b"g", 0.5, 1)
    durations.learn(b"g", 0.0, 0)  # not measured
    assert (durations.of(b"f"), durations.of(b"g"), durations.last) == (2.0, 0.5, 0.5)


@given(st.lists(st.floats(0.0, 1e3), min_size=1))
def test_the_mean_stays_between_the_extremes_and_follows(measured: list[float]) -> None:
    durations = Durations()
    for seconds in measured:
        durations.learn(b"f", seconds, 1)
    mean = durations.of(b"f")
    assert mean is not None
    assert min(measured) - 1e-9 <= mean <= max(measured) + 1e-9
    for _ in range(60):
        durations.learn(b"f", 5.0, 1)
    assert abs((durations.of(b"f") or 0.0) - 5.0) < 1e-6


def test_durations_forget_the_function_that_was_quiet_longest() -> None:
    durations = Durations()
    for number in range(10_500):
        durations.learn(number.to_bytes(2, "big"), 1.0, 1)
        durations.learn(b"often", 1.0, 1)
    assert durations.of(b"often") == 1.0
    assert durations.of((0).to_bytes(2, "big")) is None
    remembered = sum(durations.of(number.to_bytes(2, "big")) is not None for number in range(10_500))
    assert 10_000 <= remembered <= 10_001


@given(st.floats(0.0, 10.0), MEANS)
def test_futures_in(seconds: float, mean: float | None) -> None:
    count = futures_in(seconds, mean)
    assert 1 <= count <= schedule.MOST_IN_A_PIECE
    if mean is None:
        assert count == 1
    elif count > 1:
        assert count * max(mean, 1e-7) <= seconds + 1e-9


@given(MEANS, st.integers(1, 10**5), COUNTS, st.integers(0, 1000))
def test_a_portion(mean: float | None, room: int, backlog: int, workers: int) -> None:
    count, spent = portion(mean, room, backlog, workers)
    assert 1 <= count <= room
    assert count <= futures_in(schedule.HORIZON_SECONDS, mean)
    if spent:
        assert count < room
    if mean is None:
        assert count == 1


LONG = schedule.LONG_HORIZON_SECONDS


def test_while_much_is_left_who_asks_for_some_has_more() -> None:
    assert portion(0.01, 2, 1000, 2, seconds=LONG) == (7, False)
    assert portion(0.01, 9, 1000, 2, seconds=LONG) == (7, True)


@pytest.mark.parametrize("room", [0, 1])
def test_who_asks_for_one_alone_has_no_more(room: int) -> None:
    assert portion(0.01, room, 1000, 2, seconds=LONG)[0] == room


@given(MEANS, COUNTS, st.integers(1, 100), COUNTS)
def test_a_horizon_is_long_only_where_each_worker_can_have_as_much(
    mean: float | None, backlog: int, workers: int, queued: int
) -> None:
    if schedule.horizon(mean, backlog, workers, queued) == LONG:
        assert mean is not None
        assert queued * mean >= workers * LONG
        assert backlog * mean >= workers * schedule.MUCH_SECONDS
    else:
        assert mean is None or queued * mean < workers * LONG or backlog * mean < workers * schedule.MUCH_SECONDS


def test_pieces_shrink_near_the_end() -> None:
    given_out, left = [], 1000
    while left:
        count = min(left, portion(schedule.HORIZON_SECONDS / 10, 10**6, left, 4)[0])
        given_out.append(count)
        left -= count
    assert given_out == sorted(given_out, reverse=True)
    assert (given_out[0], given_out[-1]) == (10, 1)


def test_what_is_short_is_given_out_at_once() -> None:
    mean, left, given_out = schedule.SHORT_SECONDS / 3, 12, []
    while left:
        given_out.append(portion(mean, 10**6, left, 4)[0])
        left -= given_out[-1]
    assert given_out[0] == 3
    assert portion(mean, 10**6, 13, 4)[0] == 2  # more than that shrinks as before


def test_a_worker_with_its_share_gets_no_more() -> None:
    assert portion(schedule.HORIZON_SECONDS / 20, 20, 80, 4, waits=3) == (7, False)
    assert portion(schedule.HORIZON_SECONDS / 20, 20, 80, 4, waits=10) == (0, False)


def test_very_short_futures_are_not_cut_small() -> None:
    assert portion(1e-6, 10**6, 1, 4)[0] == 500


@given(MEANS, st.integers(0, 10**4))
def test_a_cushion(mean: float | None, workers: int) -> None:
    count = cushion(mean, workers)
    assert 2 * workers <= count <= max(2 * workers, schedule.CUSHION_AT_MOST)


@given(MEANS, st.integers(0, 10**4), st.floats(0.0, 1.0))
def test_a_cushion_for_a_longer_way(mean: float | None, workers: int, seconds: float) -> None:
    assert cushion(mean, workers, seconds) <= cushion(mean, workers, seconds + 1.0)


@given(MEANS, COUNTS, COUNTS, st.integers(0, 10**4), st.integers(0, 10**4), st.floats(0.0, 1.0))
def test_a_share(mean: float | None, held: int, backlog: int, workers: int, others: int, seconds: float) -> None:
    count = share(mean, held, backlog, workers, workers + others, seconds)
    most = workers + workers * futures_in(seconds, mean)
    assert 0 <= count <= max(0, most - held)
    assert count <= workers + -(-backlog * workers // (2 * max(1, workers + others)))
    assert share(mean, held + 1, backlog, workers, workers + others, seconds) <= count or count == 0


@given(st.floats(1e-6, 1.0), st.integers(1, 1000), st.floats(0.0, 1.0))
def test_shares_fill_a_neighbour_once(mean: float, workers: int, seconds: float) -> None:
    """Given its share again and again it comes to hold as much as it runs in the time, and no more."""
    held = 0
    while count := share(mean, held, 10**9, workers, 2 * workers, seconds):
        held += count
    assert held == workers + workers * futures_in(seconds, mean)


def test_the_last_futures_are_shared_out_among_all() -> None:
    """As many Workers behind the link as here: a quarter of what is left at a time, and one to each idle Worker."""
    assert share(0.001, 8, 100, 8, 16, 0.025) == 25
    assert share(0.001, 0, 100, 8, 16, 0.025) == 33
    assert share(0.001, 8 + 25, 100, 8, 16, 0.025) == 0


def test_what_is_hardly_worth_a_message_is_not_sent() -> None:
    assert share(0.001, 8 + 190, 10**6, 8, 16, 0.025) == 0
    assert share(0.001, 8 + 150, 10**6, 8, 16, 0.025) == 50


def test_nothing_is_shared_with_whom_no_worker_is() -> None:
    assert share(0.001, 0, 10**6, 0, 16, 0.025) == 0


@given(MEANS, st.integers(0, 1000), st.floats(0.0, 1.0))
def test_what_starts_here_soon(mean: float | None, workers: int, trip: float) -> None:
    count = soon(mean, workers, trip)
    assert count >= 0
    if mean is None:
        assert count == 0
    else:
        assert count * max(mean, 1e-7) <= workers * (schedule.MOVE_SECONDS + 2 * trip) + 1e-6


def test_long_futures_are_overdue_after_twice_the_usual_time() -> None:
    assert overdue_seconds(None) == overdue_seconds(0.001) == STUCK_SECONDS
    assert overdue_seconds(1.0) == 2.0
