"""The Future by itself, and what the modules above ask of one."""

from __future__ import annotations

import concurrent.futures
import pickle
import threading
from typing import Any

import pytest

from fedfutures import Future
from fedfutures.worker import future as asked


def test_an_alias_is_no_class_of_its_own() -> None:
    alias: Any = Future[int]
    assert alias.__origin__ is Future
    assert isinstance(Future(), concurrent.futures.Future)


def test_what_was_resolved() -> None:
    done = asked.resolved(None, 3, None, "price", 7)
    assert (done.result(), asked.value_of(done), asked.failure_of(done), asked.number_of(done)) == (3, 3, None, 7)
    assert (repr(done), asked.home_of(done), asked.call_of(done)) == ("<Future price(…) returned int>", None, None)
    error = ValueError("wrong")
    failed = asked.resolved(None, None, error)
    assert (asked.failure_of(failed), failed.exception()) == (error, error)
    asked.put_value(failed, 4)
    assert failed.result() == 4


def test_what_is_not_done() -> None:
    pending: Future[int] = Future()
    assert not asked.is_finished(pending)
    assert pending.cancel()
    assert not asked.is_finished(pending)
    asked.settle(pending, 3)  # comes too late
    assert pending.cancelled()
    assert asked.home_of(concurrent.futures.Future()) is None


def test_waiting_in_another_thread() -> None:
    future: Future[int] = Future()
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(future.result(20)))
    waiting.start()
    future.set_result(5)
    waiting.join(20)
    assert found == [5]


def test_callbacks_and_cuts_are_told() -> None:
    future: Future[int] = Future()
    told: list[Any] = []
    asked.attend_cuts(future, lambda cut, kept: told.append((cut is future, kept)))
    assert future.on_cut is not None
    future.on_cut(future, 3)
    future.add_done_callback(lambda done: told.append(done.result()))
    future.set_result(5)
    assert told == [(True, 3), 5]


def test_a_future_does_not_travel() -> None:
    with pytest.raises(TypeError, match=r"pass future\.result\(\)"):
        pickle.dumps(Future())
