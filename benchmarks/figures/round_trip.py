"""How long one Future takes there and back, one after the other."""

from __future__ import annotations

import statistics
import time
from functools import partial

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric
from benchmarks.workloads import noop

WORKERS = 2
FUTURES = 2_000
WARM_UP_FUTURES = 200


def measure(opener: faces.Opener, count: int) -> Metrics:
    """The median round trip in microseconds."""
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        trips = []
        for _ in range(WARM_UP_FUTURES + count):
            start = time.perf_counter()
            face.result(face.submit(noop))
            trips.append(time.perf_counter() - start)
    return {"microseconds": statistics.median(trips[WARM_UP_FUTURES:]) * 1e6}


def figure(quick: bool) -> Figure:
    """Executor and launched against both pools."""
    contestants = {
        "Executor": Contestant(partial(measure, faces.fedfutures_executor, FUTURES)),
        "launched": Contestant(program="round_trip.py", arguments=(FUTURES,), workers=WORKERS),
        "ProcessPoolExecutor": Contestant(partial(measure, faces.process_pool_executor, FUTURES)),
        "apply_async": Contestant(partial(measure, faces.pool, FUTURES)),
    }
    rows = [
        Row(
            f"submit and result in turn, {ours}",
            "µs",
            metric(ours, "microseconds"),
            metric(peer, "microseconds"),
            peer,
            bar,
        )
        for ours in ("Executor", "launched")
        for peer, bar in (("ProcessPoolExecutor", Bar("≤", 1, "peer")), ("apply_async", None))
    ]
    return Figure("round_trip", contestants, rows)
