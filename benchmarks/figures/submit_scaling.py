"""Whether a Future costs the same in a crowd: time and memory as the number submitted grows."""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks import faces, processes
from benchmarks.model import Bar, Contestant, Figure, Metrics, Outcomes, Row, Values, metric
from benchmarks.workloads import hold, noop

WORKERS = 2
SIZES = (1_000, 10_000, 100_000, 1_000_000)
FUTURES_PER_SAMPLE = 50_000
"""Small sizes are measured in several rounds."""
PENDING = 100_000
BROKER_GROWTH_MIB = 16
"""What ten times the Futures may add: with 100 bytes kept of each of 900,000 it would be 86 MiB."""


def measure(opener: faces.Opener, count: int) -> Metrics:
    """Microseconds per Future, and the Broker's growth."""
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        faces.submit_all(face, noop, [()] * 500)
        broker = processes.find(os.getpid(), "broker")
        before = processes.rss_bytes(broker.pid) if broker else 0
        rounds = max(1, FUTURES_PER_SAMPLE // count)
        seconds = [faces.submit_all(face, noop, [()] * count)[0] for _ in range(rounds)]
        metrics = {"microseconds": statistics.median(seconds) / count * 1e6}
        if broker:
            metrics["broker_growth"] = (processes.peak_rss_bytes(broker.pid) - before) / processes.MIB
    return metrics


def measure_pending(opener: faces.Opener, count: int) -> Metrics:
    """Bytes by which the Origin grows per Future while all Workers are held up."""
    with opener(WORKERS) as face, tempfile.TemporaryDirectory() as directory:
        faces.warm_up(face, WORKERS)
        faces.submit_all(face, noop, [()] * 1_000)
        holding = [face.submit(hold, directory) for _ in range(WORKERS)]
        deadline = time.monotonic() + 10
        while len(list(Path(directory).iterdir())) < WORKERS:
            assert time.monotonic() < deadline, "the Workers could not all be held up"
            time.sleep(0.01)
        gc.collect()
        before = processes.rss_bytes(os.getpid())
        handles = [face.submit(noop) for _ in range(count)]
        time.sleep(0.3)
        growth = processes.rss_bytes(os.getpid()) - before
        Path(directory, "release").touch()
        for handle in handles + holding:
            face.result(handle)
    return {"bytes": growth / count}


def _flatness(sizes: tuple[int, ...]) -> Values:
    """The dearest size over the cheapest, by medians."""

    def values(outcomes: Outcomes) -> list[float]:
        medians = [statistics.median(metric(f"Executor {size:,}", "microseconds")(outcomes)) for size in sizes]
        return [max(medians) / min(medians)]

    return values


def _broker_growth(small: int, large: int) -> Values:
    """How much more the Broker grows with many Futures than with few, by medians."""

    def values(outcomes: Outcomes) -> list[float]:
        few, many = (
            statistics.median(metric(f"Executor {size:,}", "broker_growth")(outcomes)) for size in (small, large)
        )
        return [max(0.0, many - few)]

    return values


def figure(quick: bool) -> Figure:
    """Each size beside the pool, then what follows from all sizes."""
    sizes = SIZES[:-1] if quick else SIZES
    contestants = {}
    for size in sizes:
        for name, opener in (("Executor", faces.fedfutures_executor), ("apply_async", faces.pool)):
            contestants[f"{name} {size:,}"] = Contestant(
                partial(measure, opener, size),
                at_most=1 if size == SIZES[-1] else None,
                timeout_seconds=60 + size / 5_000,
            )
    contestants["Executor pending"] = Contestant(partial(measure_pending, faces.fedfutures_executor, PENDING))
    contestants["apply_async pending"] = Contestant(partial(measure_pending, faces.pool, PENDING))
    rows = [
        Row(
            f"time per Future of {size:,}",
            "µs",
            metric(f"Executor {size:,}", "microseconds"),
            metric(f"apply_async {size:,}", "microseconds"),
            "apply_async",
        )
        for size in sizes
    ]
    rows += [
        Row("dearest of these over cheapest", "×", _flatness(sizes), bar=Bar("≤", 1.3)),
        Row(
            f"Broker's growth, {sizes[-2]:,} to {sizes[-1]:,}",
            "MiB",
            _broker_growth(*sizes[-2:]),
            bar=Bar("≤", BROKER_GROWTH_MIB),
        ),
        Row(
            "Origin's growth per pending Future",
            "bytes",
            metric("Executor pending", "bytes"),
            metric("apply_async pending", "bytes"),
            "apply_async",
            Bar("≤", 1024),
        ),
    ]
    return Figure("submit_scaling", contestants, rows)
