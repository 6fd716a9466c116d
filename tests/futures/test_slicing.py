"""How many items slices have: sums, bounds, and what is remembered."""

from __future__ import annotations

import gc
import sys
from typing import Any

from hypothesis import given, strategies as st

from fedfutures.federation.schedule import HORIZON_SECONDS, Durations
from fedfutures.futures.slicing import (
    GROWTH,
    SHORT_SECONDS,
    SLICE_ITEMS_AT_MOST,
    SLICES_PER_WORKER,
    TRIVIAL_SECONDS,
    Slicing,
    durations_of,
    items_of_slice,
)

MEANS = st.floats(1e-9, 100.0)
LENGTHS = st.integers(1, 10**6)
WORKERS = st.integers(1, 300)


def sizes(slicing: Slicing, length: int) -> list[int]:
    found, left = [], length
    while left:
        found.append(min(left, slicing.next(left)))
        left -= found[-1]
    return found


def remembering(mean: float, length: int | None, workers: int, most: int = 10**6) -> Slicing:
    durations = Durations()
    durations.learn(b"f", mean, 1)
    return Slicing(durations, b"f", length, workers, most)


@given(MEANS, LENGTHS, WORKERS)
def test_no_slice_is_longer_than_a_queue_or_than_a_share(mean: float, length: int, workers: int) -> None:
    for left in {length, length // 2, length // 10, 1} - {0}:
        size = items_of_slice(mean, left, length, workers)
        assert 1 <= size <= left
        assert size <= -(-length // workers) or length * mean <= TRIVIAL_SECONDS
        assert size == 1 or size * mean <= max(HORIZON_SECONDS, SHORT_SECONDS) * (1 + 1e-6)


@given(MEANS, st.integers(1, 5000), WORKERS)
def test_slices_never_grow(mean: float, length: int, workers: int) -> None:
    found = sizes(remembering(mean, length, workers), length)
    assert sum(found) == length
    assert found == sorted(found, reverse=True)


@given(st.integers(1, 2000), WORKERS)
def test_a_short_map_is_divided_evenly(length: int, workers: int) -> None:
    found = sizes(remembering(workers * SHORT_SECONDS / length / 2, length, workers), length)
    assert max(found) - min(found) <= 1
    assert len(found) <= 2 * workers


def test_a_trivial_map_is_one_slice() -> None:
    assert sizes(remembering(1e-7, 50, 2), 50) == [50]
    assert sizes(remembering(1e-7, 3, 400), 3) == [3]


def test_a_long_map_shrinks_towards_its_end() -> None:
    found = sizes(remembering(0.001, 200, 2), 200)
    assert found[0] == 200 // (2 * SLICES_PER_WORKER)
    assert found[-3:] == [1, 1, 1]


def test_what_is_known_of_nothing_goes_alone() -> None:
    for length in (50, None):
        slicing = Slicing(Durations(), b"f", length, 2, 10**6)
        assert not slicing.is_known
        assert [slicing.next(length) for _ in range(3)] == [1, 1, 1]


def test_a_first_map_trusts_its_first_items_step_by_step() -> None:
    slicing = Slicing(Durations(), b"f", 10**6, 2, 10**6)
    slicing.learn(1e-7, 1)
    assert slicing.is_known
    assert [slicing.next(10**6) for _ in range(4)] == [GROWTH, GROWTH**2, GROWTH**3, SLICE_ITEMS_AT_MOST]


def test_a_bound_and_a_wish_are_kept() -> None:
    assert remembering(1e-7, 10**6, 2, most=100).next(10**6) == 100
    assert remembering(1e-7, 10**6, 2, most=0).next(10**6) == 1
    assert Slicing(Durations(), b"f", 10, 2, 100, fixed=7).next(3) == 7


def test_an_input_of_unknown_length() -> None:
    assert [items_of_slice(mean, None, None, 2) for mean in (1e-4, 0.0015, 1.0)] == [20, 1, 1]


def test_nodes_remember_apart_and_are_not_kept() -> None:
    class Node:
        pass

    one: Any = Node()
    other: Any = Node()
    durations_of(one, b"f").learn(b"f", 1.0, 1)
    assert durations_of(one, b"f").of(b"f") == 1.0
    assert durations_of(other, b"f").of(b"f") is None
    assert durations_of(one, b"") is not durations_of(one, b"")  # functions that cannot be told apart
    memory = durations_of(one, b"f")
    kept = sys.getrefcount(memory)
    del one
    gc.collect()
    assert sys.getrefcount(memory) == kept - 1
