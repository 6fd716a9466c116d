"""The value of a Future on its way: pickled by the Worker, item by item where a slice as a whole cannot be."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from ..errors import NoRoom, ResultNotPicklable
from ..wire.culprits import of_result
from ..wire.failures import dump_failure
from ..wire.functions import name_of
from ..wire.payload import Payloads
from .failing import where
from .seeding import SeededItems
from .slices import Slice

_SMALL_ATOMS = frozenset({float, bool, complex, type(None)})
_WORD = 1 << 63


def dump_result(
    value: Any, payloads: Payloads, function: Any, args: Any = None, dump: Callable[..., Any] | None = None
) -> Any:  # fmt: skip
    """Return the payload of a value that `function` has returned; raise ResultNotPicklable if it cannot travel.

    `dump` is how it is written, where that is not by `payloads`.
    """
    kind = type(value)
    if kind in _SMALL_ATOMS or (kind is int and -_WORD < value < _WORD) or (kind is str and len(value) < 1000):
        return pickle.dumps(value, 5)  # by far the most values, at a third of the price
    dump = dump or payloads.dump
    try:
        return dump(value, alone=True)
    except NoRoom:
        raise
    except Exception as error:
        if isinstance(function, SeededItems):
            function, args = function.inner[0], function.arguments(args)[0]
        if not isinstance(function, Slice):
            raise _refused(function, value, error) from None
        problem = error
    try:
        return dump(_without_culprits(function, args, value, payloads), alone=True)
    except Exception:
        raise _refused(function, value, problem) from None


def _refused(function: Any, value: Any, error: Exception) -> ResultNotPicklable:
    return ResultNotPicklable(of_result(name_of(function), value, error))


def _without_culprits(function: Slice, columns: Any, result: Any, payloads: Payloads) -> tuple[Any, ...]:
    """Return the result of a slice in which the items whose values cannot travel have failed."""
    values, failures, seconds = result
    failed = dict(failures)
    for place, value in enumerate(values):
        try:
            if place not in failed:
                payloads.dump(value, inline=True)
        except (Exception, SystemExit) as error:
            refused = _refused(function, value, error if isinstance(error, Exception) else RuntimeError(repr(error)))
            row = tuple(column[place] for column in columns)
            said = where(refused, function.function(), row)
            failed[place] = dump_failure(refused, payloads, said, inside=True)
            values[place] = None
    return values, sorted(failed.items()), seconds
