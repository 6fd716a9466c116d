"""``map`` and its kin: input read lazily, cut into slices of measured size, results in order.

An item alone is one Future while nothing is known. Once the duration of an item is known, short items travel in
slices of about :data:`SLICE_SECONDS`, long ones stay alone, so that no long item hides others behind it. At most
:data:`ITEMS_IN_FLIGHT` items (or `buffersize`) and about :data:`BYTES_IN_FLIGHT` are on their way or wait to be
consumed; the rest of the input has not been read.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from ..errors import PoisonedFuture
from ..wire.failures import load_failure
from ..wire.functions import Wrapper
from ..worker.future import Future
from ..worker.slices import Slice
from .priority import checked

SLICE_SECONDS = 0.002
SLICE_ITEMS_AT_MOST = 8192
GROWTH = 16
ITEMS_IN_FLIGHT = 1 << 16
BYTES_IN_FLIGHT = 64 << 20
SMOOTHING = 0.5
_PLAIN = frozenset({int, float, bool, complex, str, bytes, type(None)})


class Feeder:
    """Reads iterables, cuts slices, submits them as far as the bounds allow."""

    def __init__(
        self, node: Any, wrapper: Wrapper, iterables: tuple[Iterable[Any], ...],
        chunksize: int | None = None, buffersize: int | None = None, priority: int | None = None,
        join: Callable[[Future], object] | None = None,
    ) -> None:  # fmt: skip
        self._items = [iter(iterable) for iterable in iterables]
        self._rows = None if len(iterables) == 1 else zip(*self._items)
        self._left = _length(iterables)
        self._submitter = node.submitter(wrapper, None if priority is None else checked(priority))
        self._join = join  # told of each Future, for a group
        self._fixed = chunksize
        self._bound = buffersize or ITEMS_IN_FLIGHT
        self._most = max(1, min(SLICE_ITEMS_AT_MOST, self._bound // 8))
        self._slices_at_least = 2 * max(1, node.size) + 2
        self._workers = max(1, node.size)
        self._mean: float | None = None
        self._largest = 1
        self._in_flight = self._bytes = self._slices = 0
        self._counts: dict[Future, tuple[int, int]] = {}
        self.exhausted = False

    def fill(self) -> list[tuple[Future, list[list[Any]]]]:
        """Submit what the bounds allow; return the new Futures with their columns."""
        fresh = []
        while not self.exhausted and self._may_submit(size := self._size()):
            columns = self._cut(size)
            if columns is None:
                self.exhausted = True
                break
            future, size = self._submit(tuple(columns))
            count = len(columns[0])
            self._counts[future] = (count, size)
            self._in_flight += count
            self._bytes += size
            self._slices += 1
            future.add_done_callback(self._arrived)
            fresh.append((future, columns))
        return fresh

    def _submit(self, columns: tuple[list[Any], ...]) -> tuple[Future, int]:
        submitted: tuple[Future, int] = self._submitter(columns)
        if self._join is not None:
            self._join(submitted[0])
        return submitted

    def _arrived(self, future: Future) -> None:
        """Learn from a slice as it comes, not when its turn to be consumed has come."""
        if not future.cancelled() and future.exception() is None and future in self._counts:
            seconds, count = future.result()[2], self._counts[future][0]
            mean = seconds / count
            self._mean = mean if self._mean is None else self._mean + SMOOTHING * (mean - self._mean)

    def _may_submit(self, size: int) -> bool:
        """Whether there is room for a slice: for all of it, or slices would never grow in a full window."""
        if self._in_flight + size > self._bound:
            return False
        if self._slices < self._slices_at_least:
            return True
        return self._mean is not None and self._bytes < BYTES_IN_FLIGHT

    def _size(self) -> int:
        """How many items the next slice has."""
        if self._fixed is not None:
            return min(self._fixed, self._bound)
        if self._mean is None or self._mean >= SLICE_SECONDS / 2:
            return 1
        size = min(int(SLICE_SECONDS / max(self._mean, 1e-9)), self._most, GROWTH * self._largest)
        if self._left is not None:
            size = min(size, -(-self._left // (4 * self._workers)))
        self._largest = max(1, size, self._largest)
        return max(1, size)

    def _cut(self, count: int) -> list[list[Any]] | None:
        if self._rows is None:
            column = list(itertools.islice(self._items[0], count))
            columns = [column] if column else None
        else:
            rows = list(itertools.islice(self._rows, count))
            columns = [list(column) for column in zip(*rows)] if rows else None
        if self._left is not None and columns is not None:
            self._left = max(0, self._left - len(columns[0]))
        return columns

    def consumed(self, future: Future) -> None:
        """A slice's results have been taken over: its place is free."""
        count, size = self._counts.pop(future)
        self._in_flight -= count
        self._bytes -= size
        self._slices -= 1

    def close(self) -> None:
        """The map is over: let go of what was kept for later items."""
        close = getattr(self._submitter, "close", None)
        if close is not None:
            close()

    def replace(self, future: Future, parts: list[Future]) -> None:
        """A slice goes on as several."""
        count, size = self._counts.pop(future)
        for part in parts:
            self._counts[part] = (count // len(parts), size // len(parts))
        self._slices += len(parts) - 1

    def again(self, columns: list[list[Any]]) -> list[Future]:
        """Submit the items of a slice alone."""
        return [self._submit(tuple([column[place]] for column in columns))[0] for place in range(len(columns[0]))]


def _length(iterables: tuple[Iterable[Any], ...]) -> int | None:
    lengths = [len(iterable) for iterable in iterables if hasattr(iterable, "__len__")]  # type: ignore[arg-type]
    return min(lengths, default=0) if len(lengths) == len(iterables) else None


def map_ordered(
    node: Any, function: Callable[..., Any], iterables: tuple[Iterable[Any], ...], *,
    timeout: float | None = None, chunksize: int | None = None, buffersize: int | None = None,
    return_exceptions: bool = False, priority: int | None = None, join: Callable[[Future], object] | None = None,
) -> Iterator[Any]:  # fmt: skip
    """Submit at once, as far as the bounds allow, and return a generator of the results in order."""
    check_sizes(chunksize, buffersize)
    feeder = Feeder(node, Slice(function), iterables, chunksize, buffersize, priority, join)
    deadline = None if timeout is None else time.monotonic() + timeout
    waiting = deque(feeder.fill())
    return _in_order(node, feeder, waiting, deadline, return_exceptions)


def _in_order(
    node: Any, feeder: Feeder, waiting: deque[tuple[Future, list[list[Any]]]], deadline: float | None,
    return_exceptions: bool,
) -> Iterator[Any]:  # fmt: skip
    try:
        while waiting:
            future, columns = waiting[0]
            values, failures = _result(node, future, columns, deadline, feeder, waiting)
            if waiting[0][0] is not future:
                continue  # it was split
            waiting.popleft()
            feeder.consumed(future)
            waiting.extend(feeder.fill())
            del future, columns
            if not failures:
                yield from let_go(values)
            else:
                yield from _with_failures(node, values, failures, return_exceptions)
    finally:
        node.cancel_all([future for future, _ in waiting])
        feeder.close()


def _result(
    node: Any, future: Future, columns: list[list[Any]], deadline: float | None, feeder: Feeder,
    waiting: deque[tuple[Future, list[list[Any]]]],
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """Wait for a slice. One that was poisoned goes on as single items: only the culprit among them is to fail."""
    try:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        values, failures, _ = future.result(left)
        return values, failures
    except PoisonedFuture as error:
        if len(columns[0]) == 1:
            return [None], [(0, error)]
        parts = feeder.again(columns)
        feeder.replace(future, parts)
        waiting.popleft()
        waiting.extendleft(
            (part, [[column[place]] for column in columns]) for place, part in reversed(list(enumerate(parts)))
        )
        return [], []


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
    if not values or (type(values[0]) in _PLAIN and type(values[-1]) in _PLAIN):
        return iter(values)
    values.reverse()
    return map(values.pop, itertools.repeat(-1, len(values)))


class Arrivals:
    """Futures in the order in which they resolve, waited for the way the node waits."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._done: deque[Future] = deque()
        self._signal: Future | None = None

    def watch(self, future: Any) -> None:
        """Have `future` arrive here when it is done."""
        future.add_done_callback(self._arrive)

    def _arrive(self, future: Any) -> None:
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
            if self._done:
                continue
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise FutureTimeout
            self._node.wait(signal, left)


def map_unordered(
    node: Any, function: Callable[..., Any], iterables: tuple[Iterable[Any], ...], *,
    timeout: float | None = None, chunksize: int | None = None, buffersize: int | None = None,
    return_exceptions: bool = False, priority: int | None = None,
) -> Iterator[Any]:  # fmt: skip
    """As :func:`map_ordered`, with the results in the order in which they come."""
    check_sizes(chunksize, buffersize)
    feeder = Feeder(node, Slice(function), iterables, chunksize, buffersize, priority)
    deadline = None if timeout is None else time.monotonic() + timeout
    arrivals = Arrivals(node)
    open_slices: dict[Future, list[list[Any]]] = {}

    def fill() -> None:
        for future, columns in feeder.fill():
            open_slices[future] = columns
            arrivals.watch(future)

    fill()

    def results() -> Iterator[Any]:
        try:
            while open_slices:
                future = arrivals.next(deadline)
                columns = open_slices.pop(future)
                if isinstance(future.exception(), PoisonedFuture) and len(columns[0]) > 1:
                    parts = feeder.again(columns)
                    feeder.replace(future, parts)
                    for place, part in enumerate(parts):
                        open_slices[part] = [[column[place]] for column in columns]
                        arrivals.watch(part)
                    continue
                if isinstance(future.exception(), PoisonedFuture):
                    values, failures = [None], [(0, future.exception())]
                else:
                    values, failures, _ = future.result()
                feeder.consumed(future)
                fill()
                yield from _with_failures(node, values, failures, return_exceptions)
        finally:
            node.cancel_all(list(open_slices))
            feeder.close()

    return results()


def check_sizes(chunksize: int | None, buffersize: int | None) -> None:
    """Raise for a chunksize or buffersize that makes no sense, as the standard library does."""
    if chunksize is not None and chunksize < 1:
        raise ValueError("chunksize must be >= 1.")
    if buffersize is not None and not isinstance(buffersize, int):
        raise TypeError("buffersize must be an integer or None")
    if buffersize is not None and buffersize < 1:
        raise ValueError("buffersize must be None or > 0")
