"""``wait`` and ``as_completed`` over Futures of ours, of others, and of both."""

from __future__ import annotations

import concurrent.futures
import threading

import pytest

from fedfutures import futures


def failing() -> None:
    raise ValueError("here")


def test_all_or_the_first() -> None:
    done_one = futures.submit(abs, -1)
    other: concurrent.futures.Future[int] = concurrent.futures.Future()
    done, not_done = futures.wait([done_one, other], timeout=0.01)
    assert (done, not_done) == ({done_one}, {other})
    assert futures.wait([done_one, other], return_when=futures.FIRST_COMPLETED).done == {done_one}
    failed = futures.submit(failing)
    assert failed in futures.wait([done_one, other, failed], return_when=futures.FIRST_EXCEPTION).done
    with pytest.raises(ValueError, match="Invalid return condition"):
        futures.wait([done_one, other], return_when="SOMETIMES")


def test_of_another_executor_that_is_done_later() -> None:
    other: concurrent.futures.Future[int] = concurrent.futures.Future()
    timer = threading.Timer(0.05, other.set_result, [3])
    timer.start()
    mine = futures.submit(abs, -2)
    assert [future.result() for future in futures.as_completed([other, mine], timeout=20)] == [2, 3]
    timer.join()


def test_time_is_over() -> None:
    other: concurrent.futures.Future[int] = concurrent.futures.Future()
    with pytest.raises(futures.TimeoutError, match="1 \\(of 1\\) futures unfinished"):
        list(futures.as_completed([other], timeout=0.01))
