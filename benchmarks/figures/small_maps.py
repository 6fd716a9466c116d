"""The inner loop of a sampler or an optimiser: the same short map, over and over. Median seconds for one map."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Outcomes, Row, Values, metric
from benchmarks.workloads import burn_1ms, burn_100us, identity

WORKERS = 2
WARM_UP = 10


class Case(NamedTuple):
    """One map: what its items do, how many there are, how often it is repeated, and the bars."""

    label: str
    function: Callable[[int], int]
    items: int
    repetitions: int
    of_pool: float | None = None
    of_executor: float | None = None
    of_better: float | None = None


CASES = (
    Case("2 trivial items", identity, 2, 300, of_pool=1.2),
    Case("16 trivial items", identity, 16, 300, of_pool=1.2),
    Case("50 trivial items", identity, 50, 300, of_pool=1.2, of_executor=0.3),
    Case("50 items of 100 µs", burn_100us, 50, 100, of_better=1.1),
    Case("50 items of 1 ms", burn_1ms, 50, 40, of_better=1.1),
    Case("200 items of 1 ms", burn_1ms, 200, 20, of_better=1.1),
)
POOL, EXECUTOR, BETTER = "Pool.map", "ProcessPoolExecutor", "the better of the two"


def measure(opener: faces.Opener, quick: bool) -> Metrics:
    """The median of each case, in milliseconds."""
    found = {}
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        for case in CASES:
            taken = []
            for _ in range(WARM_UP + case.repetitions // (4 if quick else 1)):
                start = time.perf_counter()
                results = list(face.map(case.function, range(case.items)))
                taken.append(time.perf_counter() - start)
                assert results == list(range(case.items))
            found[case.label] = statistics.median(taken[WARM_UP:]) * 1000
    return found


def better(name: str) -> Values:
    """The lower of both peers' values, repetition by repetition."""
    one, other = metric(POOL, name), metric(EXECUTOR, name)

    def values(outcomes: Outcomes) -> list[float]:
        return [min(pair) for pair in zip(one(outcomes), other(outcomes), strict=False)]

    return values


def figure(quick: bool) -> Figure:
    """Executor and launched against both pools."""
    contestants = {
        "Executor": Contestant(partial(measure, faces.fedfutures_executor, quick)),
        "launched": Contestant(program="small_maps.py", arguments=(int(quick),), workers=WORKERS),
        POOL: Contestant(partial(measure, faces.pool, quick)),
        EXECUTOR: Contestant(partial(measure, faces.process_pool_executor, quick)),
    }
    rows = []
    for case in CASES:
        peers = (
            (metric(POOL, case.label), POOL, case.of_pool),
            (metric(EXECUTOR, case.label), EXECUTOR, case.of_executor),
            (better(case.label), BETTER, case.of_better),
        )
        for ours in ("Executor", "launched"):
            for peer, peer_name, limit in peers:
                if limit is not None:
                    label = f"map of {case.label}, {ours}"
                    rows.append(Row(label, "ms", metric(ours, case.label), peer, peer_name, Bar("≤", limit, "peer")))
    return Figure("small_maps", contestants, rows)
