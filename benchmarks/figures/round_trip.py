"""How long one Future takes there and back, one after the other."""

from __future__ import annotations

import os
import statistics
import time
from functools import partial

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric
from benchmarks.workloads import noop

WORKERS = 2
FUTURES = 2_000
WARM_UP_FUTURES = 200
BY_BROKER = "Executor by way of the Broker"


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


def measure_without_lanes(count: int) -> Metrics:
    """The same by way of the Broker."""
    os.environ["FEDFUTURES_LANES"] = "0"
    try:
        return measure(faces.fedfutures_executor, count)
    finally:
        del os.environ["FEDFUTURES_LANES"]


def figure(quick: bool) -> Figure:
    """Executor and launched against both pools."""
    contestants = {
        "Executor": Contestant(partial(measure, faces.fedfutures_executor, FUTURES)),
        "launched": Contestant(program="round_trip.py", arguments=(FUTURES,), workers=WORKERS),
        BY_BROKER: Contestant(partial(measure_without_lanes, FUTURES)),
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
        for ours, most in (("Executor", 0.7), ("launched", 0.7), (BY_BROKER, 1.1))
        for peer, bar in (("ProcessPoolExecutor", Bar("≤", most, "peer")), ("apply_async", None))
    ]
    return Figure("round_trip", contestants, rows)
