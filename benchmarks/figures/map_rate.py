"""How many trivial items a second one map carries from a generator, in order, and in how much memory."""

from __future__ import annotations

import operator
import os
import statistics
import time
from functools import partial

from benchmarks import faces, processes
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric
from benchmarks.workloads import identity

WORKERS = 2
ITEMS = 1_000_000
RANGES = ((100_000, 9), (1_000_000, 3))
"""Maps of a range: how many items, and how often."""
FURTHER = 3
"""How many times longer the second map is, whose memory must not be larger."""
FURTHER_GROWTH_MIB = 8


def _run(face: faces.Face, count: int) -> float:
    """Map and check the order: the seconds it took."""
    start = time.perf_counter()
    right = sum(map(operator.eq, face.map(identity, (item for item in range(count))), range(count)))
    seconds = time.perf_counter() - start
    assert right == count, f"{count - right:,} of {count:,} results missing or out of order"
    return seconds


def _rate_of_range(face: faces.Face, count: int, times: int) -> float:
    """Items per second of the median of some maps of a range."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        right = sum(map(operator.eq, face.map(identity, range(count)), range(count)))
        taken.append(time.perf_counter() - start)
        assert right == count, f"{count - right:,} of {count:,} results missing or out of order"
    return count / statistics.median(taken)


def measure(opener: faces.Opener, count: int) -> Metrics:
    """Items per second, the Origin's peak growth, and what a longer map adds to all processes' peaks."""
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        _run(face, 10_000)
        from_range = {f"range {size}": _rate_of_range(face, size, times) for size, times in RANGES if size <= count}
        origin = os.getpid()
        before = processes.rss_bytes(origin)
        processes.reset_peak(origin)
        seconds = _run(face, count)
        growth = processes.peak_rss_bytes(origin) - before
        peaks = _peaks(origin)
        _run(face, FURTHER * count)
        further = sum(max(0, peak - peaks.get(pid, peak)) for pid, peak in _peaks(origin).items())
    return {**from_range, "rate": count / seconds, "growth": growth / processes.MIB, "further": further / processes.MIB}


def _peaks(origin: int) -> dict[int, int]:
    return {
        process.pid: processes.peak_rss_bytes(process.pid) for process in processes.tree(origin) if process.state != "Z"
    }


def figure(quick: bool) -> Figure:
    """Executor and launched against Pool.map."""
    contestants = {
        "Executor": Contestant(partial(measure, faces.fedfutures_executor, ITEMS)),
        "launched": Contestant(program="map_rate.py", arguments=(ITEMS,), workers=WORKERS),
        "Pool.map": Contestant(partial(measure, faces.pool, ITEMS)),
        "ProcessPoolExecutor": Contestant(partial(measure, faces.process_pool_executor, ITEMS // 100)),
    }
    rows = []
    for ours in ("Executor", "launched"):
        rows += [
            Row(
                f"map of {size:,} items of a range, {ours}",
                "/s",
                metric(ours, f"range {size}"),
                metric("Pool.map", f"range {size}"),
                "Pool.map",
                Bar("≥", 1.2, "peer"),
            )
            for size, _ in RANGES
        ]
        rows += [
            Row(
                f"map of {ITEMS:,} items, {ours}",
                "/s",
                metric(ours, "rate"),
                metric("Pool.map", "rate"),
                "Pool.map",
                Bar("≥", 1.2, "peer"),
            ),
            Row(
                f"Origin's peak growth meanwhile, {ours}",
                "MiB",
                metric(ours, "growth"),
                metric("Pool.map", "growth"),
                "Pool.map",
            ),
            Row(
                f"further growth of all with {FURTHER} × the items, {ours}",
                "MiB",
                metric(ours, "further"),
                metric("Pool.map", "further"),
                "Pool.map",
                Bar("≤", FURTHER_GROWTH_MIB),
            ),
        ]
    rows.append(
        Row(
            f"map, Executor; the peer with {ITEMS // 100:,} items only",
            "/s",
            metric("Executor", "rate"),
            metric("ProcessPoolExecutor", "rate"),
            "ProcessPoolExecutor",
        )
    )
    return Figure("map_rate", contestants, rows)
