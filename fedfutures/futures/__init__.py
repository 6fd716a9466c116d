"""Submit and collect: the functions a program uses.

They use the Federation that ``python -m fedfutures`` launched, or the one whose Future calls them. In a plain program
they run serially in the process, and say so once.
"""

from __future__ import annotations

import concurrent.futures
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, CancelledError
from concurrent.futures import TimeoutError as TimeoutError
from typing import Any

from ..errors import NotSupportedHere
from ..worker import current
from ..worker.future import Future
from ..worker.slices import Star
from . import mapping, reduction
from .progress import with_progress
from .serial import Serial

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "CancelledError",
    "Future",
    "TimeoutError",
    "as_completed",
    "map",
    "mapReduce",
    "mapScan",
    "map_as_completed",
    "map_reduce",
    "map_scan",
    "shutdown",
    "starmap",
    "submit",
    "wait",
]

logger = logging.getLogger("fedfutures")
_serial: Serial | None = None
_closed = False
_builtin_map = map


def _node() -> Any:
    """Return the node of this process; a serial stand-in, said once, where there is none."""
    global _serial
    if current.importing_program:
        raise NotSupportedHere("the program submits while Workers import it; put it under if __name__ == '__main__'")
    if _closed:
        raise RuntimeError("cannot schedule new futures after shutdown")
    if current.node is not None:
        return current.node
    if _serial is None:
        _serial = Serial()
        logger.warning("not launched by 'python -m fedfutures': futures run serially in this process")
    return _serial


def submit(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
    """Submit ``fn(*args, **kwargs)`` and return its Future (PEP 3148).

    Raises ``PicklingError`` when something in the call cannot travel.

    >>> submit(pow, 2, 5).result()
    32
    """
    node = current.node
    if node is None or _closed or current.importing_program:
        node = _node()
    return node.submit(fn, args, kwargs)  # type: ignore[union-attr, no-any-return]


def map(
    fn: Callable[..., Any],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int | None = None,
    buffersize: int | None = None,
    return_exceptions: bool = False,
    progress: bool = False,
) -> Iterator[Any]:
    """Return an iterator of ``fn(*items)`` over one or several iterables, in order.

    The input is read lazily: an endless generator works. An item that raises does so at its place, after the results
    before it were delivered. An object that comes again in the same call (a large array, say) is taken to be unchanged.

    timeout: seconds from the call until ``next()`` raises ``TimeoutError``.
    chunksize: items per slice; measured and adapted when None.
    buffersize: how many items may be on their way or wait to be consumed; some ten thousand when None.
    return_exceptions: give exceptions as values.
    progress: show a bar on standard error.

    >>> list(map(pow, [2, 3], [5, 2]))
    [32, 9]
    """
    results = mapping.map_ordered(
        _node(), fn, iterables, timeout=timeout, chunksize=chunksize, buffersize=buffersize,
        return_exceptions=return_exceptions,
    )  # fmt: skip
    return with_progress(results, iterables) if progress else results


def starmap(fn: Callable[..., Any], args_list: Iterable[Any], **options: Any) -> Iterator[Any]:
    """As :func:`map`, each item holding all arguments of one call: a tuple, a dict, or a pair of both.

    >>> list(starmap(int, [("7",), (("11",), {"base": 2})]))
    [7, 3]
    """
    return map(Star(fn), args_list, **options)


def map_as_completed(
    fn: Callable[..., Any],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int | None = None,
    buffersize: int | None = None,
    return_exceptions: bool = False,
    progress: bool = False,
) -> Iterator[Any]:
    """As :func:`map`, with the results in the order in which they come.

    >>> sorted(map_as_completed(abs, [-3, 2]))
    [2, 3]
    """
    results = mapping.map_unordered(
        _node(), fn, iterables, timeout=timeout, chunksize=chunksize, buffersize=buffersize,
        return_exceptions=return_exceptions,
    )  # fmt: skip
    return with_progress(results, iterables) if progress else results


def map_reduce(
    fn: Callable[..., Any],
    operation: Callable[[Any, Any], Any],
    *iterables: Iterable[Any],
    initial: Any = reduction.MISSING,
) -> Any:
    """Map, then reduce the results to one by an associative `operation`, as a tree.

    Raises ``TypeError`` when there are no items and no `initial`, as ``functools.reduce`` does.

    >>> import operator
    >>> map_reduce(abs, operator.add, [-1, 2, -3])
    6
    """
    return reduction.map_reduce(_node(), fn, operation, iterables, initial)


def map_scan(
    fn: Callable[..., Any],
    operation: Callable[[Any, Any], Any],
    *iterables: Iterable[Any],
    initial: Any = reduction.MISSING,
) -> list[Any]:
    """Map, then return the running reductions by an associative `operation`, as ``itertools.accumulate`` would.

    >>> import operator
    >>> map_scan(abs, operator.add, [-1, 2, -3])
    [1, 3, 6]
    """
    return reduction.map_scan(_node(), fn, operation, iterables, initial)


mapReduce = map_reduce
mapScan = map_scan


def wait(
    fs: Iterable[Any], timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> concurrent.futures._base.DoneAndNotDoneFutures[Any]:
    """Wait for Futures; return the named pair of sets ``(done, not_done)``, as ``concurrent.futures.wait``.

    >>> done, not_done = wait([submit(pow, 2, 5)])
    >>> len(done), len(not_done)
    (1, 0)
    """
    futures = set(fs)
    node = _home_of(futures)
    if node is None or return_when not in (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION):
        return concurrent.futures.wait(futures, timeout, return_when)
    deadline = None if timeout is None else time.monotonic() + timeout
    done = {future for future in futures if future.done()}
    arrivals = mapping.Arrivals(node)
    pending = futures - done
    for future in pending:
        arrivals.watch(future)
    try:
        while pending and not _is_enough(done, return_when):
            future = arrivals.next(deadline)
            done.add(future)
            pending.discard(future)
    except concurrent.futures.TimeoutError:
        pass
    done |= {future for future in pending if future.done()}
    return concurrent.futures._base.DoneAndNotDoneFutures(done, futures - done)


def _is_enough(done: set[Any], return_when: str) -> bool:
    if return_when == FIRST_COMPLETED:
        return bool(done)
    if return_when == FIRST_EXCEPTION:
        return any(not future.cancelled() and future.exception() is not None for future in done)
    return False


def as_completed(fs: Iterable[Any], timeout: float | None = None) -> Iterator[Any]:
    """Yield Futures as they are done, as ``concurrent.futures.as_completed``.

    >>> [future.result() for future in as_completed([submit(pow, 2, 5)])]
    [32]
    """
    futures = set(fs)
    node = _home_of(futures)
    if node is None:
        yield from concurrent.futures.as_completed(futures, timeout)
        return
    deadline = None if timeout is None else time.monotonic() + timeout
    arrivals = mapping.Arrivals(node)
    for future in futures:
        arrivals.watch(future)
    for count in range(len(futures)):
        try:
            future = arrivals.next(deadline)
        except concurrent.futures.TimeoutError:
            raise TimeoutError(f"{len(futures) - count} (of {len(futures)}) futures unfinished") from None
        yield future
        del future


def _home_of(futures: set[Any]) -> Any:
    """The node that the Futures belong to; None where there is none or they differ."""
    homes = {getattr(future, "_home", None) for future in futures}
    return homes.pop() if len(homes) == 1 else None


def shutdown(wait: bool = True, *, cancel_futures: bool = False) -> None:
    """Take no more calls from this program; wait for those that were submitted, or cancel what has not started."""
    global _closed
    node = current.node
    _closed = True
    if node is None:
        return
    open_futures = [*node.futures.values(), *node.own]
    if cancel_futures:
        for future in open_futures:
            future.cancel()
    if wait:
        for future in open_futures:
            if not future.done():
                node.wait(future, None)
