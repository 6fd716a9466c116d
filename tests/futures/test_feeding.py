"""The Feeder: how much of an input is read and submitted, and when."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from fedfutures import Future
from fedfutures.errors import PoisonedFuture
from fedfutures.futures.feeding import ITEMS_IN_FLIGHT, Feeder
from fedfutures.worker.slices import Slice


class Node:
    """Takes slices, and has them done when it is told so."""

    size = 2
    runs_at_once = False
    submissions = None
    lost = None
    digest = b""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.slices: list[tuple[Future, tuple[Any, ...]]] = []
        self.sent = 0

    def submitter(self, function: Any, priority: int | None = None) -> Node:
        return self

    def __call__(self, columns: tuple[Any, ...]) -> tuple[Future, int]:
        future: Future[Any] = Future()
        self.slices.append((future, columns))
        return future, 100

    def attend(self, is_steady: Callable[[], bool]) -> None: ...

    def close(self) -> None: ...

    def send(self) -> None:
        self.sent += 1

    def call_soon(self, due: Any) -> bool:
        return False

    def cancel_all(self, futures: Iterable[Future], *, running: bool = False) -> int:
        return sum(future.cancel() for future in futures)

    def finish(self, place: int = 0, seconds: float = 0.001, error: BaseException | None = None) -> None:
        """Have a slice done, and its callbacks run."""
        future, (items,) = self.slices.pop(place)
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(([-item for item in items], [], seconds * len(items)))


def feeder(node: Node, items: Any, **options: Any) -> Feeder:
    made = Feeder(node, Slice(abs), (items,), **options)
    made.fill()
    return made


def test_items_go_alone_until_their_duration_is_known() -> None:
    node = Node()
    feeder(node, range(10_000))
    assert [len(items) for _, (items,) in node.slices] == [1] * 6  # two for each Worker, and two more
    node.finish(seconds=1e-6)
    assert len(node.slices[-1][1][0]) > 1


def test_a_bound_on_what_is_under_way() -> None:
    node = Node()
    feeds = feeder(node, range(100), buffersize=3)
    assert len(node.slices) == 3
    node.finish()
    assert len(node.slices) == 2  # one has come, and is not read yet
    feeds.window.take(feeds.window.unread[0])
    feeds.fill()
    assert feeds.window.items == 3
    assert ITEMS_IN_FLIGHT == 65_536


def test_an_input_of_the_program_is_read_only_by_who_asks() -> None:
    node, read = Node(), list[int]()
    feeds = feeder(node, (read.append(n) or n for n in itertools.count()), chunksize=1)  # type: ignore[func-returns-value]
    before = len(read)
    feeds.window.take(node.slices[0][0])
    node.finish()
    assert len(read) == before
    feeds.fill()
    assert len(read) > before


def test_a_slice_that_took_its_workers_with_it_goes_on_as_single_items() -> None:
    node = Node()
    feeds = feeder(node, range(6), chunksize=3)
    first = feeds.window.unread[0]
    node.finish(error=PoisonedFuture("f", "h", "h.1", "signal SIGKILL", 3))
    assert first not in feeds.window.unread
    assert [items for _, (items,) in node.slices] == [[3, 4, 5], [0], [1], [2]]
    singles = [future for future, (items,) in node.slices[1:]]
    assert list(feeds.window.unread) == [*singles, node.slices[0][0]]


def test_one_that_stops_cancels_the_rest() -> None:
    node = Node()
    feeds = feeder(node, range(100), chunksize=10)
    node.finish()
    count = feeds.counter()
    assert count is not None
    done = count()
    assert done >= 10
    feeds.leave_off()
    assert all(future.cancelled() for future, _ in node.slices)
    assert (feeds.is_done(), count(), list(feeds.window.unread)) == (True, done, [])


@pytest.mark.parametrize("in_order", [True, False])
def test_what_a_slice_has_not_kept_is_cancelled_with_the_rest_of_the_map(in_order: bool) -> None:
    """It is cut after the map was cancelled, for it runs then: who reads on must not take others for its items."""
    node, seen = Node(), list[Future]()
    feeds = feeder(node, range(100), watch=None if in_order else seen.append)
    for _ in range(6):
        node.finish()
    future, (items,) = node.slices[0]
    assert len(items) > 1
    future.set_running_or_notify_cancel()
    feeds.begin_reading()
    feeds.cancel()
    before = list(feeds.window.unread)
    while in_order and feeds.window.unread[0] is not future:
        feeds.window.take(feeds.window.unread[0])
    future.set_result(([-items[0]], [], 0.1))
    behind = [each for each in feeds.window.unread if each not in before]
    assert not in_order or list(feeds.window.unread)[1 : 1 + len(behind)] == behind
    assert sum(feeds.window.take(each)[1] for each in behind if each.cancelled()) == len(items) - 1
    assert set(behind).issubset(seen) is not in_order
    assert feeds.outcome(future) == ([-items[0]], [])
    assert feeds.is_done()


def test_nobody_is_left_who_could_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Node):
        def __call__(self, columns: tuple[Any, ...]) -> tuple[Future, int]:
            raise RuntimeError("gone")

    feeds = feeder(Gone(), range(3))
    assert (feeds.is_refused, repr(feeds.failure), feeds.input.is_read) == (True, "RuntimeError('gone')", True)
    with pytest.raises(RuntimeError, match="gone"):
        feeds.more()
    assert feeds.more() is False
