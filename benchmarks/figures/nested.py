"""Recursion in which every call submits two Futures and waits.

The pools of the standard library deadlock on it, so it has no peer.
"""

from __future__ import annotations

from functools import partial

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

WORKERS = 2
N = 18
ROUNDS = 5
FUTURES_PER_SECOND = 150_000


def measure(opener: faces.Opener, n: int, rounds: int) -> Metrics:
    """Futures per second, those inside Futures included."""
    from benchmarks.nesting import measure_fib

    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        return measure_fib(face, n, rounds)


def figure(quick: bool) -> Figure:
    """Executor and launched."""
    contestants = {
        "Executor": Contestant(partial(measure, faces.fedfutures_executor, N, ROUNDS)),
        "launched": Contestant(program="nested.py", arguments=(N, ROUNDS), workers=WORKERS),
    }
    rows = [
        Row(f"recursive fib({N}), {ours}", "/s", metric(ours, "rate"), bar=Bar("≥", FUTURES_PER_SECOND))
        for ours in contestants
    ]
    return Figure("nested", contestants, rows)
