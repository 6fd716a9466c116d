"""What a Worker does with a slice of a ``map``: many items, one Future.

An item that raises fails alone: the others of its slice have their values. How items are kept apart from each other
is told in :mod:`.isolation`.

A slice that takes far longer than was expected is *cut*: another thread takes what has not been started
(:class:`OpenSlice`), so that those items do not wait behind the one that runs. Its submitter is told how many items the
slice keeps, and submits the others again.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

from ..wire.failures import dump_failure
from ..wire.functions import Wrapper

CUT_SECONDS = 0.050
"""A slice that takes so long is cut: twice what slices are planned to take at most."""


class SliceResult(NamedTuple):
    """Values of a slice in order, None at failed places; the failures as (place, outcome); the time it took."""

    values: list[Any]
    failures: list[tuple[int, bytes]]
    seconds: float


Columns = tuple[list[Any], ...]
"""The arguments of a slice: for each parameter the list of its items."""


class OpenSlice:
    """A slice that runs, and what of it has not been started.

    The thread that runs it and the one that cuts it take items from one list iterator. Each item is taken once, which
    needs no lock: the iterator's ``next`` is one step. `is_cut` is set before items are taken, so whoever runs the
    slice and finds nothing left knows why.
    """

    __slots__ = ("_items", "count", "is_cut", "place")

    def __init__(self, place: tuple[int, int], count: int) -> None:
        self.place, self.count = place, count
        self.is_cut = False
        self._items: Iterator[Any] = iter(())

    def begin(self, items: list[Any]) -> Iterator[Any]:
        """Return the iterator that these items are to be taken from: none, if the slice has been cut before."""
        self._items = given = iter(items)
        return iter([]) if self.is_cut else given

    def cut(self) -> int:
        """Take what has not been started; return how many items are left to the slice. For any thread, once."""
        self.is_cut = True
        return self.count - len(list(self._items))


def is_used_up(items: Iterator[Any]) -> bool:
    """Whether a list's iterator has come to its end, and not only to an item that was not followed by another call."""
    return len(items.__reduce__()) < 3


def in_one_loop(
    function: Callable[..., Any], columns: Columns, fail: Callable[[BaseException], Any],
    open_slice: OpenSlice | None = None,
) -> tuple[list[Any], list[tuple[int, Any]]]:  # fmt: skip
    """Do what :meth:`.isolation.Isolation.run_items` does, without isolation.

    ``list.extend`` keeps what a ``map`` object gave before it raised, and the same object goes on with the next item.
    """
    items = iter(columns[0]) if open_slice is None else open_slice.begin(columns[0])
    calls = map(function, items, *columns[1:])
    values: list[Any] = []
    failures: list[tuple[int, Any]] = []
    while True:
        try:
            values.extend(calls)
            if is_used_up(items):
                break
            raise StopIteration  # the function did: map() took it for its own end
        except BaseException as error:
            failures.append((len(values), fail(error)))
            values.append(None)
    return values, failures


class OfItems(Wrapper):
    """Calls a function for each item; a Worker says how, so that no item sees what another has done."""

    run_items: Callable[..., tuple[list[Any], list[tuple[int, Any]]]] = staticmethod(in_one_loop)

    def values(self, columns: Columns) -> list[Any]:
        """Return the values; raises what an item has raised."""
        return self.run_items(self.function(), columns, _raise)[0]


def _raise(error: BaseException) -> None:
    raise error


def _nowhere() -> tuple[int, int]:
    return 0, 0


class Slice(OfItems):
    """Calls a function for each item of a slice: ``Slice(pow)([2, 3], [1, 2])`` has the values ``[2, 9]``."""

    running: ClassVar[OpenSlice | None] = None
    """The slice that was begun last and has not ended."""
    place: Callable[[], tuple[int, int]] = staticmethod(_nowhere)
    """Returns which Future runs, as piece and number; the Worker sets it."""
    is_whole = False
    """Whether it is never cut."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        if self.is_whole or len(columns[0]) < 2:
            values, failures = self.run_items(self.function(), columns, self._failure)
        else:
            values, failures = self._run_open(columns)
        return values, failures, time.perf_counter() - began

    def _run_open(self, columns: Columns) -> tuple[list[Any], list[tuple[int, Any]]]:
        before = Slice.running
        Slice.running = open_slice = OpenSlice(self.place(), len(columns[0]))
        try:
            return self.run_items(self.function(), columns, self._failure, open_slice)
        finally:
            Slice.running = before

    def _failure(self, error: BaseException) -> bytes:
        return dump_failure(error, self.payloads, inside=True)


def can_be_cut(place: tuple[int, int]) -> bool:
    """Whether the Future that runs there is a slice that has not been cut."""
    running = Slice.running
    return running is not None and not running.is_cut and running.place == place


def cut(place: tuple[int, int]) -> int:
    """Cut the slice that runs there; return how many items it keeps, 0 where there was nothing to take from it."""
    running = Slice.running
    if running is None or running.is_cut or running.place != place:
        return 0
    kept = running.cut()
    return kept if kept < running.count else 0


class WholeSlice(Slice):
    """A slice of the size that the program wants."""

    is_whole = True


class Star(Wrapper):
    """Calls a function with an item's contents: a tuple or list, a dict, or a pair of both."""

    def __call__(self, item: Any) -> Any:
        function = self.function()
        if isinstance(item, dict):
            return function(**item)
        if len(item) == 2 and isinstance(item[0], (tuple, list)) and isinstance(item[1], dict):
            return function(*item[0], **item[1])
        return function(*item)


class ReduceSlice(OfItems):
    """Maps a slice and reduces it to one value."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        value = functools.reduce(self.function(1), self.values(columns))
        return [value], [], time.perf_counter() - began


class ScanSlice(OfItems):
    """Maps a slice and returns its running reductions."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        values = list(itertools.accumulate(self.values(columns), self.function(1)))
        return [values], [], time.perf_counter() - began


class Fold(Wrapper):
    """Reduces a list."""

    def __call__(self, values: list[Any]) -> Any:
        return functools.reduce(self.function(), values)


class Accumulate(Wrapper):
    """Running reductions of a list."""

    def __call__(self, values: list[Any]) -> Any:
        return list(itertools.accumulate(values, self.function()))


class Shift(Wrapper):
    """Puts what came before in front of each value: ``[function(before, value) ...]``."""

    def __call__(self, before: Any, values: list[Any]) -> Any:
        function = self.function()
        return [function(before, value) for value in values]
