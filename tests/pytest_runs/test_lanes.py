"""Every test is handed out, once, whatever comes back; a lane keeps to its file."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
from hypothesis import given

from fedfutures.pytest.lanes import PORTION_AT_MOST, Lanes


@given(
    st.lists(st.integers(1, 40), max_size=12), st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.floats(0, 3)), max_size=200),
)  # fmt: skip
def test_each_test_runs_once(sizes: list[int], count: int, steps: list[tuple[int, int, float]]) -> None:
    files = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    lanes = Lanes(files, count)
    lent: dict[int, range] = {}
    ran: Counter[int] = Counter()

    def done(lane: int, tests: int, seconds: float) -> None:
        portion = lent.pop(lane)
        ran.update(portion[:tests])
        lanes.note(tests, seconds)
        lanes.give_back(lane, portion[tests:])

    for lane, tests, seconds in steps:
        lane %= count
        if lane not in lent:
            portion = lanes.take(lane)
            assert len(portion) <= PORTION_AT_MOST
            if portion:
                lent[lane] = portion
        elif tests == 9:
            lanes.give_back_alone(lent.pop(lane))
        else:
            done(lane, min(tests, len(lent[lane])), seconds)
    for lane in list(lent):
        done(lane, len(lent[lane]), 0.1)
    for lane in range(count):
        while portion := lanes.take(lane):
            lent[lane] = portion
            done(lane, len(portion), 0.1)
    assert ran == Counter(range(len(files)))


def test_a_lane_keeps_to_its_file() -> None:
    lanes = Lanes(["a"] * 40 + ["b"] * 40, 2)
    first, second = lanes.take(0), lanes.take(1)
    assert (first.start, second.start) == (0, 40)
    lanes.note(8, 0.1)
    assert lanes.take(0).start == first.stop
    assert lanes.take(1).start == second.stop


def test_a_lane_without_tests_takes_half_of_another_ones() -> None:
    lanes = Lanes(["a"] * 100, 2)
    assert (lanes.take(0), lanes.take(1)) == (range(8), range(54, 62))


def test_portions_follow_the_time_that_tests_take() -> None:
    lanes = Lanes(["a"] * 10_000, 2)
    lanes.take(0)
    for _ in range(10):
        lanes.note(8, 0.001)
    assert len(lanes.take(0)) == PORTION_AT_MOST
    lanes.note(4, 40.0)
    assert len(lanes.take(0)) == 1


def test_few_tests_go_to_all_lanes() -> None:
    lanes = Lanes(["a"] * 4, 2)
    assert [lanes.take(lane) for lane in (0, 1, 0, 1)] == [range(1), range(2, 3), range(1, 2), range(3, 4)]
