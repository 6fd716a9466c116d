"""The queue of own Futures against a sorted list; and with threads that put and take at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from effort import scaled
from hypothesis import settings, strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fedfutures.worker.future import Future
from fedfutures.worker.local_queue import LocalQueue

PRIORITIES = some.sampled_from([0, 0, 0, 1, 5, -1, -3])


class Twin(RuleBasedStateMachine):
    """The same operations on the queue and on a list of (priority, Future), the oldest of a level first."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = LocalQueue()
        self.list: list[tuple[int, Future]] = []

    @rule(priority=PRIORITIES)
    def put(self, priority: int) -> None:
        future = Future()
        self.queue.put(future, priority)
        self.list.append((priority, future))

    @rule(priority=PRIORITIES)
    def put_back(self, priority: int) -> None:
        future = Future()
        self.queue.put_back(future, priority)
        self.list.insert(0, (priority, future))

    def highest(self) -> list[tuple[int, Future]]:
        top = max(priority for priority, _ in self.list)
        return [entry for entry in self.list if entry[0] == top]

    @precondition(lambda self: self.list)
    @rule(end=some.sampled_from(["oldest", "youngest"]))
    def take(self, end: str) -> None:
        level = self.highest()
        expected = level[0] if end == "oldest" else level[-1]
        priority, found = self.queue.highest()
        assert (priority, found.popleft() if end == "oldest" else found.pop()) == expected
        self.list.remove(expected)

    @precondition(lambda self: not self.list)
    @rule()
    def nothing_to_take(self) -> None:
        priority, level = self.queue.highest()
        assert priority == 0
        assert level is self.queue.common
        assert not level
        assert not self.queue.levels

    @rule()
    def clear(self) -> None:
        self.queue.clear()
        self.list.clear()

    @invariant()
    def same(self) -> None:
        assert len(self.queue) == len(self.list)
        assert bool(self.queue) == bool(self.list)
        assert list(self.queue) == [future for _, future in sorted(self.list, key=lambda entry: -entry[0])]


TestTwin = Twin.TestCase
TestTwin.settings = settings(max_examples=scaled(60), stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("priorities", [(0,), (0, 1), (2, -1), (0, 3, -3)])
def test_threads_that_put_and_take_lose_nothing(priorities: tuple[int, ...]) -> None:
    queue, count, takers = LocalQueue(), 3000, 2
    taken: list[Any] = []
    stop = threading.Event()

    def put(priority: int) -> None:
        for _ in range(count):
            queue.put(Future(), priority)

    def take() -> None:
        while not stop.is_set() or queue:
            priority, level = queue.highest()
            try:
                future = level.popleft()
            except IndexError:
                continue
            if len(taken) % 7 == 0:
                queue.put_back(future, priority)
                taken.append(None)
            else:
                taken.append(future)

    threads = [threading.Thread(target=take) for _ in range(takers)]
    putters = [threading.Thread(target=put, args=(priority,)) for priority in priorities]
    for thread in threads + putters:
        thread.start()
    for thread in putters:
        thread.join()
    stop.set()
    for thread in threads:
        thread.join()
    found = [future for future in taken if future is not None]
    assert len(found) == len(set(found)) == count * len(priorities)
