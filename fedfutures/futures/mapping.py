"""``map`` and its kin: the iterators that read what a :class:`~.feeding.Feeder` has submitted.

The iterator is a generator. It holds a :class:`~.feeding.Reader`, by which the Feeder learns that nobody can read any
more.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, NamedTuple

from ..program import safe_points
from ..program.callables import not_callable, shown
from ..worker import seeding
from ..worker.call_terms import CallTerms, checked_terms
from ..worker.future import Future, settle, wait_for_any
from ..worker.slices import OneItem, Slice, WholeSlice
from ..worker.unasked import bystanders
from . import progress
from .feeding import Feeder
from .node import AnyNode
from .priority import checked
from .reading import items, let_go, take


class MapOptions(NamedTuple):
    """How to make and read a map, beside its function and input: those that users give, then our own."""

    timeout: float | None = None
    chunksize: int | None = None
    buffersize: int | None = None
    return_exceptions: Any = False  # or, for a Pool, a function that takes each of them
    unordered: bool = False
    progress: bool = False
    priority: int | None = None
    seed: Any = None
    checkpoint: Any = None  # a path
    time_limit: float | None = None
    retries: Any = None
    idempotent: bool | None = None
    cancellable: bool | None = None
    memory: int | str | None = None
    capture: bool | None = None
    join: Callable[[Future], object] | None = None  # told of each slice, for a group
    owner: Any = None  # lives as long as somebody can read
    opened: tuple[Callable[[Feeder], object], ...] = ()  # told of the Feeder

    def terms(self) -> CallTerms | None:
        """Return on what terms the items run; None: on none."""
        priority = None if self.priority is None else checked(self.priority)
        return checked_terms(
            priority, self.time_limit, self.retries, self.idempotent, self.cancellable, self.memory, self.capture
        )  # fmt: skip


def mapped(
    node: Any, function: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions
) -> Iterator[Any]:
    """Submit at once, as far as the bounds allow, and return a generator of the results."""
    check(function, options)
    keeper = getattr(node, "keeper", None)
    if keeper is not None:
        node = node.node
    if options.checkpoint is not None:
        from .keeping import keeper_at

        keeper = keeper_at(options.checkpoint)
    arrivals = Arrivals(node) if options.unordered else None
    feeder, deadline = _begun(node, function, iterables, options, keeper, arrivals)
    safe_points.check()
    results = _results(Reader(feeder, options.owner), arrivals, deadline, options.return_exceptions)
    if feeder.input.keep is not None:
        from .kept import results_with

        results = results_with(feeder, results)
    if options.progress or progress.everywhere:
        return progress.with_progress(results, iterables, feeder, wanted=options.progress)
    return results


def check(function: Callable[..., Any], options: MapOptions) -> None:
    """Raise for a function that is none, and for options that make no sense, as the standard library does."""
    if not callable(function):
        raise not_callable("map", function)
    chunksize, buffersize = options.chunksize, options.buffersize
    if chunksize is not None and not hasattr(chunksize, "__index__"):
        raise TypeError(f"chunksize must be an integer or None, not {shown(chunksize)}")
    if chunksize is not None and chunksize < 1:
        raise ValueError("chunksize must be >= 1.")
    if buffersize is not None and not isinstance(buffersize, int):
        raise TypeError("buffersize must be an integer or None")
    if buffersize is not None and buffersize < 1:
        raise ValueError("buffersize must be None or > 0")
    if options.timeout is not None and not hasattr(options.timeout, "__float__"):
        raise TypeError(f"timeout must be a number of seconds or None, not {shown(options.timeout)}")


def _begun(
    node: AnyNode, function: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions,
    keeper: Any, arrivals: Arrivals | None,
) -> tuple[Feeder, float | None]:  # fmt: skip
    """Return a Feeder that has submitted what it may, and when time is over; raise what cannot travel at the call."""
    stream = None if options.seed is None and not seeding.ever else seeding.stream_for_call(options.seed)
    given: Any = iterables
    if keeper is not None:
        from .kept import Kept

        given = Kept(iterables, keeper, keeper.digests_of(node, function), stream, in_order=arrivals is None)
    terms = options.terms()
    chunksize = 1 if terms is not None and terms.is_for_items else options.chunksize
    kind = Slice if chunksize is None else OneItem if terms is not None and terms.retries is not None else WholeSlice
    feeder = Feeder(
        node, kind(function), given, chunksize,
        options.buffersize, terms, options.join, None if arrivals is None else arrivals.watch, stream,
    )  # fmt: skip
    deadline = None if options.timeout is None else time.monotonic() + options.timeout
    feeder.fill()
    if feeder.is_refused and (failure := feeder.failure) is not None:
        feeder.begin_reading()
        feeder.stop()
        raise failure
    for hear in options.opened:
        hear(feeder)
    return feeder, deadline


class Reader:
    """Stands for who reads the results: the iterator holds it, and has let it go when nobody can read any more."""

    __slots__ = ("feeder", "owner")

    def __init__(self, feeder: Feeder, owner: Any) -> None:
        self.feeder = feeder
        self.owner = owner  # an Executor, which lives as long as its maps are read

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if not self.feeder.is_read and not is_finalizing():
            self.feeder.drop()


class Arrivals:
    """Futures in the order in which they resolve, waited for the way the node waits."""

    def __init__(self, node: AnyNode) -> None:
        self._node = node
        self._done: deque[Future] = deque()
        self._open: set[Future] = set()
        self._signal: Future | None = None
        self._is_left = False

    def watch(self, future: Any) -> None:
        """Have `future` arrive here when it is done."""
        self._open.add(future)
        future.add_done_callback(self._arrive)

    def leave(self) -> None:
        """Nobody waits any more: Futures that are not done let go of those that are."""
        self._is_left = True
        self._open.clear()
        self._done.clear()

    def _arrive(self, future: Any) -> None:
        if self._is_left:
            return
        self._open.discard(future)
        self._done.append(future)
        signal, self._signal = self._signal, None
        if signal is not None:
            with self._node.lock:
                settle(signal)

    def next(self, deadline: float | None = None) -> Any:
        """Return the next Future that is done; raise ``TimeoutError`` at the deadline."""
        while True:
            if self._done:
                return self._done.popleft()
            signal = self._signal = wait_for_any(Future(self._node.submissions), self._open)
            if self._done:
                continue
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise FutureTimeout
            self._node.wait(signal, left)


bystanders.add(Arrivals._arrive)


def _results(
    reader: Reader, arrivals: Arrivals | None, deadline: float | None, return_exceptions: Any,
    is_finalizing: Callable[[], bool] = sys.is_finalizing,
) -> Iterator[Any]:  # fmt: skip
    """Yield the results in the order of the items, or of the slices' arrivals."""
    feeder = reader.feeder
    feeder.begin_reading()
    try:
        while feeder.more():
            if arrivals is None:
                future = feeder.window.unread[0]
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
            else:
                future, left = arrivals.next(deadline), 0.0
                if feeder.goes_on(future):
                    continue
            read = take(feeder, future, left)
            del future
            if read is None:
                continue
            if read[1]:
                __tracebackhide__ = True
                yield from items(feeder, read, return_exceptions)
            else:
                yield from let_go(read[0])
    except KeyboardInterrupt:  # nobody can read the rest
        feeder.leave_off(running=True)
        raise
    finally:
        if not is_finalizing():  # modules may be gone by then
            feeder.leave_off()
