"""Options of calls: they cannot be changed, hold for all calls of one object, and give way to those of one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from fedfutures import Future, futures
from fedfutures.futures import CallOptions
from fedfutures.futures.caller import Face
from fedfutures.futures.mapping import MapOptions


class Heard:
    """A face that notes what it is told."""

    def __init__(self) -> None:
        self.priorities: list[int | None] = []
        self.options: list[MapOptions] = []
        self.face = Face(self.submit, self.map, self.again)

    def again(self, priority: int | None = None, seed: Any = None) -> CallOptions:
        return CallOptions(self.face, priority, seed)

    def submit(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], priority: int | None) -> Future:
        self.priorities.append(priority)
        return Future()

    def map(self, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions) -> Iterator[Any]:
        self.options.append(options)
        return iter(())


def test_what_is_said_at_a_call_goes_before_what_options_say() -> None:
    heard = Heard()
    options = CallOptions(heard.face, 3, 42)
    options.map(abs, [1])
    options.map(abs, [1], priority=4, chunksize=2)
    options.starmap(pow, [(1, 2)], seed=7)
    assert [(each.priority, each.seed, each.chunksize) for each in heard.options] == [
        (3, 42, None),
        (4, 42, 2),
        (3, 7, None),
    ]
    options.submit(abs, 1)
    options.options(priority=5).submit(abs, 1)
    assert heard.priorities == [3, 5]


def test_options_cannot_be_changed() -> None:
    options = futures.options(seed=1, priority=2)
    for name in ("priority", "_values", "new"):
        with pytest.raises(AttributeError, match="options cannot be changed"):
            setattr(options, name, 3)
    assert repr(options.options(seed=None)) == "<options priority=2>"
    assert repr(futures.options()) == "<options>"
    with pytest.raises(TypeError, match="unexpected keyword argument 'retries'"):
        options.options(retries=3)
    with pytest.raises(TypeError, match="priority must be an integer"):
        futures.options(priority="high")  # type: ignore[arg-type]
