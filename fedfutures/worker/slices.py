"""What a Worker does with a slice of a ``map``: many items, one Future.

An item that raises fails alone: the others of its slice have their values. The loop over the items is in C:
``list.extend`` keeps what a ``map`` object gave before it raised, and the same object goes on with the next item.
"""

from __future__ import annotations

import functools
import itertools
import time
from typing import Any, NamedTuple

from ..wire.failures import dump_failure
from ..wire.functions import Wrapper


class SliceResult(NamedTuple):
    """Values of a slice in order, None at failed places; the failures as (place, outcome); the time it took."""

    values: list[Any]
    failures: list[tuple[int, bytes]]
    seconds: float


class Slice(Wrapper):
    """Calls a function for each item of a slice: ``Slice(pow)([2, 3], [1, 2])`` has the values ``[2, 9]``."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        calls = map(self.function(), *columns)
        values: list[Any] = []
        failures: list[tuple[int, bytes]] = []
        while len(values) < len(columns[0]):
            try:
                values.extend(calls)
                if len(values) < len(columns[0]):
                    raise StopIteration  # the function did: map() took it for its own end
            except BaseException as error:
                failures.append((len(values), dump_failure(error, self.payloads, inside=True)))
                values.append(None)
        return values, failures, time.perf_counter() - began


class Star(Wrapper):
    """Calls a function with an item's contents: a tuple or list, a dict, or a pair of both."""

    def __call__(self, item: Any) -> Any:
        function = self.function()
        if isinstance(item, dict):
            return function(**item)
        if len(item) == 2 and isinstance(item[0], (tuple, list)) and isinstance(item[1], dict):
            return function(*item[0], **item[1])
        return function(*item)


class ReduceSlice(Wrapper):
    """Maps a slice and reduces it to one value."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        value = functools.reduce(self.function(1), map(self.function(), *columns))
        return [value], [], time.perf_counter() - began


class ScanSlice(Wrapper):
    """Maps a slice and returns its running reductions."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        values = list(itertools.accumulate(map(self.function(), *columns), self.function(1)))
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
