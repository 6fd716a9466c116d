"""How far away a Broker may be before its Workers wait for work: the share of Workers that are busy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks import faces
from benchmarks.lab import Lab, spell
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

WORKERS = 8
"""Of each host."""
SLEEP_SECONDS = 0.010
FROM_SECONDS, UNTIL_SECONDS = 1.0, 3.0
FUTURES = int(2 * WORKERS * (UNTIL_SECONDS + 0.5) / SLEEP_SECONDS)
ROUND_TRIPS = ((0.020, 0.95), (0.200, 0.9))
"""Seconds, bar."""

Ran = tuple[int, int, float, float]
"""A Worker, its host, from when, until when."""


def busy(rows: Sequence[Ran], begin: float, workers: int) -> float:
    """The share of Workers that ran something, from one second after `begin` on; a gap between Futures is idle."""
    start, end = begin + FROM_SECONDS, begin + UNTIL_SECONDS
    spent = sum(max(0.0, min(row[3], end) - max(row[2], start)) for row in rows)
    return spent / workers / (end - start)


def measure(round_trip: float | None) -> Metrics:
    """The share of all Workers, and of the far ones; two hosts at the end of a link, or one without."""
    workers = [2 * WORKERS] if round_trip is None else [WORKERS, WORKERS]
    with Lab(workers, {} if round_trip is None else {(0, 1): round_trip / 2}) as lab:
        site = lab.site(0)
        lab.meet(site)
        _, rows = faces.submit_all(lab.face(site), spell, [(SLEEP_SECONDS,)] * FUTURES)
    begin = min(row[2] for row in rows)
    shares = {"busy": busy(rows, begin, 2 * WORKERS)}
    if round_trip is not None:
        shares |= {f"host {host}": busy([row for row in rows if row[1] == host], begin, WORKERS) for host in (0, 1)}
    return shares


def figure(quick: bool) -> Figure:
    """Two distances, beside all Workers behind one Broker."""
    contestants = {f"{far:g} s": Contestant(partial(measure, far)) for far, _ in ROUND_TRIPS}
    contestants["one Broker"] = Contestant(partial(measure, None))
    rows = [
        Row(
            f"busy Workers, 2 × {WORKERS}, sleeps of {SLEEP_SECONDS * 1000:g} ms, {far * 1000:g} ms round trip",
            "",
            metric(f"{far:g} s", "busy"),
            metric("one Broker", "busy"),
            "one Broker",
            Bar("≥", bar),
        )
        for far, bar in ROUND_TRIPS
    ]
    return Figure("distance", contestants, rows)
