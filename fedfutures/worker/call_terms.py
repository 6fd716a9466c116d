"""On what terms a call runs: what ``options()`` says of it, on its way to the node that submits it."""

from __future__ import annotations

from typing import Any, NamedTuple

LONGEST_SECONDS = 10 * 366 * 86_400.0


class CallTerms(NamedTuple):
    """Made once for many calls; None stands for calls that have none."""

    priority: int | None = None  # None: that of the Future which submits
    time_limit: float | None = None  # in seconds

    def ranked(self, priority: int | None) -> CallTerms:
        """Return the same with this priority where they have none."""
        return self if self.priority is not None or priority is None else self._replace(priority=priority)


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
