"""How much is under way: as much as the way carries in a moment, whatever way it is."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from fedfutures.broker.congestion import (
    CHUNK_LEAST,
    LATE_SECONDS,
    TIMEOUT_AT_MOST_SECONDS,
    TIMEOUT_SECONDS,
    WINDOW_FIRST,
    WINDOW_LEAST,
    WINDOW_MOST,
    CongestionWindow,
)
from fedfutures.wire.messages import MAX_CHUNK_BYTES


class Way:
    """A link of a given speed and delay, one way loaded: what is asked for comes in order."""

    def __init__(self, rate: float, delay: float) -> None:
        self.rate, self.delay = rate, delay
        self.window, self.now, self.free_at, self.carried, self.asked = CongestionWindow(), 0.0, 0.0, 0, 0
        self.coming: list[tuple[float, int, float]] = []  # (when, offset, asked at)
        self.waits: list[float] = []

    def run(self, seconds: float) -> None:
        """Fetch without end for a while."""
        end = self.now + seconds
        while self.now < end:
            while self.window.has_room():
                count = self.window.chunk_bytes
                self.free_at = max(self.free_at, self.now + self.delay / 2) + count / self.rate
                self.coming.append((self.free_at + self.delay / 2, self.asked, self.now))
                self.window.on_request(("s", self.asked), count, self.now)
                self.asked += count
            self.now, offset, asked_at = self.coming.pop(0)
            self.waits.append(self.now - asked_at)
            before = self.window.in_flight
            self.window.on_answer(("s", offset), self.now)
            self.carried += before - self.window.in_flight
            self.window.check()


@pytest.mark.parametrize("rate", [1e5, 1e6, 1e7, 1e8, 1e9])
@pytest.mark.parametrize("delay", [0.0002, 0.02, 0.15])
def test_a_way_is_used_and_not_blocked(rate: float, delay: float) -> None:
    way = Way(rate, delay)
    way.run(10.0)
    way.carried, way.waits = 0, []
    way.run(10.0)
    reachable = min(rate, WINDOW_MOST / (delay + 0.01))
    assert way.carried > 0.7 * reachable * 10.0
    assert max(way.waits) < delay + LATE_SECONDS + 0.1 + 3 * WINDOW_LEAST / rate


def test_a_way_that_becomes_slow() -> None:
    way = Way(1e9, 0.001)
    way.run(2.0)
    assert way.window.size == WINDOW_MOST
    way.rate, way.delay = 1e6, 0.3
    way.run(60.0)
    way.waits = []
    way.run(10.0)
    assert max(way.waits) < 1.0
    assert way.window.size > WINDOW_LEAST


def test_the_first_questions_are_small() -> None:
    window = CongestionWindow()
    asked = 0
    while window.has_room():
        assert window.chunk_bytes == CHUNK_LEAST
        window.on_request(("s", asked), window.chunk_bytes, 0.0)
        asked += window.chunk_bytes
    assert asked == WINDOW_FIRST


def test_what_is_lost_is_returned_after_a_while() -> None:
    window = CongestionWindow()
    assert window.deadline() is None
    window.on_request(("s", 0), 10, 5.0)
    window.on_request(("s", 10), 10, 5.5)
    assert window.deadline() == 5.0 + TIMEOUT_SECONDS
    window.on_answer(("s", 0), 6.0)
    assert ("s", 0) not in window
    assert window.deadline() == 6.0 + 4 * 1.0
    assert window.on_timeout(10.0) == [("s", 10)]
    assert (window.in_flight, window.deadline()) == (0, None)


def test_waiting_in_vain_takes_longer_each_time() -> None:
    window, now, waits = CongestionWindow(), 0.0, []
    for _ in range(8):
        window.on_request(("s", 0), 10, now)
        due = window.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
        window.on_timeout(now)
    assert waits == pytest.approx([1, 2, 4, 8, 16, 30, 30, 30])
    assert waits[-1] == TIMEOUT_AT_MOST_SECONDS
    window.on_request(("s", 0), 10, now)
    window.on_answer(("s", 0), now)
    window.on_request(("s", 0), 10, now)
    assert window.deadline() == now + TIMEOUT_SECONDS


def test_a_way_that_is_open_again_is_not_held_against_what_it_was() -> None:
    """Else the first question that is lost in a new session is asked again after half a minute."""
    window, now = CongestionWindow(), 0.0
    window.on_request(("s", 0), 10, now)
    window.on_answer(("s", 0), now + 5.0)
    for _ in range(5):
        window.on_request(("s", 0), 10, now)
        due = window.deadline()
        assert due is not None
        now = due
        window.on_timeout(now)
    window.on_request(("s", 0), 10, now)
    assert window.begin_anew(now) == [("s", 0)]
    window.on_request(("s", 0), 10, now)
    assert window.deadline() == now + TIMEOUT_SECONDS
    window.check()


@given(st.lists(st.tuples(st.sampled_from("acdl"), st.integers(0, 5), st.floats(0.0, 3.0)), max_size=60))
def test_limits_hold_whatever_happens(steps: list[tuple[str, int, float]]) -> None:
    window, now = CongestionWindow(), 0.0
    for what, number, seconds in steps:
        now += seconds
        if what == "a" and window.has_room():
            window.on_request(("s", number), window.chunk_bytes, now)
        elif what == "c":
            window.on_answer(("s", number), now)
        elif what == "d":
            window.discard(("s", number))
        elif what == "l":
            window.on_timeout(now)
        window.check()
        assert WINDOW_LEAST <= window.size <= WINDOW_MOST
        assert CHUNK_LEAST <= window.chunk_bytes <= MAX_CHUNK_BYTES
        assert 0 <= window.in_flight < window.size + MAX_CHUNK_BYTES + WINDOW_MOST
        assert (window.deadline() is None) == (not list(window))
