"""What simulated Futures are: a payload says how long one computes, and what it submits; its value is made of it.

A payload carries a number that no other has, so the value, a checksum of the payload, tells whose it is.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

PLAIN, RAISES, CRASHES, LOCKS = range(4)
"""The last holds the lock of its Worker from its beginning to its end, also while it waits for its own Futures."""
_LAYOUT = struct.Struct(">QdBBB")


class Spec(NamedTuple):
    """What a Future does: computes, submits `width` Futures, and so on down to `depth`, and waits for them."""

    tag: int
    seconds: float
    width: int = 0
    depth: int = 0
    kind: int = PLAIN


def payload_of(tag: int, seconds: float, width: int = 0, depth: int = 0, kind: int = PLAIN) -> bytes:
    """Pack what a Future does.

    >>> read(payload_of(7, 0.5, 2, 1))
    Spec(tag=7, seconds=0.5, width=2, depth=1, kind=0)
    """
    return _LAYOUT.pack(tag, seconds, width, depth, kind)


def read(payload: bytes) -> Spec:
    """Unpack what a Future does."""
    return Spec._make(_LAYOUT.unpack(payload))


def value_of(payload: bytes) -> bytes:
    """Return the value of the Future with this payload, and of no other."""
    return zlib.crc32(payload).to_bytes(4, "big")


def durations(distribution: str, mean: float, dice: random.Random) -> Callable[[], float]:
    """Return what draws durations: all alike, between nothing and twice the mean, or exponential."""
    if distribution == "constant":
        return lambda: mean
    if distribution == "uniform":
        return lambda: dice.uniform(0.0, 2 * mean)
    if distribution == "exponential":
        return lambda: dice.expovariate(1 / mean)
    raise ValueError(f"no such distribution: {distribution!r}")
