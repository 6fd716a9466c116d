"""``map`` gives what its function returns, and its iterables give what the function takes."""

from __future__ import annotations

from collections.abc import Iterator

from typing_extensions import assert_type

from fedfutures import Executor, futures


def square(number: int) -> float:
    return number**2


def scaled(number: int, factor: float) -> float:
    return number * factor


def joined(a: int, b: str, c: bytes) -> str:
    return f"{a}{b}{c!r}"


def of_four(a: int, b: int, c: int, d: int) -> bool:
    return a < b < c < d


executor = Executor(mode="serial")
numbers = [1, 2]

assert_type(futures.map(square, numbers), Iterator[float])
assert_type(futures.map(scaled, range(3), (0.5, 1.5), chunksize=2, timeout=3), Iterator[float])
assert_type(futures.map(joined, numbers, "ab", [b"c"], unordered=True), Iterator[str])
assert_type(futures.map(of_four, numbers, numbers, numbers, numbers), Iterator[bool])
assert_type(futures.map(lambda number: [number], numbers), Iterator[list[int]])
assert_type(futures.map(str, numbers, seed=42, priority=1, buffersize=10, progress=True), Iterator[str])
assert_type(futures.map_as_completed(square, numbers), Iterator[float])
assert_type(executor.map(square, (number for number in numbers)), Iterator[float])

futures.map(square, ["a"])  # type: ignore[arg-type]
futures.map(scaled, numbers, ["a"])  # type: ignore[arg-type]
