"""What Futures do in tests of how much memory pending ones hold."""

from __future__ import annotations

import time
from typing import Any

from fedfutures import futures
from fedfutures.worker import current


def length(value: Any, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return len(value)


def parent(children: int, size: int, bound: int) -> tuple[int, int]:
    """Submit children with large arguments; return the sum of what they return, and how many were open at most."""
    node: Any = current.node
    node.nesting.pressure.set_bound(bound)
    found, most = [], 0
    for _ in range(children):
        time.sleep(0.002)  # what comes within 10 ms is not looked at
        found.append(futures.submit(length, "x" * size, 0.001))
        most = max(most, sum(not future.done() for future in found))
    return sum(future.result() for future in found), most
