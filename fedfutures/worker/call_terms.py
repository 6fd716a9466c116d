"""On what terms a call runs: what ``options()`` says of it, on its way to the node that submits it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..federation.terms import FREE, Conditions
from ..sizes import size_of
from ..wire.messages import ALONE_FLAG, CAPTURE_FLAG, ONCE_FLAG
from .retries import Retries, checked_retries

LONGEST_SECONDS = 10 * 366 * 86_400.0


class CallTerms(NamedTuple):
    """Made once for many calls; None stands for calls that have none."""

    priority: int | None = None  # None: that of the Future which submits
    conditions: Conditions = FREE
    retries: Retries | None = None

    def ranked(self, priority: int | None) -> CallTerms:
        """Return the same with this priority where they have none."""
        return self if self.priority is not None or priority is None else self._replace(priority=priority)

    @property
    def is_for_items(self) -> bool:
        """Whether each item of a map has to be a Future of its own, to be ended or tried again alone."""
        return self.conditions.is_alone or self.retries is not None


def checked_terms(
    priority: int | None = None, time_limit: Any = None, retries: Any = None, idempotent: Any = None,
    cancellable: Any = None, memory: Any = None, capture: Any = None,
) -> CallTerms | None:  # fmt: skip
    """Return the terms that options give, None where they give none; raise TypeError or ValueError for wrong ones.

    priority: an integer that was checked. The others: see :class:`fedfutures.futures.CallOptions`.

    >>> checked_terms() is None, checked_terms(3).priority, checked_terms(time_limit=0.5).conditions.limit
    (True, 3, 500)
    """
    seconds = checked_limit(time_limit)
    tries = checked_retries(retries)
    once = checked_flag("idempotent", idempotent) is False
    if once and tries is not None:
        raise ValueError("retries= runs a call again, and idempotent=False says that it may run once at most: give one")
    flags = ONCE_FLAG if once else 0
    if checked_flag("cancellable", cancellable):
        flags |= ALONE_FLAG
    if checked_flag("capture", capture):
        flags |= ALONE_FLAG | CAPTURE_FLAG
    limit = 0 if seconds is None else max(1, math.ceil(1000 * seconds))
    conditions = Conditions(limit, flags, checked_memory(memory) or 0)
    if priority is None and tries is None and conditions == FREE:
        return None
    return CallTerms(priority, FREE if conditions == FREE else conditions, tries)


def checked_flag(name: str, value: Any) -> bool | None:
    """Return True, False or None; raise TypeError for anything else."""
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(f"{name} must be True or False, not {value!r}")


def checked_limit(time_limit: Any) -> float | None:
    """Return a time limit in seconds; raise TypeError or ValueError for what is none.

    >>> checked_limit(2), checked_limit(None)
    (2.0, None)
    >>> checked_limit(0)
    Traceback (most recent call last):
    ValueError: time_limit must be above 0 seconds and at most ten years, not 0
    """
    if time_limit is None:
        return None
    if isinstance(time_limit, (bool, str, bytes)) or not hasattr(time_limit, "__float__"):
        raise TypeError(f"time_limit must be a number of seconds or None, not {time_limit!r}")
    seconds = float(time_limit)
    if not 0.0 < seconds <= LONGEST_SECONDS:
        raise ValueError(f"time_limit must be above 0 seconds and at most ten years, not {time_limit!r}")
    return seconds


def checked_memory(memory: Any) -> int | None:
    """Return how many bytes a call may use; raise TypeError or ValueError for what is no size.

    >>> checked_memory("1.5 GiB"), checked_memory(None)
    (1610612736, None)
    """
    return None if memory is None else size_of(memory, "memory")
