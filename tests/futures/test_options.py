"""Options of calls: they cannot be changed, hold for all calls of one object, and give way to those of one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from fedfutures import Future, futures
from fedfutures.federation.terms import Conditions
from fedfutures.futures import CallOptions
from fedfutures.futures.caller import Face
from fedfutures.futures.mapping import MapOptions
from fedfutures.worker.call_terms import CallTerms


class Heard:
    """A face that notes what it is told."""

    def __init__(self) -> None:
        self.terms: list[CallTerms | None] = []
        self.options: list[MapOptions] = []
        self.face = Face(self.submit, self.map, self.again)

    def again(self, **given: Any) -> CallOptions:
        return CallOptions(self.face, **given)

    def submit(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], terms: CallTerms | None) -> Future:
        self.terms.append(terms)
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
    assert heard.terms == [CallTerms(3), CallTerms(5)]


def test_a_time_limit_is_a_number_of_seconds() -> None:
    heard = Heard()
    options = CallOptions(heard.face, None, None, 2)
    options.submit(abs, 1)
    options.options(priority=1).submit(abs, 1)
    options.options(time_limit=None).submit(abs, 1)
    assert heard.terms == [CallTerms(None, Conditions(2000)), CallTerms(1, Conditions(2000)), None]
    list(options.map(abs, [1]))
    assert heard.options[-1].terms() == CallTerms(None, Conditions(2000))
    assert repr(options) == "<options time_limit=2>"
    for wrong, kind in (("2", TypeError), (True, TypeError), (-1, ValueError), (float("nan"), ValueError)):
        with pytest.raises(kind, match="time_limit must be"):
            futures.options(time_limit=wrong)
        with pytest.raises(kind, match="time_limit must be"):
            futures.map(abs, [1], time_limit=wrong)


def test_options_cannot_be_changed() -> None:
    options = futures.options(seed=1, priority=2)
    for name in ("priority", "_values", "new"):
        with pytest.raises(AttributeError, match="options cannot be changed"):
            setattr(options, name, 3)
    assert repr(options.options(seed=None)) == "<options priority=2>"
    assert repr(futures.options()) == "<options>"
    with pytest.raises(TypeError, match="unexpected keyword argument 'retry'"):
        options.options(retry=3)
    with pytest.raises(TypeError, match="priority must be an integer"):
        futures.options(priority="high")  # type: ignore[arg-type]
