"""``wait`` and ``as_completed``, waiting the way the node of the Futures waits."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, TimeoutError
from concurrent.futures._base import DoneAndNotDoneFutures
from contextlib import AbstractContextManager, nullcontext
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ..program import safe_points
from ..program.postponing import is_by_signal
from ..worker import current
from ..worker.future_fields import failure_of, home_of
from ..worker.unasked import bystanders, seen_by_waiting
from .caller import T
from .future_counter import FutureCounter
from .mapping import Arrivals
from .progress import watching

AnyFuture = TypeVar("AnyFuture", bound="concurrent.futures.Future[Any]")
_RETURN_WHEN = (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION)


def wait(
    fs: Iterable[concurrent.futures.Future[T]], timeout: float | None = None, return_when: str = ALL_COMPLETED, *,
    progress: bool = False,
) -> DoneAndNotDoneFutures[T]:  # fmt: skip
    """Wait for Futures; return the named pair of sets ``(done, not_done)``, as ``concurrent.futures.wait``.

    progress: show on standard error how many are done, as :func:`map` does.

    >>> from fedfutures.futures import submit
    >>> done, not_done = wait([submit(pow, 2, 5)])
    >>> len(done), len(not_done)
    (1, 0)
    """
    fs = fs if isinstance(fs, Collection) else list(fs)
    with shown_of(fs, progress) if progress or return_when == ALL_COMPLETED else nullcontext():
        found = wait_unseeing(fs, timeout, return_when)
    seen_by_waiting(found.done)
    safe_points.check()
    return found


def wait_unseeing(
    fs: Iterable[Any], timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> DoneAndNotDoneFutures[Any]:
    """The same, where nobody learns of errors: at the end of a group's block."""
    futures = set(fs)
    node = _home_of(futures)
    if (node is None and not current.is_origin) or return_when not in _RETURN_WHEN:
        return concurrent.futures.wait(futures, timeout, return_when)
    deadline = None if timeout is None else time.monotonic() + timeout
    done = {future for future in futures if future.done()}
    arrivals = _arrivals_at(node)
    pending = futures - done
    for future in pending:
        arrivals.watch(future)
    try:
        while pending and not _is_enough(done, return_when):
            future = arrivals.next(deadline)
            done.add(future)
            pending.discard(future)
    except concurrent.futures.TimeoutError as error:
        if is_by_signal(error):
            raise
    finally:
        arrivals.leave()
    done |= {future for future in pending if future.done()}
    return DoneAndNotDoneFutures(done, futures - done)


def _is_enough(done: set[Any], return_when: str) -> bool:
    if return_when == FIRST_COMPLETED:
        return bool(done)
    if return_when == FIRST_EXCEPTION:
        return any(not future.cancelled() and failure_of(future) is not None for future in done)
    return False


def shown_of(fs: Iterable[Any], progress: bool) -> AbstractContextManager[object]:
    """Return what shows the progress of these Futures in a ``with`` block, where that is wanted."""
    counters: list[FutureCounter] = []

    def counter() -> FutureCounter:
        counters.append(FutureCounter(set(fs)))
        return counters[0]

    return watching(progress, counter, lambda: counters[0].total, lambda: counters[0].workers())


def as_completed(
    fs: Iterable[AnyFuture], timeout: float | None = None, *, progress: bool = False
) -> Iterator[AnyFuture]:  # fmt: skip
    """Yield Futures as they are done, as ``concurrent.futures.as_completed``.

    progress: show on standard error how many are done, as :func:`map` does.

    >>> from fedfutures.futures import submit
    >>> [future.result() for future in as_completed([submit(pow, 2, 5)])]
    [32]
    """
    futures = set(fs)
    del fs  # each Future is the caller's alone, once it was yielded
    with shown_of(futures, progress):
        yield from _as_completed(futures, timeout)


def _as_completed(futures: set[Any], timeout: float | None) -> Iterator[Any]:
    node = _home_of(futures)
    if node is None and not current.is_origin:
        standard: Iterator[Any] = concurrent.futures.as_completed(futures, timeout)
        yield from standard
        return
    deadline = None if timeout is None else time.monotonic() + timeout
    arrivals = _arrivals_at(node)
    total = len(futures)
    while futures:
        arrivals.watch(futures.pop())
    try:
        for count in range(total):
            try:
                found = [arrivals.next(deadline)]  # it is the caller's alone, once it was yielded
            except concurrent.futures.TimeoutError as error:
                if is_by_signal(error):
                    raise
                raise TimeoutError(f"{total - count} (of {total}) futures unfinished") from None
            if failure_of(found[0]) is not None:
                seen_by_waiting(found)
            yield found.pop()
    finally:
        arrivals.leave()


class _Mixed:
    """Futures of several nodes, or of other executors, in the order in which they resolve; for an Origin."""

    def __init__(self) -> None:
        self._done: SimpleQueue[Any] | None = SimpleQueue()

    def watch(self, future: Any) -> None:
        """Have `future` arrive here when it is done."""
        future.add_done_callback(self._arrive)

    def _arrive(self, future: Any) -> None:
        if (done := self._done) is not None:
            done.put(future)

    def next(self, deadline: float | None) -> Any:
        """Return the next Future that is done; raise ``TimeoutError`` at the deadline."""
        assert self._done is not None
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return safe_points.apply(self._done.get, timeout=left)
        except Empty:
            raise TimeoutError from None

    def leave(self) -> None:
        """Nobody waits any more: Futures that are not done let go of those that are."""
        self._done = None


bystanders.add(_Mixed._arrive)


def _arrivals_at(node: Any) -> Arrivals | _Mixed:
    return _Mixed() if node is None else Arrivals(node)


def _home_of(futures: set[Any]) -> Any:
    """The node that the Futures belong to; None where there is none or they differ."""
    homes = {home_of(future) for future in futures}
    return homes.pop() if len(homes) == 1 else None
