"""Large arrays: into Futures, out of them, and one to many."""

from __future__ import annotations

from functools import partial

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

ARRAYS = 100
SHARED_FUTURES = 32
PEER_FUTURES = 4
"""What the peer is asked to do of the 32: it needs nearly a second for each, so its time is scaled up."""
PEER = "ProcessPoolExecutor"


def measure(way: str, opener: faces.Opener, count: int) -> Metrics:
    """One of the measurements that need numpy, imported only in the process that measures."""
    from benchmarks import arrays

    if way == "shared.array":
        return arrays.measure_writable(opener, count)
    if way in ("map", "submit"):
        return arrays.measure_shared(opener, count, by_map=way == "map")
    return arrays.measure_in(opener, count) if way == "in" else arrays.measure_out(opener, count)


def figure(quick: bool) -> Figure:
    """In, out, and to many by map, by submit, and made by shared.array."""
    count = ARRAYS // 4 if quick else ARRAYS
    contestants, rows = {}, []
    for way in ("in", "out"):
        contestants[f"Executor {way}"] = Contestant(partial(measure, way, faces.fedfutures_executor, count))
        contestants[f"{PEER} {way}"] = Contestant(partial(measure, way, faces.process_pool_executor, count))
        rows.append(
            Row(
                f"{count} arrays of 8 MB, {way}",
                "MB/s",
                metric(f"Executor {way}", "rate"),
                metric(f"{PEER} {way}", "rate"),
                PEER,
                Bar("≥", 4, "peer"),
            )
        )
    contestants[f"{PEER} to many"] = Contestant(
        partial(measure, "submit", faces.process_pool_executor, PEER_FUTURES), at_most=2
    )
    for way in ("map", "submit", "shared.array"):
        contestants[f"Executor {way}"] = Contestant(partial(measure, way, faces.fedfutures_executor, SHARED_FUTURES))
        rows.append(
            Row(
                f"one array of 256 MB to {SHARED_FUTURES} Futures by {way}" + " and submit" * (way == "shared.array"),
                "s",
                metric(f"Executor {way}", "seconds"),
                metric(f"{PEER} to many", "seconds"),
                PEER,
                Bar("≤", 0.3),
            )
        )
    return Figure("arrays", contestants, rows)
