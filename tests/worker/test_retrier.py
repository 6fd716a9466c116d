"""Futures that have raised and are tried again, at nodes whose Broker is the test."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from launching import eventually

from fedfutures.errors import FederationLost
from fedfutures.wire.failures import dump_failure
from fedfutures.wire.messages import ERROR, Batch, Demand, Results, Running
from fedfutures.worker.call_terms import CallTerms
from fedfutures.worker.future import Future, claim
from fedfutures.worker.future_fields import number_of
from fedfutures.worker.retries import Retries

from .benches import Bench, here, note

SOON = CallTerms(retries=Retries(2, delay=0.02, factor=1.0))
LATE = CallTerms(retries=Retries(2, delay=60.0))


def failed(bench: Bench, piece: int, number: int, error: Exception | None = None) -> Results:
    outcome = dump_failure(error or OSError("no"), bench.node.payloads)
    return Results(piece, 1, [number], [outcome], [(number, ERROR)])


def given(bench: Bench, terms: CallTerms) -> Future[Any]:
    bench.say(Demand(9, 1, 3))
    future: Future[Any] = bench.node.submit(note, ("x",), {}, terms)
    bench.node.service()
    assert [batch.ids for batch in bench.heard(Batch)] == [[number_of(future)]]
    return future


def waited(bench: Bench, future: Future[Any]) -> list[Batch]:
    """What is given once the Future has waited for its next try."""
    found: list[Batch] = []
    until = time.monotonic() + 20
    while not found and time.monotonic() < until:
        bench.node.wait(future, 0.05)
        found = bench.heard(Batch)
    return found


def test_it_is_given_again_under_another_number(origin: Bench) -> None:
    future = given(origin, SOON)
    first = number_of(future)
    origin.say(Running(1, [first]), failed(origin, 1, first))
    assert not future.done()
    assert not future.running()
    assert origin.heard(Batch) == [], "it waits"
    [batch] = waited(origin, future)
    assert batch.ids == [number_of(future)] != [first]
    origin.say(Results(2, 1, batch.ids, [origin.node.payloads.dump("value")]))
    assert future.result(0) == "value"
    assert origin.node.driver.alarm_at == math.inf


def test_a_late_outcome_of_an_earlier_try_does_not_count(origin: Bench) -> None:
    future = given(origin, SOON)
    first = number_of(future)
    origin.say(failed(origin, 1, first))
    origin.say(Results(1, 2, [first], [origin.node.payloads.dump("late")]))
    assert not future.done()


def test_the_last_error_says_how_often(origin: Bench) -> None:
    called: list[Any] = []
    future = given(origin, SOON)
    future.add_done_callback(called.append)
    for piece in (1, 2, 3):
        assert called == []
        origin.say(failed(origin, piece, number_of(future), OSError(f"number {piece}")))
        if piece < 3:
            assert waited(origin, future)
    error = future.exception(0)
    assert str(error) == "number 3"
    assert getattr(error, "__notes__", [])[-1].startswith("tried 3 times in 0.")
    assert called == [future]


def test_it_can_be_cancelled_while_it_waits(origin: Bench) -> None:
    future = given(origin, LATE)
    origin.say(failed(origin, 1, number_of(future)))
    text, _ = origin.node.submissions.explain(future)
    assert text.startswith("it waits for its 2nd try, in 60 s")
    assert origin.node.open_futures() == [future]
    assert origin.node.submissions.statistics()["retrying"] == 1
    assert future.cancel()
    assert origin.node.open_futures() == []
    assert origin.node.driver.alarm_at == math.inf


def test_what_raises_while_it_is_being_cancelled_is_cancelled(origin: Bench) -> None:
    future = given(origin, LATE)
    origin.arrive(failed(origin, 1, number_of(future)))
    assert future.cancel()
    assert future.cancelled()


def test_a_lost_federation_settles_those_that_wait(origin: Bench) -> None:
    future = given(origin, LATE)
    origin.say(failed(origin, 1, number_of(future)))
    origin.node.submissions.lose(FederationLost("gone"))
    assert isinstance(future.exception(0), FederationLost)


def test_after_the_end_nothing_is_tried_again(origin: Bench) -> None:
    future = given(origin, LATE)
    waits = given(origin, LATE)
    origin.say(failed(origin, 2, number_of(waits)))
    origin.node.submissions.cancel_open()
    assert waits.cancelled()
    origin.say(failed(origin, 1, number_of(future)))
    assert isinstance(future.exception(0), OSError)


def test_its_large_arguments_are_kept_until_it_is_done(origin: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[bytes] = []
    monkeypatch.setattr(origin.node.payloads, "release", released.append)
    future = given(origin, SOON)
    origin.say(failed(origin, 1, number_of(future)))
    assert released == []
    assert waited(origin, future)
    origin.say(failed(origin, 2, number_of(future), ValueError()))
    assert waited(origin, future)
    origin.say(failed(origin, 3, number_of(future)))
    assert len(released) == 1


def grow(names: list[str]) -> list[str]:
    names.append("more")
    here.append(names)
    if len(here) < 3:
        raise OSError(len(here))
    return names


def run_here(worker: Bench, future: Future[Any]) -> bool:
    """Have the Worker run an own Future as its loop does; return whether it could."""
    call = claim(future, worker.node.futures)
    if call is not None:
        worker.node.calls.run_own(future, call)
    return call is not None


def test_a_worker_tries_with_the_arguments_as_they_were(worker: Bench) -> None:
    here.clear()
    names = ["one"]
    future = worker.node.submit(grow, (names,), {}, SOON)
    until = time.monotonic() + 20
    while not future.done() and time.monotonic() < until:
        if not run_here(worker, future):
            time.sleep(0.002)
            worker.node.service()
    assert future.result() == ["one", "more"]
    assert names == ["one"]
    assert here == [["one", "more"]] * 3


def test_nobody_runs_it_before_its_time(worker: Bench) -> None:
    here.clear()
    future = worker.node.submit(grow, ([],), {}, CallTerms(retries=Retries(1, delay=60.0)))
    assert run_here(worker, future)
    assert not run_here(worker, future)
    worker.node.own.clear()
    worker.node.service()
    assert (len(here), len(worker.node.submissions.retrier)) == (1, 1)
    assert worker.node.machine.statistics()["own"] == 1, "the program does not end before it"
    assert future.cancel()
    assert worker.node.machine.statistics()["own"] == 0


def test_one_that_was_tried_here_first_is_given_once(worker: Bench) -> None:
    """It is in the queue twice: what has started is passed over in its turn, and may be in there again by then."""
    here.clear()
    future = worker.node.submit(grow, ([],), {}, SOON)
    assert run_here(worker, future)
    assert eventually(lambda: worker.node.service() or not len(worker.node.submissions.retrier), 20.0)
    assert len(worker.node.own) == 2
    worker.publish(1, unmet=9)
    assert [batch.ids for batch in worker.heard(Batch)] == [[number_of(future)]]
    worker.node.machine.own.check()
