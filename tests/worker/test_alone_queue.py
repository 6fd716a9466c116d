"""Own Futures with a time limit: which are not given, and whether any is not done."""

from __future__ import annotations

from fedfutures.worker.alone_queue import AloneQueue
from fedfutures.worker.future import Future, settle


def test_it_remembers_those_that_were_given_until_they_are_done() -> None:
    queue, first, second = AloneQueue(), Future(), Future()
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
