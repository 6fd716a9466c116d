"""``map_reduce`` and ``map_scan``: tree reduction and running prefixes, for any length, generators too.

The operation must be associative; it need not be commutative. Slices are mapped and reduced where they run; their
partial results are reduced sixteen at a time, again as Futures, until one is left (Blelloch, "Prefix sums and their
applications", 1990, has the two passes of the scan).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..wire.functions import Wrapper
from ..worker.seeding import stream_for_call
from ..worker.slices import Accumulate, Fold, ReduceSlice, ScanSlice, Shift
from . import progress as shown
from .caller import Seed, T
from .feeding import Feeder
from .node import AnyNode

FAN_IN = 16
MISSING: Any = object()


def _partials(
    node: AnyNode, wrapper: Wrapper, iterables: tuple[Iterable[Any], ...], seed: Any, progress: bool
) -> Iterator[Any]:  # fmt: skip
    """Results of the slices, in order, with the input read lazily."""
    feeder = Feeder(node, wrapper, iterables, stream=stream_for_call(seed))
    feeder.begin_reading()
    feeder.fill()
    taken = _taken(feeder)
    if progress or shown.everywhere:
        taken = shown.with_progress(taken, iterables if feeder.counter() else (), feeder, wanted=progress)
    yield from taken


def _taken(feeder: Feeder) -> Iterator[Any]:
    try:
        while feeder.more():
            future = feeder.window.unread[0]
            values, _, _ = future.result()
            feeder.window.take(future)
            feeder.fill()
            yield values[0]
    finally:
        feeder.leave_off()


def map_reduce(
    node: AnyNode, function: Callable[..., T], operation: Callable[[T, T], T],
    iterables: tuple[Iterable[Any], ...], initial: T = MISSING, seed: Seed = None, *, progress: bool = False,
) -> T:  # fmt: skip
    """Reduce the mapped items to one value."""
    level: list[T] = list(_partials(node, ReduceSlice(function, operation), iterables, seed, progress))
    if initial is not MISSING:
        level.insert(0, initial)
    if not level:
        raise TypeError("map_reduce() of an empty iterable with no initial value")
    fold = node.submitter(Fold(operation))
    while len(level) > 1:
        groups = [level[start : start + FAN_IN] for start in range(0, len(level), FAN_IN)]
        futures: list[Any] = [fold((group,))[0] if len(group) > 1 else group[0] for group in groups]
        node.send()
        level = [future.result() if len(group) > 1 else future for future, group in zip(futures, groups)]
    return level[0]


def map_scan(
    node: AnyNode, function: Callable[..., T], operation: Callable[[T, T], T],
    iterables: tuple[Iterable[Any], ...], initial: T = MISSING, seed: Seed = None, *, progress: bool = False,
) -> list[T]:  # fmt: skip
    """Return the running reductions of the mapped items."""
    slices: list[list[T]] = list(_partials(node, ScanSlice(function, operation), iterables, seed, progress))
    lasts = [values[-1] for values in slices]
    if initial is not MISSING:
        slices.insert(0, [initial])
        lasts.insert(0, initial)
    if len(slices) < 2:
        return slices[0] if slices else []
    accumulated, _ = node.submitter(Accumulate(operation))((lasts[:-1],))
    node.send()
    before = accumulated.result()
    shift = node.submitter(Shift(operation))
    futures = [shift((ahead, values))[0] for ahead, values in zip(before, slices[1:])]
    node.send()
    return slices[0] + [value for future in futures for value in future.result()]
