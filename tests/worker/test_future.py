"""The Future by itself, and what the modules above ask of one."""

from __future__ import annotations

import concurrent.futures
import pickle
import threading
from typing import Any

import pytest

from fedfutures import Future
from fedfutures.worker import future as asked, future_fields as fields


def test_an_alias_is_no_class_of_its_own() -> None:
    alias: Any = Future[int]
    assert alias.__origin__ is Future
    assert isinstance(Future(), concurrent.futures.Future)


def test_what_was_resolved() -> None:
    done = asked.resolved(None, 3, None, "price", 7)
    assert (done.result(), fields.value_of(done), fields.failure_of(done), fields.number_of(done)) == (3, 3, None, 7)
    assert (repr(done), fields.home_of(done), fields.call_of(done)) == ("<Future price(…) returned int>", None, None)
    error = ValueError("wrong")
    failed = asked.resolved(None, None, error)
    assert (fields.failure_of(failed), failed.exception()) == (error, error)
    asked.put_value(failed, 4)
    assert failed.result() == 4


def test_what_is_not_done() -> None:
    pending: Future[int] = Future()
    assert not fields.is_finished(pending)
    assert pending.cancel()
    assert not fields.is_finished(pending)
    asked.settle(pending, 3)  # comes too late
    assert pending.cancelled()
    assert fields.home_of(concurrent.futures.Future()) is None


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


class Home:
    """A node that others wait at; whom it was to adapt."""

    def __init__(self) -> None:
        self.lock, self.adapted, self.woken = threading.RLock(), list[Any](), list[Any]()

    def adapt(self, waiter: Any, future: Any) -> None:
        self.adapted.append(waiter)

    def wake_greenlets(self, greenlets: list[Any]) -> None:
        self.woken += greenlets


def made(number: int = 1) -> Any:
    home: Any = Home()
    return home, Future(home, number, ("call",))


def test_a_future_is_claimed_once() -> None:
    _, future = made()
    assert asked.claim(future, {1: future}) is None  # it was given to the Broker
    assert asked.claim(future, {}) == ("call",)
    assert future.running()
    assert asked.claim(future, {}) is None
    assert fields.call_of(future) is None


def test_a_future_that_has_come_back_waits_again() -> None:
    _, future = made()
    asked.put_priority(future, 3)
    asked.mark_running(future)
    assert asked.mark_pending(future) == fields.priority_of(future) == 3
    assert not future.running()
    asked.put_call(future, ("other",))
    assert asked.claim(future, ()) == ("other",)


def test_a_cancelled_future_is_not_claimed() -> None:
    _, future = made()
    future.add_done_callback(repr)
    assert asked.settle_cancelled(future)  # so there is a callback to invoke
    assert not asked.settle_cancelled(future)
    assert asked.claim(future, ()) is None


def test_greenlets_are_woken_and_the_standard_librarys_waiters_adapted() -> None:
    home, future = made()
    assert asked.add_greenlet(future, "greenlet")

    def settle() -> None:
        with home.lock:
            asked.settle(future, 5)

    threading.Timer(0.05, settle).start()
    assert concurrent.futures.wait([future], 20).done == {future}
    assert len(home.adapted) == 1
    assert home.woken == ["greenlet"]
    assert not asked.add_greenlet(future, "too late")
