"""Streams of random numbers: each Future of a seeded call has one of its own, whatever runs it.

A stream is an entropy, the user's seed, and a key, the numbers by which it was derived: those of NumPy's
``SeedSequence(entropy, spawn_key=key)``. The item of a ``map`` has the key of its place in the input, so Workers,
hosts, slices and retries do not matter. What a seeded Future submits derives its key from that of the Future.

Source: NumPy's documentation of ``SeedSequence`` ("Parallel random number generation").
"""

from __future__ import annotations

import hashlib
import operator
import pickle
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

_BY_SEED, _BY_COUNT = 0x66656401, 0x66656402
"""What stands in the keys of nested calls: nobody spawns so many streams that a place in an input is one of these."""


class Stream(NamedTuple):
    """Names a sequence of random numbers."""

    entropy: int | tuple[int, ...]
    key: tuple[int, ...] = ()

    def child(self, *numbers: int) -> Stream:
        """Return the stream of this number, which is independent of all others.

        >>> Stream(42).child(3)
        Stream(entropy=42, key=(3,))
        """
        return Stream(self.entropy, (*self.key, *numbers))

    def of_seed(self, seed: Any) -> Stream:
        """Return the stream of a call with `seed` in a Future that has this one."""
        inner = stream_of(seed)
        if _is_sequence(seed):
            return inner
        entropy = inner.entropy if isinstance(inner.entropy, tuple) else (inner.entropy,)
        return self.child(_BY_SEED, *entropy)

    def of_count(self, count: int) -> Stream:
        """Return the stream of the call without a seed that a Future makes as its number `count`."""
        return self.child(_BY_COUNT, count)

    def packed(self) -> bytes:
        """Return the stream as an argument that is quick to send.

        >>> Stream.unpacked(Stream((4, 2), (1,)).packed())
        Stream(entropy=(4, 2), key=(1,))
        """
        return pickle.dumps(tuple(self), 5)

    @classmethod
    def unpacked(cls, packed: bytes) -> Stream:
        """Return the stream that was packed."""
        return cls(*pickle.loads(packed))

    def number(self) -> int:
        """Return 256 bits that tell this stream from all others.

        >>> Stream(1).number() == Stream(1).number(), Stream(1).number() == Stream(1, (0,)).number()
        (True, False)
        """
        digest = hashlib.blake2b(repr((self.entropy, self.key)).encode(), digest_size=32).digest()
        return int.from_bytes(digest, "big")


def stream_of(seed: Any) -> Stream:
    """Return the stream of a seed: an int that is not negative, several of these, or a ``SeedSequence``.

    >>> stream_of(42), stream_of([4, 2])
    (Stream(entropy=42, key=()), Stream(entropy=(4, 2), key=()))
    >>> stream_of("x")
    Traceback (most recent call last):
    TypeError: seed must be an integer, a sequence of integers or a numpy SeedSequence, not 'x'
    """
    if _is_sequence(seed):
        return Stream(_entropy(seed.entropy), tuple(map(int, seed.spawn_key)))
    return Stream(_entropy(seed))


def _is_sequence(seed: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and isinstance(seed, numpy.random.SeedSequence)


def _entropy(seed: Any) -> int | tuple[int, ...]:
    if isinstance(seed, Iterable) and not isinstance(seed, (str, bytes)) and getattr(seed, "ndim", 1) != 0:
        numbers = tuple(_whole(number, seed) for number in seed)
        if not numbers:
            raise ValueError("seed must have at least one integer")
        return numbers
    return _whole(seed, seed)


def _whole(number: Any, seed: Any) -> int:
    try:
        if isinstance(number, bool):
            raise TypeError
        whole = operator.index(number)
    except TypeError:
        raise TypeError(
            f"seed must be an integer, a sequence of integers or a numpy SeedSequence, not {seed!r}"
        ) from None
    if whole < 0:
        raise ValueError(f"seed must not be negative, but it is {seed!r}")
    return whole
