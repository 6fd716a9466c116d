"""How many separate no-op Futures a second: submit them all, then read all results."""

from __future__ import annotations

from functools import partial

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric
from benchmarks.workloads import noop

WORKERS = 2
FUTURES = 20_000


def measure(opener: faces.Opener, count: int) -> Metrics:
    """Futures per second with Workers that are up."""
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        faces.submit_all(face, noop, [()] * 500)
        seconds, _ = faces.submit_all(face, noop, [()] * count)
    return {"rate": count / seconds}


def figure(quick: bool) -> Figure:
    """Executor and launched, against both pools."""
    contestants = {
        "Executor": Contestant(partial(measure, faces.fedfutures_executor, FUTURES)),
        "launched": Contestant(program="submit_rate.py", arguments=(FUTURES,), workers=WORKERS),
        "apply_async": Contestant(partial(measure, faces.pool, FUTURES)),
        "ProcessPoolExecutor": Contestant(partial(measure, faces.process_pool_executor, FUTURES)),
    }
    rows = [
        Row(
            f"{FUTURES:,} no-op submits, {ours}",
            "/s",
            metric(ours, "rate"),
            metric(peer, "rate"),
            peer,
            Bar("≥", times, "peer"),
        )
        for ours in ("Executor", "launched")
        for peer, times in (("apply_async", 3), ("ProcessPoolExecutor", 9))
    ]
    return Figure("submit_rate", contestants, rows)
