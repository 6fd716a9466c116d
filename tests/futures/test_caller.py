"""What has a ``map``: one class types it, and hands on what was said."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from fedfutures import Executor, futures
from fedfutures.futures import Arguments, CallOptions, Group
from fedfutures.futures.caller import Caller, starred
from fedfutures.futures.mapping import MapOptions


class Heard(Caller):
    def _map(self, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions) -> Iterator[Any]:
        return iter([(fn, iterables, options)])


def test_what_is_said_is_handed_on() -> None:
    [(fn, iterables, options)] = list(Heard().map(pow, [2], [3], timeout=1.5, unordered=True))  # type: ignore[misc]
    assert (fn, iterables) == (pow, ([2], [3]))
    assert options == MapOptions(timeout=1.5, unordered=True)
    [(fn, iterables, options)] = list(Heard().starmap(pow, [(2, 3)], chunksize=4))  # type: ignore[misc]
    assert (fn((2, 3)), fn(Arguments(2, exp=3)), iterables, options) == (8, 8, ([(2, 3)],), MapOptions(chunksize=4))


@pytest.mark.parametrize("kind", [Executor, Group, CallOptions])
def test_all_callers_have_the_options_of_the_function(kind: type) -> None:
    names = list(inspect.signature(futures.map).parameters)
    assert list(inspect.signature(kind.map).parameters) == ["self", *names]
    assert set(names) - {"fn", "iterables"} <= set(MapOptions._fields)


def test_what_is_no_function() -> None:
    wrong: Any = [1]
    with pytest.raises(TypeError, match=r"starmap\(\) takes a function first, got list \[1\]"):
        starred(wrong)
