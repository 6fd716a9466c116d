"""Priorities as users give them; and ``priority=`` of ``submit``, which :mod:`.options` has replaced."""

from __future__ import annotations

import contextlib
import inspect
import operator
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from ..worker.call_terms import CallTerms

MOST = (1 << 31) - 1
_takes_it: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


def taken_from(function: Callable[..., Any], kwargs: dict[str, Any]) -> CallTerms | None:
    """Take ``priority`` out of the keyword arguments of a call whose function does not take it; None for others.

    A function that takes the keyword gets it, as PEP 3148 has it, ``**kwargs`` included. For others it would be an
    error: they are called with a priority, as before there were options, and a warning says what to write.

    >>> arguments = {"priority": 3}
    >>> taken_from(dict, arguments), arguments
    (None, {'priority': 3})
    >>> taken_from(lambda priority: priority, {"priority": 3})
    """
    if "priority" not in kwargs or _takes_priority(function):
        return None
    priority = checked(kwargs.pop("priority"))
    warnings.warn(
        f"submit(..., priority={priority}) is deprecated, for keywords of submit are the function's: "
        f"write options(priority={priority}).submit(...)",
        DeprecationWarning,
        stacklevel=3,
    )
    return CallTerms(priority)


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


def _takes_priority(function: Any) -> bool:
    """Whether the function takes a keyword called ``priority``."""
    key = getattr(function, "__func__", function)  # a bound method is made anew each time
    try:
        known = _takes_it.get(key)
    except TypeError:  # not hashable, or no weak references to it
        return _look(function)
    if known is None:
        known = _look(function)
        with contextlib.suppress(TypeError):
            _takes_it[key] = known
    return known


def _look(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions do not say
        return isinstance(function, type) and issubclass(function, dict)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return True
    parameter = parameters.get("priority")
    return parameter is not None and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
