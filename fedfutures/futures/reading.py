"""Reading the slices of a map: what each item has become, its value or its exception."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import FederationLost
from ..wire.failures import Where, add_note, load_failure
from ..wire.printed import Printed
from ..wire.tracebacks import remove_our_frames
from ..worker.future import Future
from ..worker.future_fields import failure_of
from ..worker.plain import look_plain
from ..worker.with_output import note_printed
from .feeding import Feeder

Read = tuple[list[Any], list[tuple[int, Any]], int]
"""Values of a slice, its failures as (place, outcome or exception), and which item of the map is its first."""


def take(feeder: Feeder, future: Future, timeout: float | None) -> Read | None:
    """Wait for a slice and take it; None if it goes on as several.

    Raises what ends the map: time is over, it was cancelled, or nobody is left who could run it.
    """
    failure: BaseException | None = None
    values: list[Any] = []
    failures: list[tuple[int, Any]] = []
    try:
        future.result(timeout)
        values, failures = feeder.outcome(future)
    except BaseException as error:
        if error is not failure_of(future) or isinstance(error, FederationLost):
            raise
        if feeder.goes_on(future):
            return None
        failure = error
    if failures and future.printed is not None:
        failures = [(place, _with_output(feeder, outcome, future.printed)) for place, outcome in failures]
    first, count = feeder.window.take(future)
    feeder.fill()
    if failure is not None:
        values, failures = [None] * count, [(place, failure) for place in range(count)]
    return values, failures, first


def items(
    feeder: Feeder, read: Read, return_exceptions: bool | Callable[[BaseException], Any]
) -> Iterator[Any]:  # fmt: skip
    """Yield the values of a slice; exceptions as values, by a function if one is given, or raise the first."""
    values, failures, first = read
    place = 0
    for at, outcome in failures:
        yield from let_go(values[place:at])
        error = _with_item(feeder, outcome, f"item {feeder.input.number_of(first + at)} of map")
        if not return_exceptions:
            __tracebackhide__ = True  # IPython and pytest do not show this frame
            raise error
        yield error if return_exceptions is True else return_exceptions(error)
        place = at + 1
    yield from let_go(values[place:])


def _with_output(feeder: Feeder, outcome: Any, printed: Printed) -> BaseException:
    """Return the exception of an item, which says what the call has printed."""
    error = outcome if isinstance(outcome, BaseException) else load_failure(outcome, feeder.node.payloads)
    note_printed(error, printed)
    return error


def _with_item(feeder: Feeder, outcome: Any, item: str) -> BaseException:
    """Return the exception of an item, which says in a note which one it is."""
    if not isinstance(outcome, BaseException):
        return load_failure(outcome, feeder.node.payloads, item)
    remove_our_frames(outcome)
    add_note(outcome, Where(), item)
    return outcome


def let_go(values: list[Any]) -> Iterator[Any]:
    """Return an iterator over values that holds none any more once it was delivered; `values` is used up.

    Results of a map may be large, and are the caller's alone. Where they are numbers or strings, as the first and the
    last one tell, they are quicker left in their list.

    >>> list(let_go([1, 2, 3])), list(let_go([{}, 2, None]))
    ([1, 2, 3], [{}, 2, None])
    """
    if not values or look_plain(values):
        return iter(values)
    values.reverse()
    return map(values.pop, itertools.repeat(-1, len(values)))
