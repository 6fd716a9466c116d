"""``map_reduce`` and ``map_scan`` give what their operation gives."""

from __future__ import annotations

from typing_extensions import assert_type

from fedfutures import futures


def square(number: int) -> int:
    return number * number


def add(one: int, other: int) -> int:
    return one + other


def union(one: set[str], other: set[str]) -> set[str]:
    return one | other


def letters(text: str) -> set[str]:
    return set(text)


assert_type(futures.map_reduce(square, add, [1, 2]), int)
assert_type(futures.map_reduce(letters, union, ["ab", "c"], initial={"d"}, seed=4), set[str])
assert_type(futures.map_scan(square, add, [1, 2], initial=0), list[int])
assert_type(futures.mapReduce(square, max, range(3)), int)

futures.map_reduce(square, union, [1])  # type: ignore[misc]
