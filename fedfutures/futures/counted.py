"""How far something is: what progress, and who asks about a run, show of a map, a group or some Futures. Pure."""

from __future__ import annotations

from typing import NamedTuple

from .. import times


class Counted(NamedTuple):
    """How many are done of what was submitted, and how many of these have failed."""

    done: int
    failed: int = 0
    retries: int = 0  # how often one was started again
    mean: float | None = None  # seconds that one takes a Worker, where that was measured


def line(counted: Counted, total: int | None, seconds: float, workers: int = 0) -> str:
    """Return how far it is after so many seconds. With `workers`, the time that is left follows from what one takes.

    >>> line(Counted(50), 200, 10.0), line(Counted(50, 2, 1), None, 10.0)
    ('50 of 200 done (25 %), 5.0/s, 30 s left', '50 done, 5.0/s, 2 failed, 1 run again')
    >>> line(Counted(50, mean=0.2), 200, 10.0, workers=4)
    '50 of 200 done (25 %), 5.0/s, 7.5 s left'
    """
    rate = counted.done / seconds if seconds > 0 else 0.0
    parts = [_done(counted, total), f"{rate:,.1f}/s"]
    if total is not None:
        left = _left(counted, total, rate, workers)
        parts.append("not known how long" if left is None else f"{times.shown(left)} left")
    return ", ".join([*parts, *bad(counted)])


def _left(counted: Counted, total: int, rate: float, workers: int) -> float | None:
    """Return how many seconds are left: by what one takes, where that was measured, else by the rate so far."""
    left = total - counted.done
    if counted.mean is not None and workers:
        return left * counted.mean / workers
    return left / rate if rate else None


def last_line(counted: Counted, total: int | None, seconds: float) -> str:
    """Return the line for the end.

    >>> last_line(Counted(200, 1), 200, 40.0)
    '200 of 200 done (100 %) in 40 s, 5.0/s, 1 failed'
    """
    rate = counted.done / max(seconds, 1e-9)
    return ", ".join([f"{_done(counted, total)} in {times.shown(seconds)}", f"{rate:,.1f}/s", *bad(counted)])


def _done(counted: Counted, total: int | None) -> str:
    count = counted.done
    return f"{count:,} done" if total is None else f"{count:,} of {total:,} done ({100 * count // max(1, total)} %)"


def bad(counted: Counted) -> list[str]:
    """Return what has not gone well, in words."""
    found = [f"{counted.failed:,} failed"] if counted.failed else []
    return found + ([f"{counted.retries:,} run again"] if counted.retries else [])
