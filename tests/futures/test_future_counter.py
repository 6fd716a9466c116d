"""Futures are counted as they are done: failures, cancelled ones, those of other executors, and what is left."""

from __future__ import annotations

import concurrent.futures
import time

from fedfutures import Executor
from fedfutures.futures.counted import Counted
from fedfutures.futures.future_counter import FutureCounter


def nap(seconds: float) -> float:
    time.sleep(seconds)
    if seconds > 0.15:
        raise ValueError(seconds)
    return seconds


def test_what_is_done_has_failed_and_is_left() -> None:
    with Executor(1) as executor:
        futures = [executor.submit(nap, seconds) for seconds in (0.02, 0.2, 0.02, 0.02)]
        counter = FutureCounter(futures)
        assert (counter.total, counter.workers()) == (4, 1)
        assert counter().done < 4
        concurrent.futures.wait(futures)
        last = counter()
        assert last[:3] == (4, 1, 0)
        again = [executor.submit(nap, 0.02) for _ in range(3)]
        counter = FutureCounter(again)
        mean = counter().mean
        assert mean is None or 0.0 < mean < 5.0
        concurrent.futures.wait(again)
        assert isinstance(futures[1].exception(), ValueError)


def test_those_of_others_are_counted_too() -> None:
    mine: list[concurrent.futures.Future[int]] = [concurrent.futures.Future() for _ in range(3)]
    counter = FutureCounter(mine)
    assert counter() == Counted(0)
    mine[0].set_result(1)
    mine[1].set_exception(ValueError())
    mine[2].cancel()
    assert counter() == Counted(3, 1)
    assert (counter.total, counter.workers()) == (3, 0)
