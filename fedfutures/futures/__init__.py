"""Submit and collect: the functions that a program calls.

They use the Federation that ``python -m fedfutures`` launched, or the one whose Future calls them. In a plain program
they run serially in the process, and say so once.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    CancelledError,
    TimeoutError as TimeoutError,
)
from typing import TYPE_CHECKING, Any

from ..errors import NotSupportedHere
from ..program.postponing import deliver, pending
from ..worker import current
from ..worker.call_terms import CallTerms
from ..worker.future import Future
from ..worker.retries import Retries
from ..worker.seeding import rng
from ..worker.slices import Arguments
from . import ends, reduction
from .advice import advice
from .caller import Caller, Face, P, Seed, T, starred, typed_as
from .checks import check_workers
from .groups import Group, GroupStatistics, named
from .mapping import MapOptions, mapped
from .node import AnyNode
from .options import CallOptions, in_seeded
from .patience import Patience
from .priority import taken_from
from .serial import Serial
from .waiting import as_completed, wait

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .caller import CallKeywords

__all__ = [
    "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "Arguments", "CallOptions", "CancelledError", "Future",
    "Group", "GroupStatistics", "Retries", "TimeoutError", "as_completed", "group", "map", "mapReduce", "mapScan",
    "map_as_completed", "map_reduce", "map_scan", "options", "resize", "rng", "shutdown", "starmap", "submit", "wait",
]  # fmt: skip

logger = logging.getLogger("fedfutures")
_serial: Serial | None = None
_groups: dict[str, Group] = {}
_closed = _main_has_ended = False


def _node() -> AnyNode:
    """Return the node of this process; a serial stand-in, said once, where there is none."""
    global _serial
    current.refuse_while_importing()
    if _closed and not (_main_has_ended and _is_waited_for(threading.current_thread())):
        when = "the end of the program: it does not wait for daemon threads" if _main_has_ended else "shutdown"
        raise RuntimeError(f"cannot schedule new futures after {when}")
    if current.node is not None:
        return current.kept_node or current.node  # type: ignore[no-any-return]
    if _serial is None:
        _serial = Serial()
        atexit.register(ends.end_of_process, _serial)
        logger.warning("futures run serially in this process; %s", advice())
    return _serial


def end_main() -> None:
    """For the launcher: the main program has ended; only threads that it waits for may submit now, and callbacks."""
    global _closed, _main_has_ended
    if not _closed:
        _closed = _main_has_ended = True


def _is_waited_for(thread: threading.Thread) -> bool:
    return not thread.daemon or thread.name.startswith("fedfutures-")


def submit(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Submit ``fn(*args, **kwargs)`` and return its Future (PEP 3148). Options of the call: :func:`options`.

    Raises ``TypeError`` if `fn` is not callable, and ``PicklingError`` if a part of the call cannot be pickled.

    >>> submit(pow, 2, 5).result()
    32
    """
    node = current.node
    terms = taken_from(fn, kwargs) if kwargs else None
    if node is None or _closed or current.unusual:
        node = _node()
        fn, args = in_seeded(fn, args)  # type: ignore[assignment]
    future: Future[T] = node.submit(fn, args, kwargs, terms)
    if pending.due:
        deliver()
    return future


def _submit(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], terms: CallTerms | None
) -> Future:  # fmt: skip
    """As :func:`submit`, for options and groups: all keywords are the function's own."""
    node = _node()
    fn, args = in_seeded(fn, args)
    return node.submit(fn, args, kwargs, terms)


def _map(fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions) -> Iterator[Any]:
    return mapped(_node(), fn, iterables, options)


def _face() -> Face:
    return Face(_submit, _map, options)


def options(**options: Unpack[CallKeywords]) -> CallOptions:
    """Return an object whose ``submit`` and ``map`` make calls with these options; see :class:`CallOptions`.

    >>> options(priority=3).submit(pow, 2, 5).result()
    32
    """
    return CallOptions(_face(), **options)


def group(name: str, priority: int | None = None) -> Group:
    """Return the group of that name, or a new one; you can wait for, cancel and count its Futures together.

    A program has one group of each name. A Future has its own groups, which end with it.

    priority: of the Futures that the group submits from now on, as in :func:`options`.

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
    fn: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int | None = None,
    buffersize: int | None = None, return_exceptions: bool = False, unordered: bool = False, progress: bool = False,
    priority: int | None = None, seed: Any = None, checkpoint: Any = None, time_limit: float | None = None,
    retries: Any = None, idempotent: bool | None = None, cancellable: bool | None = None,
    memory: int | str | None = None, capture: bool | None = None,
) -> Iterator[Any]:  # fmt: skip
    """Return an iterator of ``fn(*items)`` over one or several iterables, in order.

    ``map`` reads the input lazily, so an endless generator works. It makes all calls, whether or not you read the
    results: it reads the rest of the input at the end of the Executor, of the running Future, or of the program. If you
    close or drop the iterator after its first result, the rest is cancelled. If an item raises, the iterator raises the
    exception at its place, after the results before it. An object that occurs several times in one call, such as a
    large array, is written once, as it is at its first occurrence.

    timeout: seconds from the call until ``next()`` raises ``TimeoutError``.
    chunksize: items per slice; measured and adapted when None.
    buffersize: how many items may be in progress or wait to be consumed; 65,536 when None.
    return_exceptions: return exceptions as values.
    unordered: return results in the order in which they arrive.
    progress: show on standard error how many items are done, at which rate, and how long the others take.
    priority: an integer; higher priorities go first; see :func:`options`.
    seed: an integer; each item draws its own random numbers, the same in each run; see :doc:`random`.
    checkpoint: a file that keeps the results; items whose results it has are not computed; see :doc:`checkpoints`.
    time_limit, retries, idempotent, cancellable, memory: of each item, as in :func:`options`; see :doc:`limits`.
    capture: what items print is not shown, and stands in notes of their exceptions; see :doc:`known`.

    >>> list(map(pow, [2, 3], [5, 2]))
    [32, 9]
    """
    return _map(
        fn, iterables,
        MapOptions(
            timeout, chunksize, buffersize, return_exceptions, unordered, progress, priority, seed, checkpoint,
            time_limit, retries, idempotent, cancellable, memory, capture,
        ),
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
    """As :func:`map` with ``unordered=True``: the results in the order in which they arrive.

    >>> sorted(map_as_completed(abs, [-3, 2]))
    [2, 3]
    """
    return map(fn, *iterables, **{**options, "unordered": True})


def map_reduce(
    fn: Callable[..., T], operation: Callable[[T, T], T], *iterables: Iterable[Any], initial: T = reduction.MISSING,
    seed: Seed = None, progress: bool = False,
) -> T:  # fmt: skip
    """Map, then reduce the results to one by an associative `operation`, as a tree.

    Raises ``TypeError`` if there are no items and no `initial`, as ``functools.reduce`` does. `seed` and `progress` are
    as in :func:`map`.

    >>> import operator
    >>> map_reduce(abs, operator.add, [-1, 2, -3])
    6
    """
    return reduction.map_reduce(_node(), fn, operation, iterables, initial, seed, progress=progress)


def map_scan(
    fn: Callable[..., T], operation: Callable[[T, T], T], *iterables: Iterable[Any], initial: T = reduction.MISSING,
    seed: Seed = None, progress: bool = False,
) -> list[T]:  # fmt: skip
    """Map, then return the running reductions by an associative `operation`, as ``itertools.accumulate`` would.

    `seed` and `progress` are as in :func:`map`.

    >>> import operator
    >>> map_scan(abs, operator.add, [-1, 2, -3])
    [1, 3, 6]
    """
    return reduction.map_scan(_node(), fn, operation, iterables, initial, seed, progress=progress)


mapReduce, mapScan = map_reduce, map_scan


def resize(workers: int) -> int:
    """Have so many Workers from now on in a launched program, and return that number: see :meth:`Executor.resize`.

    Run by plain ``python``, a program has none, and goes on as it was.

    Raises :class:`~fedfutures.errors.NotSupportedHere` in a Future, and what :meth:`Executor.resize` raises.

    >>> resize(16)
    1
    """
    change = current.resize
    if change is not None:
        return change(workers)
    check_workers(workers)
    if not current.is_origin:
        raise NotSupportedHere("the program changes the number of Workers; a Future cannot")
    return 1


def shutdown(wait: bool = True, *, cancel_futures: bool = False) -> None:
    """Accept no more calls from this program; wait for the submitted ones, or cancel those that have not started.

    The calls of each ``map`` are made, whether or not its results were read: the rest of its input is read now.
    """
    global _closed, _main_has_ended
    node = current.node
    _closed, _main_has_ended = current.is_origin, False  # a Future that calls this closes nothing for those after it
    ends.shut(node or _serial, wait, cancel_futures)
    if node is None:
        return
    open_futures = node.open_futures()
    if cancel_futures:
        node.cancel_all(open_futures)
    if wait:
        with Patience(node):
            ends.wait_for(node, open_futures)
