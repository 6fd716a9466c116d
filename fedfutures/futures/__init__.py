"""Submit and collect: the functions that a program calls.

They use the Federation that ``python -m fedfutures`` launched, or the one whose Future calls them. In a plain program
they run serially in the process, and say so once.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, CancelledError
from concurrent.futures import TimeoutError as TimeoutError
from typing import Any

from ..errors import NotSupportedHere
from ..program.postponing import deliver, pending
from ..worker import current
from ..worker.future import Future
from ..worker.seeding import rng
from ..worker.slices import Arguments
from . import ends, reduction
from .advice import advice
from .caller import Caller, Face, P, Seed, T, starred, typed_as
from .groups import Group, GroupStatistics, named
from .mapping import MapOptions, mapped
from .node import AnyNode
from .options import CallOptions, in_seeded
from .patience import Patience
from .priority import taken_from
from .serial import Serial
from .waiting import as_completed, wait

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "Arguments",
    "CallOptions",
    "CancelledError",
    "Future",
    "Group",
    "GroupStatistics",
    "TimeoutError",
    "as_completed",
    "group",
    "map",
    "mapReduce",
    "mapScan",
    "map_as_completed",
    "map_reduce",
    "map_scan",
    "options",
    "rng",
    "shutdown",
    "starmap",
    "submit",
    "wait",
]

logger = logging.getLogger("fedfutures")
_serial: Serial | None = None
_groups: dict[str, Group] = {}
_closed = _main_has_ended = False


def _node() -> AnyNode:
    """Return the node of this process; a serial stand-in, said once, where there is none."""
    global _serial
    if current.importing_program:
        raise NotSupportedHere("the program submits while Workers import it; put it under if __name__ == '__main__'")
    if _closed and not (_main_has_ended and _is_waited_for(threading.current_thread())):
        when = "the end of the program: it does not wait for daemon threads" if _main_has_ended else "shutdown"
        raise RuntimeError(f"cannot schedule new futures after {when}")
    if current.node is not None:
        return current.node  # type: ignore[no-any-return]
    if _serial is None:
        _serial = Serial()
        atexit.register(ends.end_of_process, _serial)
        logger.warning("futures run serially in this process; %s", advice())
    return _serial


def _end_main() -> None:
    """The main program has ended: from now on only threads that it waits for may submit, and callbacks."""
    global _closed, _main_has_ended
    if not _closed:
        _closed = _main_has_ended = True


def _is_waited_for(thread: threading.Thread) -> bool:
    return not thread.daemon or thread.name.startswith("fedfutures-")


def submit(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Submit ``fn(*args, **kwargs)`` and return its Future (PEP 3148). What the call itself is told: :func:`options`.

    Raises ``TypeError`` for what is no function, and ``PicklingError`` when something in the call cannot travel.

    >>> submit(pow, 2, 5).result()
    32
    """
    node = current.node
    priority = taken_from(fn, kwargs) if kwargs else None
    if node is None or _closed or current.unusual:
        node = _node()
        fn, args = in_seeded(fn, args)  # type: ignore[assignment]
    future: Future[T] = node.submit(fn, args, kwargs, priority)
    if pending.due:
        deliver()
    return future


def _submit(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], priority: int | None
) -> Future:  # fmt: skip
    """As :func:`submit`, for options and groups: all keywords are the function's own."""
    node = _node()
    fn, args = in_seeded(fn, args)
    return node.submit(fn, args, kwargs, priority)


def _map(fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions) -> Iterator[Any]:
    return mapped(_node(), fn, iterables, options)


def _face() -> Face:
    return Face(_submit, _map, options)


def options(*, priority: int | None = None, seed: Seed = None) -> CallOptions:
    """Return an object whose ``submit`` and ``map`` make calls with these options; see :class:`CallOptions`.

    >>> options(priority=3).submit(pow, 2, 5).result()
    32
    """
    return CallOptions(_face(), priority, seed)


def group(name: str, priority: int | None = None) -> Group:
    """Return the group of that name, made if it is new: Futures to be waited for, cancelled and counted together.

    A program has one group of each name; a Future that runs on a Worker has its own ones, which end with it.

    priority: for what is submitted by way of the group from now on, as in :func:`options`.

    >>> squares = group("squares")
    >>> for number in range(3):
    ...     squares.add(submit(pow, number, 2))
    >>> squares.statistics().pending, group("squares") is squares
    (0, True)
    """
    node: Any = None if current.is_origin else current.node
    return named(_groups if node is None else node.scope(), name, priority, _face())


@typed_as(Caller().map)
def map(
    fn: Callable[..., Any],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int | None = None,
    buffersize: int | None = None,
    return_exceptions: bool = False,
    unordered: bool = False,
    progress: bool = False,
    priority: int | None = None,
    seed: Any = None,
) -> Iterator[Any]:
    """Return an iterator of ``fn(*items)`` over one or several iterables, in order.

    The input is read lazily: an endless generator works. All calls are made, whether or not the results are read: what
    is left of the input is read at the end, of the Executor, of the Future that runs, or of the program. An iterator
    that is closed or let go after its first result cancels the rest. An item that raises does so at its place, after
    the results before it were delivered. An object that comes again in the same call, a large array say, is not
    looked at again.

    timeout: seconds from the call until ``next()`` raises ``TimeoutError``.
    chunksize: items per slice; measured and adapted when None.
    buffersize: how many items may be on their way or wait to be consumed; 65,536 when None.
    return_exceptions: give exceptions as values.
    unordered: give results in the order in which they come.
    progress: show a bar on standard error.
    priority: an integer, higher ones go first; see :func:`options`.
    seed: an integer; each item draws random numbers of its own, the same in each run; see :doc:`random`.

    >>> list(map(pow, [2, 3], [5, 2]))
    [32, 9]
    """
    return _map(
        fn, iterables,
        MapOptions(timeout, chunksize, buffersize, return_exceptions, unordered, progress, priority, seed),
    )  # fmt: skip


@typed_as(Caller().starmap)
def starmap(fn: Callable[..., Any], args_list: Iterable[Any], **options: Any) -> Iterator[Any]:
    """As :func:`map`, each item holding all arguments of one call, as in ``itertools.starmap``.

    An item with keywords is an :class:`Arguments`. The options are those of :func:`map`.

    >>> list(starmap(int, [("7",), Arguments("11", base=2)]))
    [7, 3]
    """
    return map(starred(fn), args_list, **options)


@typed_as(Caller().map)
def map_as_completed(fn: Callable[..., Any], *iterables: Iterable[Any], **options: Any) -> Iterator[Any]:
    """As :func:`map` with ``unordered=True``: the results in the order in which they come.

    >>> sorted(map_as_completed(abs, [-3, 2]))
    [2, 3]
    """
    return map(fn, *iterables, **{**options, "unordered": True})


def map_reduce(
    fn: Callable[..., T],
    operation: Callable[[T, T], T],
    *iterables: Iterable[Any],
    initial: T = reduction.MISSING,
    seed: Seed = None,
) -> T:
    """Map, then reduce the results to one by an associative `operation`, as a tree.

    Raises ``TypeError`` when there are no items and no `initial`, as ``functools.reduce`` does. `seed` is as in
    :func:`map`.

    >>> import operator
    >>> map_reduce(abs, operator.add, [-1, 2, -3])
    6
    """
    return reduction.map_reduce(_node(), fn, operation, iterables, initial, seed)


def map_scan(
    fn: Callable[..., T],
    operation: Callable[[T, T], T],
    *iterables: Iterable[Any],
    initial: T = reduction.MISSING,
    seed: Seed = None,
) -> list[T]:
    """Map, then return the running reductions by an associative `operation`, as ``itertools.accumulate`` would.

    `seed` is as in :func:`map`.

    >>> import operator
    >>> map_scan(abs, operator.add, [-1, 2, -3])
    [1, 3, 6]
    """
    return reduction.map_scan(_node(), fn, operation, iterables, initial, seed)


mapReduce = map_reduce
mapScan = map_scan


def shutdown(wait: bool = True, *, cancel_futures: bool = False) -> None:
    """Take no more calls from this program; wait for those that were submitted, or cancel what has not started.

    The calls of a ``map`` are made, read or not: what is left of its input is read now.
    """
    global _closed, _main_has_ended
    node = current.node
    _closed, _main_has_ended = current.is_origin, False  # a Future that calls this closes nothing for those after it
    ends.shut(node or _serial, wait, cancel_futures)
    if node is None:
        return
    open_futures = [*node.futures.values(), *node.own]
    if cancel_futures:
        node.cancel_all(open_futures)
    if wait:
        with Patience(node):
            for future in open_futures:
                if not future.done():
                    node.wait(future, None)
