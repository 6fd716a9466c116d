"""A few long Futures among many short ones: does anything wait behind them while a Worker idles?

The makespan is compared with list scheduling: each Future, in the order submitted, goes to the Worker that is
free first.
"""

from __future__ import annotations

import heapq
import time
from functools import partial

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

WORKERS = 8
SHORT, LONG = 0.005, 0.400
LONG_ONES = 4
FUTURES = 64
HISTORY = 400
"""Short Futures of the same function that ran before, where long ones hide among what looks like more."""


def last() -> list[float]:
    """The long ones come last, when every Worker may have taken its share."""
    return [SHORT] * (FUTURES - LONG_ONES) + [LONG] * LONG_ONES


def scattered() -> list[float]:
    """The long ones evenly among the short."""
    return [LONG if index % (FUTURES // LONG_ONES) == 7 else SHORT for index in range(FUTURES)]


def hidden() -> list[float]:
    """The long ones together in the middle, with short ones before and behind them."""
    half = [SHORT] * ((FUTURES - LONG_ONES) // 2)
    return [*half, *[LONG] * LONG_ONES, *half]


PATTERNS = {"long ones last": last, "scattered": scattered, "behind equal-looking": hidden}


def list_scheduling(durations: list[float], workers: int) -> float:
    """The makespan when each goes, in order, to the Worker that is free first."""
    free_at = [0.0] * workers
    for duration in durations:
        heapq.heappush(free_at, heapq.heappop(free_at) + duration)
    return max(free_at)


def measure(opener: faces.Opener, pattern: str, by_map: bool) -> Metrics:
    """The makespan, relative to list scheduling."""
    durations = PATTERNS[pattern]()
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        if pattern == "behind equal-looking":
            faces.submit_all(face, time.sleep, [(SHORT,)] * HISTORY)
        if by_map:
            start = time.perf_counter()
            list(face.map(time.sleep, durations))
            seconds = time.perf_counter() - start
        else:
            seconds, _ = faces.submit_all(face, time.sleep, [(duration,) for duration in durations])
    return {"makespan": seconds / list_scheduling(durations, WORKERS)}


def figure(quick: bool) -> Figure:
    """Every pattern by submit and by map."""
    contestants, rows = {}, []
    for by_map, way, peer in ((False, "submit", "apply_async"), (True, "map", "Pool.map")):
        for pattern in PATTERNS:
            ours, theirs = f"{way} {pattern}", f"{peer} {pattern}"
            contestants[ours] = Contestant(partial(measure, faces.fedfutures_executor, pattern, by_map))
            contestants[theirs] = Contestant(partial(measure, faces.pool, pattern, by_map))
            rows.append(
                Row(
                    f"{pattern}, by {way}, of list scheduling",
                    "×",
                    metric(ours, "makespan"),
                    metric(theirs, "makespan"),
                    peer,
                    Bar("≤", 1.05),
                )
            )
    return Figure("skew", contestants, rows)
