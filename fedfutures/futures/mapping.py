"""``map`` and its kin: the iterators that read what a :class:`~.feeding.Feeder` has submitted.

The iterator is a generator. It holds a :class:`~.feeding.Reader`, by which the Feeder learns that nobody can read any
more.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, NamedTuple

from ..errors import PoisonedFuture
from ..program import safe_points
from ..wire.failures import load_failure
from ..worker.future import Future
from ..worker.plain import look_plain
from ..worker.slices import Slice
from ..worker.unasked import bystanders
from .feeding import Feeder, Reader


class Wishes(NamedTuple):
    """How a map is to be made and read, beside its function and input."""

    timeout: float | None = None
    chunksize: int | None = None
    buffersize: int | None = None
    return_exceptions: bool = False
    priority: int | None = None
    join: Callable[[Future], object] | None = None  # told of each slice, for a group
    owner: Any = None  # lives as long as somebody can read
    opened: Callable[[Feeder], object] | None = None  # told of the Feeder


def map_ordered(
    node: Any, function: Callable[..., Any], iterables: tuple[Iterable[Any], ...], **options: Any
) -> Iterator[Any]:
    """Submit at once, as far as the bounds allow, and return a generator of the results in order.

    The options are those of :class:`Wishes`.
    """
    wishes = Wishes(**options)
    feeder, deadline = _begun(node, function, iterables, wishes, None)
    safe_points.check()
    return _in_order(Reader(feeder, wishes.owner), deadline, wishes.return_exceptions)


def _begun(
    node: Any, function: Callable[..., Any], iterables: tuple[Iterable[Any], ...], wishes: Wishes,
    watch: Callable[[Future], object] | None,
) -> tuple[Feeder, float | None]:  # fmt: skip
    """Return a Feeder that has submitted what it may, and when time is over; raise what cannot travel at the call."""
    check_sizes(wishes.chunksize, wishes.buffersize)
    feeder = Feeder(
        node, Slice(function), iterables, wishes.chunksize, wishes.buffersize, wishes.priority, wishes.join, watch
    )
    deadline = None if wishes.timeout is None else time.monotonic() + wishes.timeout
    feeder.fill()
    if feeder.refused and feeder.failure is not None:
        failure = feeder.failure
        feeder.is_read = True
        feeder.stop()
        raise failure
    if wishes.opened is not None:
        wishes.opened(feeder)
    return feeder, deadline


def _in_order(reader: Reader, deadline: float | None, return_exceptions: bool) -> Iterator[Any]:
    feeder = reader.begin()
    try:
        while feeder.more():
            future = feeder.slices[0]
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                values, failures, _ = future.result(left)
            except PoisonedFuture as error:
                if feeder.goes_on(future):
                    continue
                values, failures = [None], [(0, error)]
            feeder.take(future)
            feeder.fill()
            del future
            if not failures:
                yield from let_go(values)
            else:
                yield from _with_failures(feeder.node, values, failures, return_exceptions)
    finally:
        feeder.leave_off()


def _with_failures(node: Any, values: list[Any], failures: list[Any], return_exceptions: bool) -> Iterator[Any]:
    place = 0
    for at, outcome in failures:
        yield from let_go(values[place:at])
        error = outcome if isinstance(outcome, BaseException) else load_failure(outcome, node.payloads)
        if not return_exceptions:
            raise error
        yield error
        place = at + 1
    yield from let_go(values[place:])


def let_go(values: list[Any]) -> Iterator[Any]:
    """Return an iterator over values that holds none any more once it was delivered; `values` is used up.

    Results of a map may be large, and are the caller's alone. Where they are numbers or strings, as the first and the
    last one tell, they are quicker left in their list.

    >>> list(let_go([1, 2, 3])), list(let_go([{}, 2, None]))
    ([1, 2, 3], [{}, 2, None])
    """
    if not values or look_plain(values):
        return iter(values)
    values.reverse()
    return map(values.pop, itertools.repeat(-1, len(values)))


class Arrivals:
    """Futures in the order in which they resolve, waited for the way the node waits."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._done: deque[Future] = deque()
        self._open: set[Future] = set()
        self._signal: Future | None = None

    def watch(self, future: Any) -> None:
        """Have `future` arrive here when it is done."""
        self._open.add(future)
        future.add_done_callback(self._arrive)

    def _arrive(self, future: Any) -> None:
        self._open.discard(future)
        self._done.append(future)
        signal, self._signal = self._signal, None
        if signal is not None:
            with self._node.lock:
                signal._settle(None, None)

    def next(self, deadline: float | None = None) -> Any:
        """Return the next Future that is done; raise ``TimeoutError`` at the deadline."""
        while True:
            if self._done:
                return self._done.popleft()
            signal = self._signal = Future(self._node)
            signal.awaits = self._open
            if self._done:
                continue
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise FutureTimeout
            self._node.wait(signal, left)


bystanders.add(Arrivals._arrive)


def map_unordered(
    node: Any, function: Callable[..., Any], iterables: tuple[Iterable[Any], ...], **options: Any
) -> Iterator[Any]:
    """As :func:`map_ordered`, with the results in the order in which they come."""
    wishes = Wishes(**options)
    arrivals = Arrivals(node)
    feeder, deadline = _begun(node, function, iterables, wishes, arrivals.watch)
    safe_points.check()
    return _as_they_come(Reader(feeder, wishes.owner), arrivals, deadline, wishes.return_exceptions)


def _as_they_come(
    reader: Reader, arrivals: Arrivals, deadline: float | None, return_exceptions: bool
) -> Iterator[Any]:  # fmt: skip
    feeder = reader.begin()
    try:
        while feeder.more():
            future = arrivals.next(deadline)
            if feeder.goes_on(future):
                continue
            try:
                values, failures, _ = future.result(0)
            except PoisonedFuture as error:
                values, failures = [None], [(0, error)]
            feeder.take(future)
            feeder.fill()
            del future
            yield from _with_failures(feeder.node, values, failures, return_exceptions)
    finally:
        feeder.leave_off()


def check_sizes(chunksize: int | None, buffersize: int | None) -> None:
    """Raise for a chunksize or buffersize that makes no sense, as the standard library does."""
    if chunksize is not None and chunksize < 1:
        raise ValueError("chunksize must be >= 1.")
    if buffersize is not None and not isinstance(buffersize, int):
        raise TypeError("buffersize must be an integer or None")
    if buffersize is not None and buffersize < 1:
        raise ValueError("buffersize must be None or > 0")
