"""The CPU time that a no-op Future costs in all processes together."""

from __future__ import annotations

import os
import time
from functools import partial

from benchmarks import faces, processes
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric
from benchmarks.workloads import noop

WORKERS = 2
FUTURES = 50_000
"""Enough for the clock ticks of 10 ms in which /proc counts."""


def measure(opener: faces.Opener, count: int) -> Metrics:
    """Microseconds of user and system time per Future."""
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        faces.submit_all(face, noop, [()] * 500)
        before = processes.cpu_seconds(os.getpid())
        faces.submit_all(face, noop, [()] * count)
        time.sleep(0.05)  # what is done after the last result counts too
        used = processes.cpu_seconds(os.getpid()) - before
    return {"microseconds": used / count * 1e6}


def figure(quick: bool) -> Figure:
    """Executor and launched against apply_async; the other pool for orientation."""
    contestants = {
        "Executor": Contestant(partial(measure, faces.fedfutures_executor, FUTURES)),
        "launched": Contestant(program="cpu_per_future.py", arguments=(FUTURES,), workers=WORKERS),
        "apply_async": Contestant(partial(measure, faces.pool, FUTURES)),
        "ProcessPoolExecutor": Contestant(partial(measure, faces.process_pool_executor, FUTURES // 5)),
    }
    rows = [
        Row(
            f"CPU per no-op Future, {ours}", "µs", metric(ours, "microseconds"), metric(peer, "microseconds"), peer, bar
        )
        for ours in ("Executor", "launched")
        for peer, bar in (("apply_async", Bar("≤", 0.5, "peer")), ("ProcessPoolExecutor", None))
    ]
    return Figure("cpu_per_future", contestants, rows)
