"""Own Futures with a time limit: which are not given, and whether any is not done."""

from __future__ import annotations

from fedfutures.worker.future import Future, settle
from fedfutures.worker.limited_queue import LimitedQueue, milliseconds


def test_it_remembers_those_that_were_given_until_they_are_done() -> None:
    queue, first, second = LimitedQueue(), Future(), Future()
    assert not queue.is_open()
    queue.put(first, 0)
    queue.put(second, 3)
    assert list(queue) == [second, first]
    assert queue.highest()[1].popleft() is second
    assert queue.is_open()
    settle(first)
    assert queue.is_open()
    settle(second)
    assert not queue.is_open()


def test_no_limit_is_rounded_to_none() -> None:
    assert [milliseconds(seconds) for seconds in (None, 1e-9, 0.0011, 2.0)] == [0, 1, 2, 2000]
