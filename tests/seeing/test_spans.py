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
    assert times.place("h.1", [3.0], 12.0) == [(10.0, 13.0)], "there is no room before it"
    assert times.place("h.2", [3.0], 12.0) == [(9.0, 12.0)]
    times.forget("h.1")
    assert times.place("h.1", [3.0], 12.0) == [(9.0, 12.0)]


def test_each_long_future_is_a_span() -> None:
    run = RunSpans()
    run.take(5.0, "price", [1, 2], [], packed("h.1", 1, [1.0, 2.0]))
    run.take(5.0, "cube", [3], [], packed("h.2", 1, [0.5]))
    assert run.functions == ["price", "cube"]
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
            assert all(one.begin <= one.end <= other.begin for one, other in itertools.pairwise(row)), "in their order"


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
    assert run.functions == ["f0", "f1", "f2", OTHERS]
    assert list(run.rows) == ["h.4", "h.5"], "the rows of those that have run last"
    assert run.size == 2
    assert [row[0].function for row in run.rows.values()] == [3, 3]
