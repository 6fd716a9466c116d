"""A subclass of Executor whose own ``submit`` sees every call."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures import Executor, Future


class Counting(Executor):
    """Notes each call, and the arguments that it has."""

    def __init__(self) -> None:
        super().__init__(mode="serial")
        self.calls: list[tuple[Any, ...]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future:
        self.calls.append((fn, *args))
        return super().submit(fn, *args, **kwargs)


def fails_at_two(number: int) -> int:
    if number == 2:
        raise ValueError(number)
    return number


@pytest.mark.parametrize("unordered", [False, True])
def test_each_item_is_a_call(unordered: bool) -> None:
    with Counting() as executor:
        found = list(executor.map(pow, [2, 3], [5, 2], unordered=unordered, priority=3))
        assert sorted(found) == [9, 32]
        assert executor.calls == [(pow, 2, 5), (pow, 3, 2)]
        executor.group("g").submit(abs, -1)
        executor.options(seed=4).submit(abs, -2)
    assert executor.calls[2:] == [(abs, -1), (abs, -2)]  # the stream of random numbers is not among the arguments


def test_a_bound_on_what_is_submitted() -> None:
    with Counting() as executor:
        results = executor.map(abs, range(10), buffersize=3)
        assert len(executor.calls) == 3
        next(results)
        assert len(executor.calls) == 4
        results.close()  # type: ignore[attr-defined]
        assert len(executor.calls) == 4


def test_exceptions_as_values_and_not() -> None:
    with Counting() as executor:
        kept = list(executor.map(fails_at_two, range(4), return_exceptions=True))
        assert [repr(each) for each in kept] == ["0", "1", "ValueError(2)", "3"]
        results = executor.map(fails_at_two, range(4))
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(ValueError, match="2"):
            next(results)


def test_options_are_checked_before_anything_is_submitted() -> None:
    with Counting() as executor:
        with pytest.raises(ValueError, match="chunksize"):
            executor.map(abs, [1], chunksize=0)
        assert executor.calls == []


def test_seeds_are_those_of_a_plain_executor() -> None:
    import random

    def draw(item: int) -> float:
        return random.random()

    with Counting() as executor, Executor(mode="serial") as plain:
        assert list(executor.map(draw, range(3), seed=42)) == list(plain.map(draw, range(3), seed=42))
