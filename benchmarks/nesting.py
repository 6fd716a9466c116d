"""Futures that submit Futures: a module of its own, since only its functions need fedfutures."""

from __future__ import annotations

import statistics
import time

from benchmarks.faces import Face
from benchmarks.model import Metrics
from fedfutures import futures


def fib(n: int) -> int:
    """The naive recursion, both branches as Futures."""
    if n < 2:
        return n
    left = futures.submit(fib, n - 1)
    right = futures.submit(fib, n - 2)
    return int(left.result()) + int(right.result())


def count_calls(n: int) -> int:
    """How many Futures ``fib(n)`` makes, itself included."""
    return 1 if n < 2 else 1 + count_calls(n - 1) + count_calls(n - 2)


def measure_fib(face: Face, n: int, rounds: int) -> Metrics:
    """Futures per second, the median of some rounds."""
    face.result(face.submit(fib, n // 2))
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        face.result(face.submit(fib, n))
        rates.append(count_calls(n) / (time.perf_counter() - start))
    return {"rate": statistics.median(rates)}
