"""Futures that wait for a time of their own."""

from __future__ import annotations

import math
import weakref

from hypothesis import given, strategies as st

from fedfutures.worker.future import Future
from fedfutures.worker.timed_queue import LEFT_BEHIND_AT_MOST, TimedQueue

STEPS = st.lists(st.tuples(st.sampled_from(["put", "drop", "take"]), st.integers(0, 5), st.integers(0, 9)), max_size=60)


@given(STEPS)
def test_it_is_a_table_of_times(steps: list[tuple[str, int, int]]) -> None:
    """Beside a naive twin: a dict that is searched."""
    futures: list[Future] = [Future() for _ in range(6)]
    queue, twin = TimedQueue(), dict[Future, tuple[int, int]]()
    for count, (what, which, time) in enumerate(steps):
        future = futures[which]
        if what == "put" and future not in twin:
            queue.put(future, time)
            twin[future] = time, count
        elif what == "drop":
            queue.drop(future)
            twin.pop(future, None)
        elif what == "take":
            due = sorted((entry, future) for future, entry in twin.items() if entry[0] <= time)
            assert queue.take(time) == [future for _, future in due]
            for _, future in due:
                del twin[future]
        assert queue.due() == min((time for time, _ in twin.values()), default=math.inf)
        assert (len(queue), set(queue)) == (len(twin), set(twin))
        assert all(queue.time_of(one) == twin.get(one, (None,))[0] for one in futures)


def test_many_that_are_dropped_leave_nothing_behind() -> None:
    queue, held = TimedQueue(), Future[int]()
    queue.put(held, 7.0)
    dropped = []
    for time in range(1000):
        future = Future[int]()
        queue.put(future, 10.0 + time)
        queue.drop(future)
        dropped.append(weakref.ref(future))
        del future
    assert sum(one() is not None for one in dropped) <= LEFT_BEHIND_AT_MOST + 2
    queue.clear()
    assert (queue.due(), list(queue)) == (math.inf, [])
