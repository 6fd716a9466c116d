"""Spans: nothing is missing from the counts, their number has a bound, and what has just happened is kept closely."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, strategies

from fedfutures.seeing import spans as module
from fedfutures.seeing.spans import AGAIN, CANCELED, FAILED, OTHERS, RowSpan, RunSpans, WorkerTimes
from fedfutures.wire.facts import joined, packed
from fedfutures.wire.messages import CANCELLED, ERROR, LOST, VALUE, WITH_OUTPUT


def test_a_future_ends_when_its_outcome_has_come() -> None:
    times = WorkerTimes()
    assert times.place("h.1", [1.0, 2.0], 10.0) == [(7.0, 8.0), (8.0, 10.0)]
    assert times.place("h.1", [2.4], 12.0) == [(10.0, 12.4)], "there is no room before it"
    assert times.place("h.1", [6.0], 13.0) == [(7.0, 13.0)], "it has waited while the others ran"
    assert times.place("h.1", [0.2], 13.1) == [(13.0, 13.2)]
    times.has_ended("h.1", 14.0)
    times.has_ended("h.1", 13.9)
    assert times.place("h.1", [0.2], 14.1) == [(14.0, 14.2)]
    assert times.place("h.2", [3.0], 12.0) == [(9.0, 12.0)]
    times.forget("h.1")
    assert times.place("h.1", [3.0], 12.0) == [(9.0, 12.0)]


def test_each_long_future_is_a_span() -> None:
    run = RunSpans()
    run.take(5.0, "price", [1, 2], [], packed("h.1", 1, [1.0, 2.0]))
    run.take(5.0, "cube", [3], [], packed("h.2", 1, [0.5]))
    assert run.functions.names == ["price", "cube"]
    assert run.rows == {
        "h.1": [RowSpan(2.0, 3.0, 1.0, 0, 1, 0, 1), RowSpan(3.0, 5.0, 2.0, 0, 1, 0, 2)],
        "h.2": [RowSpan(4.5, 5.0, 0.5, 1, 1, 0, 3)],
    }


def test_short_futures_of_a_message_are_one_span() -> None:
    run = RunSpans()
    run.take(5.0, "price", [1, 2, 3], [(2, ERROR)], packed("h.1", 1, [0.001] * 3))
    [span] = run.rows["h.1"]
    assert (span.count, span.marks, span.number, run.size) == (3, FAILED, 2, 1), "the number is that of the failed one"
    assert span.busy == pytest.approx(0.003)


@pytest.mark.parametrize(
    ("kind", "attempts", "marks"),
    [
        (VALUE, 1, 0), (WITH_OUTPUT, 1, 0), (VALUE, 2, AGAIN), (ERROR, 1, FAILED), (LOST, 1, FAILED),
        (CANCELLED, 1, CANCELED), (ERROR, 3, FAILED | AGAIN),
    ],
)  # fmt: skip
def test_marks(kind: int, attempts: int, marks: int) -> None:
    run = RunSpans()
    run.take(5.0, "price", [4], [(4, kind)], packed("h.1", attempts, [1.0]))
    assert run.rows["h.1"][0].marks == marks


def test_who_has_run_it_is_not_always_known() -> None:
    run = RunSpans()
    run.take(5.0, "price", [1, 2], [], b"")
    run.take(5.0, "price", [1, 2], [], b"nonsense")
    run.take(5.0, "price", [1, 2], [], joined([(b"", 1), (packed("h.1", 1, [-1.0]), 1)]))
    assert run.rows == {"h.1": [RowSpan(5.0, 5.0, 0.0, 0, 1, 0, 2)]}, "and how long is not known either"


MESSAGES = strategies.lists(
    strategies.tuples(
        strategies.integers(1, 4), strategies.sampled_from(["f", "g", "h"]), strategies.booleans(),
        strategies.lists(strategies.floats(0.0, 3.0, width=32), min_size=1, max_size=8),
    ),
    max_size=60,
)  # fmt: skip


@given(messages=MESSAGES, most=strategies.integers(8, 40))
def test_counts_are_kept_and_spans_have_a_bound(messages: list[tuple[int, str, bool, list[float]]], most: int) -> None:
    run, number, busy, failed = RunSpans(most), 0, 0.0, 0
    for at, (worker, function, fails, seconds) in enumerate(messages):
        ids = list(range(number, number + len(seconds)))
        number += len(seconds)
        busy += sum(seconds)
        failed += fails
        run.take(float(at), function, ids, [(ids[0], ERROR)] if fails else [], packed(f"h.{worker}", 1, seconds))
        spans = [span for row in run.rows.values() for span in row]
        assert len(spans) == run.size
        assert run.size <= max(most, len(run.rows)), "a row is at least one span"
        assert sum(span.count for span in spans) == number
        assert sum(span.busy for span in spans) == pytest.approx(busy)
        assert any(span.marks & FAILED for span in spans) == bool(failed)
        for row in run.rows.values():
            assert all(span.begin <= span.end for span in row)
            assert all(one.end <= other.end for one, other in itertools.pairwise(row)), "in their order"


def test_what_has_just_happened_is_kept_more_closely() -> None:
    run, dice, at = RunSpans(1000), random.Random(1), 0.0
    for number in range(20_000):
        at += 0.05
        run.take(at, "f", [number], [], packed("h.1", 1, [0.01 + 0.03 * dice.random()]))
    row = run.rows["h.1"]
    old = [span.count for span in row if span.end < at / 2]
    new = [span.count for span in row if span.end > at - 5.0]
    assert sum(old) / len(old) > 4 * sum(new) / len(new)
    assert max(new) <= 3, "of the last seconds nearly each Future is there"
    assert 250 < run.size <= 1000


def test_between_two_times_what_is_close_together_is_one() -> None:
    run = RunSpans()
    for at in range(1, 11):
        run.take(float(at), "f" if at < 9 else "g", [at], [], packed("h.1", 1, [0.5]))
    assert [span.number for span in run.between("h.1", 2.6, 5.2, 0.0)] == [3, 4, 5]
    [all_of_it] = run.between("h.1", 0.0, 100.0, 50.0)
    assert (all_of_it.begin, all_of_it.end, all_of_it.busy, all_of_it.count) == (0.5, 10.0, 5.0, 10)
    assert all_of_it.function == 0
    assert run.between("h.9", 0.0, 100.0, 1.0) == []
    assert [span.count for span in run.rows["h.1"]] == [1] * 10, "what is shown changes nothing"


def test_functions_and_rows_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FUNCTIONS_AT_MOST", 3)
    monkeypatch.setattr(module, "ROWS_AT_MOST", 2)
    run = RunSpans()
    for number in range(6):
        run.take(float(number), f"f{number}", [number], [], packed(f"h.{number}", 1, [0.1]))
    assert run.functions.names == ["f0", "f1", "f2", OTHERS]
    assert list(run.rows) == ["h.4", "h.5"], "the rows of those that have run last"
    assert run.size == 2
    assert [row[0].function for row in run.rows.values()] == [3, 3]


def test_times_become_known_better() -> None:
    run = RunSpans()
    run.take(5.0, "f", [1], [], packed("h.1", 1, [1.0]))
    run.take(6.0, "f", [2], [], packed("h.1", 1, [0.9]))
    run.take(7.0, "f", [3], [], packed("h.1", 1, [3.0]))
    run.correct("h.1", 1, 3.8, 4.8)
    run.correct("h.1", 3, 2.5, 5.5)
    run.correct("h.1", 2, 4.9, 5.9)
    run.correct("h.1", 4, 6.0, 6.1)
    run.correct("h.2", 1, 1.0, 2.0)
    assert [(span.number, span.begin, span.end) for span in run.rows["h.1"]] == [
        (1, 3.8, 4.8), (3, 2.5, 5.5), (2, 4.9, 5.9),
    ]  # fmt: skip
    assert [span.number for span in run.between("h.1", 2.0, 3.0, 0.0)] == [3], "it ends after one that is not shown"
    run.correct("h.1", 1, 0.0, 1.0)
    assert run.rows["h.1"][0].begin == 3.8, "what is known is known"


def test_short_futures_that_are_drawn_together_are_not_corrected() -> None:
    run = RunSpans()
    run.take(5.0, "f", [1, 2], [], packed("h.1", 1, [0.001, 0.001]))
    before = run.rows["h.1"][0].copy()
    run.correct("h.1", 1, 3.0, 3.001)
    assert run.rows["h.1"] == [before]


def test_calls_whose_times_are_known_are_added() -> None:
    run = RunSpans(50)
    run.add("h.1", "f", 1.0, 2.0, 7, failed=True)
    run.add("h.1", "f", 2.0, 2.001, 7, failed=False)
    run.add("h.1", "f", 2.001, 2.002, 7, failed=False)
    run.add("h.1", "f", 0.5, 1.5, 7, failed=False)
    found = [(span.begin, span.end, span.count, span.marks) for span in run.rows["h.1"]]
    assert found == [(0.5, 1.5, 1, 0), (1.0, 2.0, 1, FAILED), (2.0, 2.002, 2, 0)], "short ones become one"
    for number in range(1000):
        run.add("h.1", "f", 3.0 + number, 3.5 + number, 7, failed=False)
    assert run.size <= 50
    assert sum(span.count for span in run.rows["h.1"]) == 1004


CALLS = strategies.lists(
    strategies.tuples(strategies.integers(1, 30), strategies.floats(0.0, 20.0), strategies.floats(0.0, 5.0)),
    max_size=60,
)


@given(corrections=CALLS)
def test_rows_stay_in_their_order_whatever_is_corrected(corrections: list[tuple[int, float, float]]) -> None:
    run = RunSpans()
    for number in range(1, 31):
        run.take(float(number), "f", [number], [], packed("h.1", 1, [0.1 * (number % 7) + 0.01]))
    for number, begin, seconds in corrections:
        run.correct("h.1", number, begin, begin + seconds)
        row = run.rows["h.1"]
        assert (len(row), run.size) == (30, 30)
        assert all(one.end <= other.end for one, other in itertools.pairwise(row))
        seen = {span.number for span in run.between("h.1", 4.0, 6.0, 0.0)}
        assert seen == {span.number for span in row if span.end >= 4.0 and span.begin <= 6.0}
