"""What a Worker does with a slice of a ``map``: many items, one Future.

An item that raises fails alone: the others of its slice have their values. How items are kept apart from each other
is told in :mod:`.isolation`.
"""

from __future__ import annotations

import functools
import itertools
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from ..wire.failures import dump_failure
from ..wire.functions import Wrapper
from .failing import where


class SliceResult(NamedTuple):
    """Values of a slice in order, None at failed places; the failures as (place, outcome); the time it took."""

    values: list[Any]
    failures: list[tuple[int, bytes]]
    seconds: float


Columns = tuple[list[Any], ...]
"""The arguments of a slice: for each parameter the list of its items."""


def in_one_loop(
    function: Callable[..., Any], columns: Columns, fail: Callable[[BaseException, int], Any]
) -> tuple[list[Any], list[tuple[int, Any]]]:  # fmt: skip
    """Do what :meth:`.isolation.Isolation.run_items` does, without isolation.

    ``list.extend`` keeps what a ``map`` object gave before it raised, and the same object goes on with the next item.
    """
    calls = map(function, *columns)
    values: list[Any] = []
    failures: list[tuple[int, Any]] = []
    while len(values) < len(columns[0]):
        try:
            values.extend(calls)
            if len(values) < len(columns[0]):
                raise StopIteration  # the function did: map() took it for its own end
        except BaseException as error:
            failures.append((len(values), fail(error, len(values))))
            values.append(None)
    return values, failures


class OfItems(Wrapper):
    """Calls a function for each item; a Worker says how, so that no item sees what another has done."""

    run_items: Callable[..., tuple[list[Any], list[tuple[int, Any]]]] = staticmethod(in_one_loop)

    def values(self, columns: Columns) -> list[Any]:
        """Return the values; raises what an item has raised."""
        return self.run_items(self.function(), columns, _raise)[0]

    def arguments(self, args: Columns) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
        if all(len(column) == 1 for column in args):
            return tuple(column[0] for column in args), {}
        return None, {}


def _raise(error: BaseException, place: int) -> None:
    raise error


class Slice(OfItems):
    """Calls a function for each item of a slice: ``Slice(pow)([2, 3], [1, 2])`` has the values ``[2, 9]``."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        function = self.function()

        def fail(error: BaseException, place: int) -> bytes:
            row = tuple(column[place] for column in columns)
            return dump_failure(error, self.payloads, where(error, function, row), inside=True)

        values, failures = self.run_items(function, columns, fail)
        return values, failures, time.perf_counter() - began


class Arguments:
    """The arguments of one call, with keywords: an item of ``futures.starmap``.

    >>> from fedfutures import futures
    >>> list(futures.starmap(int, [("7",), futures.Arguments("11", base=2)]))
    [7, 3]
    """

    __slots__ = ("args", "kwargs")

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arguments) and (self.args, self.kwargs) == (other.args, other.kwargs)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"Arguments({', '.join(parts)})"


class Star(Wrapper):
    """Calls a function with an item's contents, as ``itertools.starmap`` does, or with :class:`Arguments`."""

    def __call__(self, item: Any) -> Any:
        function = self.function()
        if type(item) is Arguments:
            return function(*item.args, **item.kwargs)
        if _had_keywords(item):
            warnings.warn(HAD_KEYWORDS.format(type(item).__name__), FutureWarning, stacklevel=2)
        return function(*item)

    def arguments(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
        [item] = args
        return (item.args, item.kwargs) if type(item) is Arguments else (tuple(item), {})


HAD_KEYWORDS = (
    "starmap() took keywords from an item like this {} in early versions; it passes what is in it as positional "
    "arguments now, as itertools.starmap does. For keywords write futures.Arguments(*args, **kwargs)"
)


def _had_keywords(item: Any) -> bool:
    """Whether an item was a dict of keywords, or a pair of arguments and keywords, before there was Arguments."""
    if isinstance(item, dict):
        return True
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        return False
    return isinstance(item[0], (tuple, list)) and isinstance(item[1], dict)


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
