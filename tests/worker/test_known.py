"""What a Future knows of its run: of each kind of end, wherever it ran."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

import fedfutures
from fedfutures import Executor, Future, Retries, futures
from fedfutures.errors import PoisonedFuture, TaskTimeout
from fedfutures.wire.facts import Facts, packed, packed_unmeasured
from fedfutures.worker.future import resolved, settle

SECONDS = 20.0
NOTHING = (None, None, None, None)


def known(future: Future[Any]) -> tuple[Any, ...]:
    """All that a Future knows."""
    return future.host, future.worker, future.attempts, future.elapsed


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def fail(seconds: float) -> None:
    nap(seconds)
    raise ValueError


def crash() -> None:
    os._exit(3)


def nest() -> list[tuple[Any, ...]]:
    """What a Future knows of those that it submits, and who it is itself."""
    inside, failed = futures.submit(nap, 0.01), futures.submit(fail, 0.01)
    inside.result()
    failed.exception()
    cancelled = futures.submit(nap, 0.01)
    cancelled.cancel()
    return [known(inside), known(failed), known(cancelled), (fedfutures.worker.name,)]


# -- pure ------------------------------------------------------------------------------------------------------------


def test_of_one_that_is_not_done_nothing_is_known() -> None:
    future: Future[int] = Future(None, 7)
    assert known(future) == NOTHING
    settle(future, 1, None, Facts(([6, 7], packed("h.2", 3, [1.0, 0.25]))))
    assert known(future) == ("h", "h.2", 3, 0.25)


def test_what_nobody_has_measured_is_not_known() -> None:
    future: Future[int] = Future(None, 7)
    settle(future, None, ValueError(), Facts(([7], packed_unmeasured("h.2", 3, 1))))
    assert known(future) == ("h", "h.2", 3, None)


def test_of_one_that_nobody_has_run_nothing_is_known() -> None:
    assert known(resolved(None, 3, None)) == NOTHING
    future: Future[int] = Future(None, 7)
    future.cancel()
    assert known(future) == NOTHING


def test_without_a_federation_the_program_itself_has_run_it() -> None:
    with Executor(mode="serial") as executor:
        done, failed = executor.submit(nap, 0.05), executor.submit(fail, 0.05)
    for future in (done, failed):
        assert known(future)[:3] == (os.uname().nodename, "", 1)
        assert 0.05 <= known(future)[3] < SECONDS


# -- with Workers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(2) as made:
        yield made


@pytest.mark.host
def test_a_value_and_an_error_say_who_ran_them_and_for_how_long(executor: Executor) -> None:
    for function in (nap, fail):
        future = executor.submit(function, 0.1)
        assert known(future) == NOTHING
        future.exception(SECONDS)
        host, worker, attempts, elapsed = known(future)
        assert worker.startswith(f"{host}.")
        assert attempts == 1
        assert 0.1 <= elapsed < SECONDS


@pytest.mark.host
def test_many_each_know_their_own_time(executor: Executor) -> None:
    times = [0.0, 0.05, 0.0, 0.1, 0.02, 0.0]
    many = [executor.submit(nap, seconds) for seconds in times]
    assert [future.result(SECONDS) for future in many] == times
    assert all(seconds <= future.elapsed < seconds + 2.0 for future, seconds in zip(many, times))


@pytest.mark.host
def test_what_ran_inside_the_one_that_waits_ran_there() -> None:
    with Executor(1) as executor:  # nobody else has room for it
        future = executor.submit(nest)
        inside, failed, cancelled, (me,) = future.result(SECONDS)
    assert future.worker == me
    assert inside == failed == (future.host, me, 1, None)
    assert cancelled == NOTHING
    assert future.elapsed >= 0.02, "waiting counts"


@pytest.mark.host
def test_one_that_ends_its_worker_says_where_that_was_last(executor: Executor) -> None:
    future = executor.submit(crash)
    error = future.exception(SECONDS)
    assert isinstance(error, PoisonedFuture)
    assert known(future) == (error.host, error.worker, 3, None)


@pytest.mark.host
def test_one_that_was_too_late_has_run_for_its_limit(executor: Executor) -> None:
    future = executor.options(time_limit=0.25).submit(nap, SECONDS)
    error = future.exception(SECONDS)
    assert isinstance(error, TaskTimeout)
    assert known(future) == (error.host, error.worker, 1, 0.25)


@pytest.mark.host
def test_after_a_cancel_nothing_is_known(executor: Executor) -> None:
    running = [executor.submit(nap, 0.3) for _ in range(2)]
    future = executor.submit(nap, 0.0)
    assert future.cancel()
    assert known(future) == NOTHING
    assert [one.result(SECONDS) for one in running] == [0.3, 0.3]


@pytest.mark.host
def test_retries_count_as_attempts(executor: Executor) -> None:
    retried = {"retries": Retries(2, delay=0.01)}
    for made in (executor, Executor(mode="serial")):
        future = made.options(**retried).submit(fail, 0.01)
        assert isinstance(future.exception(SECONDS), ValueError)
        assert future.attempts == 3


@pytest.mark.host
def test_one_that_has_lost_a_worker_was_started_twice(executor: Executor, tmp_path: Any) -> None:
    mark = tmp_path / "mark"
    future = executor.submit(_crash_once, str(mark))
    assert future.result(SECONDS) == "survived"
    assert future.attempts == 2


def _crash_once(mark: str) -> str:
    if not os.path.exists(mark):
        open(mark, "w").close()
        os._exit(3)
    return "survived"
