"""Which Futures would be late, beside a twin that knows what each takes."""

from __future__ import annotations

from hypothesis import given, strategies as st

from fedfutures.federation.schedule import Durations
from fedfutures.node.deadline import IDLE_SECONDS, LONGEST_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS, Deadline

FUNCTIONS = [b"f", b"g", b"h", b"unknown"]
MEANS = st.lists(st.floats(0.0, 100.0), min_size=3, max_size=3)
IDS = st.sets(st.integers(1, 99), min_size=1, max_size=4)
PIECES = st.lists(st.tuples(st.sampled_from(FUNCTIONS), IDS), max_size=8)


@given(MEANS, PIECES, st.floats(0.0, 200.0), st.floats(0.0, 200.0))
def test_nothing_is_begun_that_is_known_to_be_late(
    means: list[float], pieces: list[tuple[bytes, set[int]]], at: float, now: float
) -> None:
    durations = Durations()
    known = dict(zip(FUNCTIONS, means))
    for function, mean in known.items():
        durations.learn(function, mean, 1)
    deadline = Deadline(at, durations)
    late = [number for function, ids in pieces if now + known.get(function, 0.0) > at for number in ids]
    assert deadline.late_among(pieces, now) == sorted(late)
    for function in FUNCTIONS:
        assert deadline.is_late(function, now) == (now + known.get(function, 0.0) > at)


def test_what_was_never_measured_is_given_to_the_last() -> None:
    deadline = Deadline(10.0, Durations())
    assert [deadline.is_late(b"f", now) for now in (9.9, 10.0, 10.1)] == [False, False, True]


def test_it_is_over_at_its_time_or_when_nothing_can_be_done() -> None:
    deadline = Deadline(10.0, Durations())
    assert not deadline.is_over(1.0, idle=True)
    assert not deadline.is_over(1.0 + IDLE_SECONDS / 2, idle=True)
    assert not deadline.is_over(1.0 + IDLE_SECONDS, idle=False), "a call of another function has come meanwhile"
    assert not deadline.is_over(1.0 + 2 * IDLE_SECONDS, idle=True)
    assert deadline.is_over(1.0 + 3 * IDLE_SECONDS, idle=True)
    assert deadline.is_over(10.0, idle=False)


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_it_is_looked_at_more_often_near_the_end(at: float, now: float) -> None:
    pause = Deadline(at, Durations()).pause(now)
    assert pause <= max(0.0, at - now), "the end itself is not missed"
    assert pause <= LONGEST_PAUSE_SECONDS
    assert pause >= min(SHORTEST_PAUSE_SECONDS, max(0.0, at - now))
