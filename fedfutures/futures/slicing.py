"""How many items the next slice of a ``map`` has. Pure arithmetic on what an item takes.

What an item of a function takes is remembered from one map to the next (:class:`~..federation.schedule.Durations`, one
for each Origin), so a second map of the same function starts with slices of the right size. Until something was
measured, an item goes alone.

Two things limit a slice: the time it takes, for nothing inside of it can move to an idle Worker, and its share of what
is left. Where the length of the input is known, slices shrink towards its end (guided self-scheduling, Polychronopoulos
and Kuck 1987), and those of a short map are as even as the number of Workers allows.
"""

from __future__ import annotations

import weakref
from typing import Any

from ..federation.schedule import HORIZON_SECONDS, Durations

SLICE_SECONDS = 0.002
"""About what a slice takes of an input of unknown length, or where nothing better is known."""
ALONE_SECONDS = 0.002
"""Items that take so long go alone: a message costs little beside one, and nothing hides behind another."""
SLICES_PER_WORKER = 4
"""Into so many slices for each Worker what is left of a long input is divided, as far as the limits allow."""
SHORT_SECONDS = 0.005
"""A map that takes each Worker no longer is divided once, into two even slices for each: one to run, one to move."""
TRIVIAL_SECONDS = 0.00025
"""One that takes no longer in all is one slice: messages are what it costs, and those for a second take as long."""
SMALLEST_SLICE_SECONDS = 0.00025
"""Shorter slices of a longer map cost more than they carry: a message takes processors about as long."""
SLICE_ITEMS_AT_MOST = 8192
GROWTH = 16
"""How many times larger a slice may be than any before it, while nothing is remembered of the function."""

_of_nodes: weakref.WeakKeyDictionary[Any, Durations] = weakref.WeakKeyDictionary()


def durations_of(node: Any, function: bytes) -> Durations:
    """Return what is remembered of the items of functions, for the maps of one node.

    Nothing where the function has no digest: in a Future, which maps what it has at hand.
    """
    return _of_nodes.setdefault(node, Durations()) if function else Durations()


def items_of_slice(mean: float | None, left: int | None, length: int | None, workers: int) -> int:
    """Return how many items of `mean` seconds each the next slice should have.

    left, length: how many items are left of the input, and were there at first; None if that is not known.

    >>> [items_of_slice(mean, 50, 50, 2) for mean in (None, 1e-6, 1e-3, 1.0)]
    [1, 50, 7, 1]
    """
    if mean is None or mean >= ALONE_SECONDS:
        return 1
    mean = max(mean, 1e-9)
    if not left or not length:
        return max(1, int(SLICE_SECONDS / mean))
    workers = max(1, workers)
    if length * mean <= workers * SHORT_SECONDS:
        even = length if length * mean <= TRIVIAL_SECONDS else -(-length // (2 * workers))
        return -(-left // -(-left // even))
    size = max(-(-left // (SLICES_PER_WORKER * workers)), int(SMALLEST_SLICE_SECONDS / mean))
    return max(1, min(size, left, int(HORIZON_SECONDS / mean)))


class Slicing:
    """The sizes of the slices of one map."""

    __slots__ = ("_durations", "_fixed", "_function", "_is_remembered", "_largest", "_length", "_most", "_workers")

    def __init__(
        self, durations: Durations, function: bytes, length: int | None, workers: int, most: int,
        fixed: int | None = None,
    ) -> None:  # fmt: skip
        self._durations, self._function, self._length, self._workers = durations, function, length, workers
        self._most, self._fixed = max(1, min(SLICE_ITEMS_AT_MOST, most)), fixed
        self._is_remembered = durations.of(function) is not None
        self._largest = 1

    @property
    def mean(self) -> float | None:
        """How many seconds an item takes, as far as is known."""
        return self._durations.of(self._function)

    @property
    def is_known(self) -> bool:
        """Whether something is known of how long an item takes."""
        return self._durations.of(self._function) is not None

    @property
    def is_fixed(self) -> bool:
        """Whether the program has said how many items a slice has."""
        return self._fixed is not None

    def next(self, left: int | None) -> int:
        """Return the size of the next slice; `left` items are left, None if that is not known."""
        if self._fixed is not None:
            return self._fixed
        size = min(items_of_slice(self._durations.of(self._function), left, self._length, self._workers), self._most)
        if not self._is_remembered:
            size = min(size, GROWTH * self._largest)
            self._largest = max(size, self._largest)
        return size

    def learn(self, seconds: float, items: int) -> None:
        """Take in that a slice of so many items took `seconds`."""
        self._durations.learn(self._function, seconds, items)
