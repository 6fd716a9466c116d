"""Futures that a node takes back: with one question to the Broker, for good or to be run here."""

from __future__ import annotations

import pickle
import threading

import pytest

from fedfutures.wire.messages import CANCELLED, Cancel, Demand, Results, Running
from fedfutures.worker import cancelling
from fedfutures.worker.future import claim

from .benches import Bench, here, note

VALUE = pickle.dumps(7, 5)


def test_many_are_cancelled_with_one_question(origin: Bench) -> None:
    origin.say(Demand(3, 1, 3))
    futures = [origin.node.submit(note, ("",), {}) for _ in range(5)]
    origin.say(Running(1, [1]))
    origin.heard()
    threading.Timer(0.05, lambda: origin.say(Results(2, 1, [2], [b""], [(2, CANCELLED)]), Running(3, [3]))).start()
    assert origin.node.submissions.cancel_all(futures) == 3
    assert [(cancel.piece, cancel.ids) for cancel in origin.heard(Cancel)] == [(2, [2]), (3, [3])]
    assert [future.cancelled() for future in futures] == [False, True, False, True, True]
    assert origin.node.submissions.cancel_all(futures) == 0


def test_what_runs_elsewhere_is_asked_for_too(origin: Bench) -> None:
    origin.say(Demand(3, 1, 3))
    futures = [origin.node.submit(note, ("",), {}) for _ in range(4)]
    origin.say(Running(1, [1]))
    origin.heard()
    threading.Timer(
        0.05, lambda: origin.say(Results(1, 1, [1], [b""], [(1, CANCELLED)]), Results(2, 1, [2], [VALUE]))
    ).start()
    threading.Timer(0.1, lambda: origin.say(Results(3, 1, [3], [b""], [(3, CANCELLED)]))).start()
    assert futures[0].running()
    assert origin.node.submissions.cancel_all(futures, running=True) == 3
    assert [(cancel.piece, cancel.running) for cancel in origin.heard(Cancel)] == [(1, True), (2, True), (3, True)]
    assert [future.cancelled() for future in futures] == [True, False, True, True]
    assert futures[1].result() == 7, "it was quicker"
    assert not futures[1].cancel(running=True)


def test_a_new_broker_is_asked_again(origin: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "END_AGAIN_SECONDS", 0.05)
    origin.say(Demand(1, 1, 1))
    future = origin.node.submit(note, ("",), {})
    threading.Timer(0.12, lambda: origin.say(Results(1, 1, [1], [b""], [(1, CANCELLED)]))).start()
    assert future.cancel(running=True)
    assert len(origin.heard(Cancel)) >= 2


def test_it_waits_for_a_bounded_time(origin: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "END_WAITS_SECONDS", 0.05)
    origin.say(Demand(1, 1, 1))
    future = origin.node.submit(note, ("",), {})
    assert not future.cancel(running=True)
    origin.say(Results(1, 1, [1], [b""], [(1, CANCELLED)]))
    assert future.cancelled(), "it ends later"


def cancel_what_runs() -> list[bool]:
    node = here[0]
    future = node.submit(note, ("",), {})
    claim(future, ())
    return [future.cancel(running=True), node.submit(note, ("",), {}).cancel(running=True)]


def test_nobody_ends_the_worker_that_asks(worker: Bench) -> None:
    worker.give(cancel_what_runs, [worker.node.payloads.dump(((), {}))], 1)
    worker.node.calls.run_fetched(worker.node.machine.workload.queue[0])
    worker.heard()
    worker.node.service()
    [[outcome]] = [said.outcomes for said in worker.heard(Results)]
    assert worker.node.payloads.load(outcome) == [False, True]
