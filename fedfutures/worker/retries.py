"""What ``options(retries=)`` says: how often a call that has raised is tried again, upon what, and when. Pure."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from ..errors import FederationLost, FutureLost

MOST_RETRIES = 1_000_000
NEVER = (FederationLost, FutureLost, CancelledError, KeyboardInterrupt)
"""Upon these nothing is tried again: nobody is left to run it, it may run once at most, or it is not wanted."""


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


class Tries:
    """The tries of one Future: how many have begun, and whether there is another one.

    remake: makes the call anew, since a try that runs where it was submitted may change what it was given.
    """

    __slots__ = ("_began", "_last", "_remake", "_retries", "context", "count")

    def __init__(
        self, retries: Retries, now: float, remake: Callable[[], Any] = lambda: None, context: Any = None
    ) -> None:  # fmt: skip
        self.context = context  # on whose behalf it was submitted, in a Worker
        self._retries, self._began, self._remake = retries, now, remake
        self.count = 1
        self._last = ""  # what the last one has raised

    def wait_after(self, error: BaseException) -> float | None:
        """A try has raised: return how many seconds to wait before the next one; None: there is none."""
        retries = self._retries
        if self.count > retries.most or not isinstance(error, retries.on) or isinstance(error, NEVER):
            return None
        self.count += 1
        self._last = type(error).__name__
        return retries.wait(self.count - 1)

    def remade(self) -> Any:
        """Return the call for another try, None if it cannot be made. No lock is to be held: it may run user code."""
        try:
            return self._remake()
        except Exception:  # no memory is left, for instance: then what has been raised counts
            return None

    def told(self, now: float) -> str:
        """Return what the last error is to say of the tries before it; "" where it was the first."""
        return f"tried {self.count} times in {now - self._began:.3g} s" if self.count > 1 else ""

    def shown(self, seconds: float) -> str:
        """Return for people what the Future waits for, for so many seconds."""
        return f"it waits for its {ordinal(self.count)} try, in {max(0.0, seconds):.3g} s, since it raised {self._last}"


def ordinal(number: int) -> str:
    """Return a number as a place.

    >>> [ordinal(number) for number in (1, 2, 3, 4, 11, 22)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
