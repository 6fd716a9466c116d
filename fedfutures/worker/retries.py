"""What ``options(retries=)`` says: how often a call that has raised is tried again, upon what, and when."""

from __future__ import annotations

from typing import Any, NamedTuple

MOST_RETRIES = 1_000_000


class Retries(NamedTuple):
    """How often to try again. ``options(retries=3)`` stands for ``Retries(3)``.

    most: how often a call is tried again; it runs at most once more than that.
    on: the exceptions upon which it is tried again, as in an ``except`` clause.
    delay: seconds before the second try.
    factor: by so much each wait is longer than the one before.
    longest: the longest wait in seconds.

    >>> Retries(3, on=(OSError,), delay=0.5).wait(2)
    1.0
    """

    most: int
    on: type[BaseException] | tuple[type[BaseException], ...] = Exception
    delay: float = 0.1
    factor: float = 2.0
    longest: float = 60.0

    def wait(self, tries: int) -> float:
        """Return how many seconds to wait once a call has raised that was tried so often."""
        return float(min(self.longest, self.delay * self.factor ** min(tries - 1, 64)))


def checked_retries(retries: Any) -> Retries | None:
    """Return how often to try again; raise TypeError or ValueError for what does not say that.

    >>> checked_retries(2).most, checked_retries(0), checked_retries(None)
    (2, None, None)
    """
    if retries is None:
        return None
    if not isinstance(retries, Retries):
        if isinstance(retries, bool) or not hasattr(retries, "__index__"):
            raise TypeError(f"retries must be an integer, Retries or None, not {retries!r}")
        retries = Retries(retries.__index__())
    kinds = retries.on if isinstance(retries.on, tuple) else (retries.on,)
    if not kinds or not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        raise TypeError(f"retries: on must be an exception class or a tuple of them, not {retries.on!r}")
    if not 0 <= retries.most <= MOST_RETRIES:
        raise ValueError(f"retries must be from 0 to {MOST_RETRIES:,}, not {retries.most!r}")
    if not (retries.delay >= 0 and retries.factor >= 1 and 0 <= retries.longest < 10**9):
        raise ValueError(f"retries: delay and longest must be seconds from 0 on, and factor from 1 on: {retries!r}")
    return retries if retries.most else None
