"""Outcomes that are loaded outside of the lock."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.wire.failures import dump_failure
from fedfutures.wire.messages import CANCELLED, ERROR, Batch, Results
from fedfutures.worker.deferred import defer_outcomes
from fedfutures.worker.future_fields import number_of

from .benches import Bench, batches, note


@pytest.fixture
def deferring(worker: Bench) -> Bench:
    defer_outcomes(worker.node.driver, worker.node.submissions)
    return worker


def give_one(bench: Bench) -> Any:
    future = bench.node.submit(note, ("",), {})
    bench.publish(1, unmet=1)
    (batch,) = bench.heard(Batch)
    assert batch.ids == [number_of(future)]
    return future


def test_they_are_loaded_when_callbacks_are_due(deferring: Bench) -> None:
    future = give_one(deferring)
    called: list[Any] = []
    future.add_done_callback(called.append)
    deferring.arrive(Results(1, 1, [1], [deferring.node.payloads.dump("value")]))
    deferring.node.driver.drain()
    assert not future.done()
    deferring.node.service()
    assert future.result() == "value"
    assert called == [future]


@pytest.mark.parametrize("how", ["failed", "broken"])
def test_errors_and_what_cannot_be_loaded(deferring: Bench, how: str) -> None:
    future = give_one(deferring)
    if how == "failed":
        deferring.say(Results(1, 1, [1], [dump_failure(KeyError("x"), deferring.node.payloads)], [(1, ERROR)]))
    else:
        deferring.say(Results(1, 1, [1], [b"no pickle"]))
    with pytest.raises(KeyError if how == "failed" else Exception) as caught:
        future.result(0)
    assert type(caught.value) is not TimeoutError


def test_what_was_recalled_comes_back_to_run_here(deferring: Bench) -> None:
    """It was cancelled at the Broker, but nobody has cancelled it."""
    future = give_one(deferring)
    deferring.node.submissions.cancelling.recall()
    deferring.say(Results(1, 1, [1], [b""], [(1, CANCELLED)]))
    assert not future.cancelled()
    assert deferring.run() == [""]
    assert future.result() == ""
    assert batches(deferring) == []
