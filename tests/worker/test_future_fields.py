"""What other modules read and write of a Future."""

from __future__ import annotations

from concurrent.futures import Future as Standard
from typing import Any

from fedfutures.worker.future import Future, attend_cuts, invoke_callbacks, put_value, settle, wait_for_any
from fedfutures.worker.future_fields import call_of, failure_of, home_of, is_finished, number_of, priority_of, value_of


def test_of_one_that_waits() -> None:
    future: Future[Any] = Future(None, 7, ("call",))
    assert (home_of(future), number_of(future), priority_of(future), call_of(future)) == (None, 7, 0, ("call",))
    assert not is_finished(future)
    others = [Future()]
    assert wait_for_any(future, others).awaits is others
    attend_cuts(future, print)
    assert future.on_cut is print


def test_of_one_that_is_done() -> None:
    told: list[Any] = []
    future: Future[Any] = Future()
    future.add_done_callback(told.append)
    assert settle(future, None, error := ValueError("no"))
    invoke_callbacks(future)
    assert told == [future]
    assert is_finished(future)
    assert failure_of(future) is error
    put_value(future, 3)
    assert (value_of(future), failure_of(future), future.result()) == (3, None, 3)


def test_of_one_of_another_executor() -> None:
    assert (home_of(Standard()), call_of(Standard())) == (None, None)
