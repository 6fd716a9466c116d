"""How near Futures of some milliseconds come to the ideal: their work divided by the Workers."""

from __future__ import annotations

import time
from functools import partial

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric
from benchmarks.workloads import burn

CPU_WORKERS = 2
CPU_LOADS = ((2_000, 0.001, 0.93), (400, 0.010, 0.97))
"""Futures, seconds of CPU time, bar."""
SLEEPS = ((16, 3_200, 0.010, 0.96), (64, 6_400, 0.050, 0.97))
"""Workers, Futures, seconds, bar."""


def measure_cpu(opener: faces.Opener, count: int, seconds: float) -> Metrics:
    """The ideal is the CPU time that the Futures say they used, divided by the Workers."""
    with opener(CPU_WORKERS) as face:
        faces.warm_up(face, CPU_WORKERS)
        elapsed, used = faces.submit_all(face, burn, [(seconds,)] * count)
    return {"efficiency": sum(used) / CPU_WORKERS / elapsed}


def measure_sleep(opener: faces.Opener, workers: int, count: int, seconds: float) -> Metrics:
    """The ideal is the sleep asked for, divided by the Workers."""
    with opener(workers) as face:
        faces.warm_up(face, workers)
        elapsed, _ = faces.submit_all(face, time.sleep, [(seconds,)] * count)
    return {"efficiency": seconds * count / workers / elapsed}


def figure(quick: bool) -> Figure:
    """CPU beside ProcessPoolExecutor, sleeps beside Pool."""
    contestants: dict[str, Contestant] = {}
    rows = []
    for count, seconds, bar in CPU_LOADS:
        title = f"{count:,} × {seconds * 1000:g} ms CPU"
        _add(
            contestants,
            title,
            "ProcessPoolExecutor",
            partial(measure_cpu, faces.fedfutures_executor, count, seconds),
            partial(measure_cpu, faces.process_pool_executor, count, seconds),
        )
        rows.append(_row(f"{title}, of ideal", title, "ProcessPoolExecutor", bar))
    for workers, full_count, seconds, bar in SLEEPS:
        count = full_count // 2 if quick else full_count
        title = f"{count:,} sleeps of {seconds * 1000:g} ms"
        _add(
            contestants,
            title,
            "apply_async",
            partial(measure_sleep, faces.fedfutures_executor, workers, count, seconds),
            partial(measure_sleep, faces.pool, workers, count, seconds),
        )
        rows.append(_row(f"{title}, {workers} Workers, of ideal", title, "apply_async", bar))
    return Figure("efficiency", contestants, rows)


def _add(
    contestants: dict[str, Contestant], title: str, peer: str, ours: partial[Metrics], theirs: partial[Metrics]
) -> None:
    contestants[f"Executor {title}"] = Contestant(ours)
    contestants[f"{peer} {title}"] = Contestant(theirs)


def _row(label: str, title: str, peer: str, bar: float) -> Row:
    return Row(
        label,
        "",
        metric(f"Executor {title}", "efficiency"),
        metric(f"{peer} {title}", "efficiency"),
        peer,
        Bar("≥", bar),
    )
