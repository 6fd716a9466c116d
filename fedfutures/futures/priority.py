"""Whose keyword is ``priority``: the call's own, or ours?"""

from __future__ import annotations

import inspect
import operator
import weakref
from collections.abc import Callable
from typing import Any

MOST = (1 << 31) - 1
_has_it: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


def taken_from(function: Callable[..., Any], kwargs: dict[str, Any]) -> int | None:
    """Take ``priority`` out of the keyword arguments of a call; None where there is none.

    A function that has a parameter of that name itself gets it, as PEP 3148 has it. ``**kwargs`` is no such parameter.

    >>> arguments = {"base": 2, "priority": 3}
    >>> taken_from(int, arguments), arguments
    (3, {'base': 2})
    >>> taken_from(lambda priority: priority, {"priority": 3})
    """
    if "priority" not in kwargs or _is_of(function):
        return None
    return checked(kwargs.pop("priority"))


def checked(priority: Any) -> int:
    """Return a priority as an int; raise TypeError or ValueError for what is none.

    >>> checked(-1)
    -1
    >>> checked("high")
    Traceback (most recent call last):
    TypeError: priority must be an integer (higher ones go first), not 'high'
    """
    try:
        if isinstance(priority, bool):
            raise TypeError
        number = operator.index(priority)
    except TypeError:
        raise TypeError(f"priority must be an integer (higher ones go first), not {priority!r}") from None
    if abs(number) > MOST:
        raise ValueError(f"priority must be between -{MOST} and {MOST}, not {priority!r}")
    return number


def _is_of(function: Any) -> bool:
    """Whether the function has an explicit parameter called ``priority`` that can be given by keyword."""
    key = getattr(function, "__func__", function)  # a bound method is made anew each time
    try:
        known = _has_it.get(key)
    except TypeError:  # not hashable, or no weak references to it
        return _look(function)
    if known is None:
        known = _look(function)
        try:
            _has_it[key] = known
        except TypeError:
            pass
    return known


def _look(function: Any) -> bool:
    try:
        parameter = inspect.signature(function).parameters.get("priority")
    except (TypeError, ValueError):  # some built-in functions do not say
        return False
    return parameter is not None and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
