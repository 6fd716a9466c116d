"""What seals cost: the same host behind a link with TCP and CURVE, in a run with a key and in one without."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from benchmarks import faces
from benchmarks.figures.brokers import NOOPS, WARM_UP_FUTURES
from benchmarks.figures.hosts import ARRAY_BYTES, ARRAYS, MB, WARM_UP_ROUNDS, first_and_last
from benchmarks.lab import Lab
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric
from benchmarks.workloads import noop

CALLS = 300
LARGE_BYTES, LARGE_ROUNDS = 100_000_000, 5
KEY = bytes(range(32))
WAYS = {"sealed": KEY, "plain": None}


def measure_noops(seal: bytes | None, count: int) -> Metrics:
    """No-op Futures per second, and the time from one submit to its result."""
    with Lab([0, 2], secure=True, seal=seal) as lab:
        site = lab.site(0)
        lab.meet(site)
        face = lab.face(site)
        faces.submit_all(face, noop, [()] * WARM_UP_FUTURES)
        seconds, _ = faces.submit_all(face, noop, [()] * count)
        start = time.perf_counter()
        for _ in range(CALLS):
            site.submit(noop).result()
        call = (time.perf_counter() - start) / CALLS
    return {"rate": count / seconds, "microseconds": 1e6 * call}


def measure_arrays(seal: bytes | None, count: int) -> Metrics:
    """Megabytes per second of arrays on their way to the other host; each is read there."""
    import numpy

    arrays = [numpy.full(ARRAY_BYTES // 8, float(number)) for number in range(count)]
    with Lab([0, 2], secure=True, seal=seal) as lab:
        site = lab.site(0)
        lab.meet(site)
        for _ in range(WARM_UP_ROUNDS):
            list(site.map(first_and_last, arrays))
        start = time.perf_counter()
        list(site.map(first_and_last, arrays))
        seconds = time.perf_counter() - start
    return {"rate": count * ARRAY_BYTES / seconds / MB}


def large(number: int) -> Any:
    """Make a large result."""
    import numpy

    return numpy.full(LARGE_BYTES // 8, float(number))


def measure_result(seal: bytes | None, workers: list[int]) -> Metrics:
    """The time that one large result takes, the best of a few; of a Worker here, or of one on the other host."""
    taken = []
    with Lab(workers, secure=True, seal=seal) as lab:
        site = lab.site(0)
        lab.meet(site)
        for number in range(LARGE_ROUNDS):
            start = time.perf_counter()
            assert site.submit(large, number).result()[-1] == number
            taken.append(time.perf_counter() - start)
    return {"milliseconds": 1000 * min(taken)}


def figure(quick: bool) -> Figure:
    """Small Futures, arrays in, a large result."""
    noops, arrays = (NOOPS // 4, ARRAYS // 3) if quick else (NOOPS, ARRAYS)
    contestants: dict[str, Contestant] = {}
    for name, key in WAYS.items():
        contestants[f"no-ops, {name}"] = Contestant(partial(measure_noops, key, noops))
        contestants[f"arrays, {name}"] = Contestant(partial(measure_arrays, key, arrays))
        contestants[f"result, {name}"] = Contestant(partial(measure_result, key, [0, 1]))
        contestants[f"near result, {name}"] = Contestant(partial(measure_result, key, [1, 0]))
    asked = [
        (f"{noops:,} no-op submits over one link", "/s", "no-ops", "rate", Bar("≥", 0.8, "peer")),
        ("submit and result in turn over one link", "µs", "no-ops", "microseconds", Bar("≤", 1.1, "peer")),
        (f"{arrays} arrays of 8 MB over one link", "MB/s", "arrays", "rate", Bar("≥", 0.6, "peer")),
        ("one result of 100 MB over one link", "ms", "result", "milliseconds", Bar("≤", 2.0, "peer")),
        ("one result of 100 MB of a Worker here", "ms", "near result", "milliseconds", None),
    ]
    rows = [
        Row(label, unit, metric(f"{load}, sealed", name), metric(f"{load}, plain", name), "without a key", bar)
        for label, unit, load, name, bar in asked
    ]
    return Figure("seals", contestants, rows)
