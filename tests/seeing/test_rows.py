"""On one row slices lie inside each other or beside each other, however the calls of a Worker overlap."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as some

from fedfutures.seeing import rows as module
from fedfutures.seeing.rows import WorkerRows, nest
from fedfutures.wire.ran import RanCall

TIMES = some.lists(some.tuples(some.floats(0.0, 10.0), some.floats(0.0, 3.0)), max_size=40)


@given(times=TIMES)
def test_slices_of_a_row_do_not_overlap(times: list[tuple[float, float]]) -> None:
    found, placed = WorkerRows(), []
    for begin, seconds in times:
        end = begin + seconds
        placed.append((found.place(begin, end), begin, end))
    for row in {one[0] for one in placed}:
        spans = sorted((begin, end) for place, begin, end in placed if place == row)
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def test_one_that_waits_gets_a_row_of_its_own_and_the_next_ones_do_not() -> None:
    found = WorkerRows()
    assert [found.place(float(at), at + 0.5) for at in range(5)] == [0] * 5
    assert found.place(0.2, 4.8) == 1
    assert found.place(0.1, 4.9) == 2
    assert found.place(5.0, 6.0) == 0


def test_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 300)
    found = WorkerRows()
    for at in range(400):
        found.place(float(at), at + 0.5)
    assert found.place(3.6, 3.7) == 1, "nobody knows whether there is room"
    assert found.place(300.6, 300.7) == 0


def call(began: float, ended: float) -> RanCall:
    return RanCall(began, ended, "f", "o", "o", 1, 1, 2, 0)


@given(times=TIMES)
def test_nested_calls_lie_inside_each_other_or_stick_out(times: list[tuple[float, float]]) -> None:
    calls = [call(begin, begin + seconds) for begin, seconds in times]
    inside, out = nest(calls, 1.0, 9.0)
    assert sorted([*inside, *out]) == sorted(calls)
    assert all(one.began >= 1.0 and one.ended <= 9.0 for one in inside)
    for one, other in itertools.combinations(inside, 2):
        overlap = min(one.ended, other.ended) - max(one.began, other.began)
        contains = (one.began <= other.began and other.ended <= one.ended) or (
            other.began <= one.began and one.ended <= other.ended
        )
        assert overlap <= 0.0 or contains
