"""Futures that would be late: they are kept back, taken back, and given after all."""

from __future__ import annotations

import time

import pytest

from fedfutures.errors import FederationLost
from fedfutures.node.deadline import IDLE_SECONDS
from fedfutures.wire.failures import dump_failure
from fedfutures.wire.messages import CANCELLED, ERROR, Batch, Cancel, Demand, Results, Running
from fedfutures.worker.call_terms import CallTerms, checked_terms
from fedfutures.worker.late_futures import LateFutures
from fedfutures.worker.local_queue import LATE
from fedfutures.worker.retries import Retries

from .benches import Bench, batches, note, note_other

LEFT = 100.0


@pytest.fixture
def late(origin: Bench) -> LateFutures:
    return LateFutures(origin.node.driver, origin.node.submissions, time.monotonic() + LEFT)


def learn(origin: Bench, function: object, seconds: float) -> None:
    origin.node.machine.durations.learn(origin.node.definer.define(function).digest, seconds, 1)


def test_a_function_that_takes_longer_than_is_left_is_not_given(origin: Bench, late: LateFutures) -> None:
    learn(origin, note, 2 * LEFT)
    learn(origin, note_other, LEFT / 2)
    futures = [origin.node.submit(function, ("",), {}) for function in (note, note_other, note, note_other)]
    futures.append(origin.node.submit(note, ("",), {}, CallTerms(3)))
    origin.say(Demand(9, 1, 3))
    assert batches(origin) == [(0, [2]), (0, [4])]
    assert [late.has(future) for future in futures] == [True, False, True, False, True]
    assert [*origin.node.own] == [futures[4], futures[0], futures[2]]
    text, _ = origin.node.submissions.explain(futures[0])
    assert "would not be done before the walltime is over" in text
    origin.say(Demand(9, 1, 3))
    assert batches(origin) == []


def test_what_has_not_started_is_taken_back_when_its_time_has_come(origin: Bench, late: LateFutures) -> None:
    origin.say(Demand(3, 1, 3))
    futures = [origin.node.submit(note, ("",), {}) for _ in range(3)]
    now = time.monotonic()
    assert not late.look(now)
    assert origin.heard(Cancel) == []
    learn(origin, note, LEFT)
    assert not late.look(now + 1.0)
    asked = origin.heard(Cancel)
    assert [(cancel.piece, cancel.ids) for cancel in asked] == [(1, [1]), (2, [2]), (3, [3])]
    origin.say(Running(1, [1]), Results(2, 1, [2], [b""], [(2, CANCELLED)], 0.0, 0), Demand(9, 1, 3))
    assert [future.done() for future in futures] == [False] * 3
    assert futures[0].running()
    assert late.has(futures[1])
    assert batches(origin) == []
    assert late.done == 0, "one that was taken back is not done"
    origin.say(Results(1, 1, [1], [origin.node.payloads.dump("")], [], LEFT, 1))
    assert (futures[0].result(0), late.done) == ("", 1)


def test_functions_may_turn_out_to_be_faster(origin: Bench, late: LateFutures) -> None:
    learn(origin, note, 2 * LEFT)
    future = origin.node.submit(note, ("",), {}, CallTerms(2))
    cancelled = origin.node.submit(note, ("",), {})
    origin.say(Demand(9, 1, 3))
    assert batches(origin) == []
    assert late.has(future)
    cancelled.cancel()
    for _ in range(9):
        learn(origin, note, 0.0)
    assert not late.look(time.monotonic())
    origin.node.service()
    assert batches(origin) == [(2, [1])]
    assert not origin.node.own


def test_it_ends_early_if_nothing_runs_and_all_that_waits_is_late(origin: Bench, late: LateFutures) -> None:
    now = time.monotonic()
    assert not late.look(now), "nothing waits"
    assert not late.look(now + 2 * IDLE_SECONDS)
    learn(origin, note, 2 * LEFT)
    origin.node.submit(note, ("",), {})
    origin.say(Demand(9, 1, 3))
    origin.node.submit(note_other, ("",), {})
    assert [batch.ids for batch in origin.heard(Batch)] == [[2]]
    for seconds in range(5):
        assert not late.look(now + seconds * IDLE_SECONDS), "another one runs"
    origin.say(Results(1, 1, [2], [origin.node.payloads.dump("")], [], 0.0, 1))
    assert not late.look(now)
    assert late.look(now + IDLE_SECONDS)


def test_one_that_waits_for_its_next_try_is_not_done_and_may_be_in_time(origin: Bench, late: LateFutures) -> None:
    future = origin.node.submit(note_other, ("",), {}, checked_terms(retries=Retries(1, delay=1000.0, longest=1000.0)))
    origin.say(Demand(9, 1, 3))
    error = dump_failure(ValueError("7"), origin.node.payloads)
    origin.say(Results(1, 1, [1], [error], [(1, ERROR)], 0.0, 1))
    assert (future.done(), late.done) == (False, 0)
    learn(origin, note, 2 * LEFT)
    origin.node.submit(note, ("",), {})
    origin.node.service()
    now = time.monotonic()
    assert not any(late.look(now + seconds * IDLE_SECONDS) for seconds in range(5))


def test_the_end_comes_whatever_runs_and_late_ones_are_lost_with_the_others(origin: Bench, late: LateFutures) -> None:
    learn(origin, note, 2 * LEFT)
    kept = origin.node.submit(note, ("",), {})
    origin.say(Demand(9, 1, 3))
    given = origin.node.submit(note_other, ("",), {})
    assert late.has(kept)
    assert late.look(late.deadline)
    origin.node.submissions.lose(FederationLost("over"))
    assert all(isinstance(future.exception(0), FederationLost) for future in (kept, given))
    assert not origin.node.own
    assert LATE not in origin.node.own.levels
