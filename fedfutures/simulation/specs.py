"""What simulated Futures are: a payload says how long one computes, and what it submits; its value is made of it.

A payload carries a number that no other has, so the value, a checksum of the payload, tells whose it is.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from ..federation.terms import FREE, Conditions

PLAIN, RAISES, CRASHES, LOCKS, GUARDS, GROWS = range(6)
"""``LOCKS`` holds the lock of its Worker from its beginning to its end, also while it waits for its own Futures.
``GUARDS`` submits one that crashes, or one that guards it, and has a value even so. ``GROWS`` uses more memory than it
may: than its own limit, or than its Worker's if it has none."""
FUNCTIONS = (b"f", b"g", b"h")
_LAYOUT = struct.Struct(">QdBBBIBB")


class Spec(NamedTuple):
    """What a Future does: computes, submits `width` Futures, and so on down to `depth`, and waits for them."""

    tag: int
    seconds: float
    width: int = 0
    depth: int = 0
    kind: int = PLAIN
    limit: int = 0  # milliseconds that it may take, as those may that it submits; 0: any time
    flags: int = 0  # the other conditions under which it runs
    memory: int = 0  # bytes that it may use; 0: any number

    @property
    def conditions(self) -> Conditions:
        """The conditions under which it runs."""
        return Conditions(self.limit, self.flags, self.memory) if self.limit or self.flags or self.memory else FREE


def payload_of(
    tag: int, seconds: float, width: int = 0, depth: int = 0, kind: int = PLAIN, limit: int = 0,
    flags: int = 0, memory: int = 0,
) -> bytes:  # fmt: skip
    """Pack what a Future does.

    >>> read(payload_of(7, 0.5, 2, 1))
    Spec(tag=7, seconds=0.5, width=2, depth=1, kind=0, limit=0, flags=0, memory=0)
    """
    return _LAYOUT.pack(tag, seconds, width, depth, kind, limit, flags, memory)


def read(payload: bytes) -> Spec:
    """Unpack what a Future does."""
    return Spec._make(_LAYOUT.unpack(payload))


def work_of(payload: bytes) -> float:
    """Return how long a Future computes, and all those that it submits.

    >>> work_of(payload_of(7, 0.5, 2, 2))
    3.5
    """
    spec = read(payload)
    count: int = sum(spec.width**level for level in range(spec.depth + 1))
    return spec.seconds * count


def value_of(payload: bytes) -> bytes:
    """Return the value of the Future with this payload, and of no other; it begins as a pickle does, not a manifest."""
    return b"\x80" + zlib.crc32(payload).to_bytes(4, "big")


def durations(distribution: str, mean: float, dice: random.Random) -> Callable[[], float]:
    """Return what draws durations: all alike, between nothing and twice the mean, or exponential."""
    if distribution == "constant":
        return lambda: mean
    if distribution == "uniform":
        return lambda: dice.uniform(0.0, 2 * mean)
    if distribution == "exponential":
        return lambda: dice.expovariate(1 / mean)
    raise ValueError(f"no such distribution: {distribution!r}")
