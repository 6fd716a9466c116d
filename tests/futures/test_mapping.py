"""The iterators of maps: order, deadlines, and what becomes of the rest when somebody has had enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fedfutures.futures.mapping import MapOptions, check, mapped
from fedfutures.futures.serial import Serial


def counted(upto: int, read: list[int]) -> Iterator[int]:
    for number in range(upto):
        read.append(number)
        yield number


@pytest.mark.parametrize("unordered", [False, True])
def test_serially_an_input_is_read_as_results_are_wanted(unordered: bool) -> None:
    read: list[int] = []
    results = mapped(Serial(), abs, (counted(10, read),), MapOptions(unordered=unordered, chunksize=1))
    assert next(results) == 0
    assert len(read) <= 2
    assert list(results) == list(range(1, 10))


def test_a_closed_iterator_makes_no_more_calls() -> None:
    made: list[int] = []
    results = mapped(Serial(), made.append, (counted(10, []),), MapOptions(chunksize=1))
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(made) <= 2


def test_an_item_that_raises_does_so_at_its_place() -> None:
    results = mapped(Serial(), lambda number: 1 // number, ([1, 0, 2],), MapOptions(chunksize=3))
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError) as caught:
        next(results)
    assert "item 1 of map" in caught.value.__notes__[0]
    kept = list(mapped(Serial(), lambda number: 1 // number, ([1, 0, 2],), MapOptions(return_exceptions=True)))
    assert [type(each) for each in kept] == [int, ZeroDivisionError, int]


def test_an_input_that_raises_does_so_after_the_results_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    results = mapped(Serial(), abs, (broken(),), MapOptions())
    assert next(results) == 1
    with pytest.raises(OSError, match="disk"):
        next(results)


def test_streams_do_not_depend_on_slices() -> None:
    import random

    def draw(item: int) -> float:
        return random.random()

    one = list(mapped(Serial(), draw, (range(4),), MapOptions(seed=42)))
    assert one == list(mapped(Serial(), draw, (range(4),), MapOptions(seed=42, chunksize=3)))
    assert len(set(one)) == 4


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [({"chunksize": 0}, ValueError, "chunksize must be >= 1"), ({"chunksize": "1"}, TypeError, "chunksize must be an"),
     ({"buffersize": 0}, ValueError, "buffersize must be"), ({"buffersize": 1.5}, TypeError, "buffersize must be"),
     ({"timeout": "1"}, TypeError, "timeout must be a number of seconds")],
)  # fmt: skip
def test_options_that_make_no_sense(options: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        check(abs, MapOptions(**options))


def test_groups_and_executors_are_told() -> None:
    joined: list[Any] = []
    opened: list[Any] = []
    results = mapped(Serial(), abs, ([1, 2],), MapOptions(chunksize=1, join=joined.append, opened=(opened.append,)))
    assert list(results) == [1, 2]
    assert (len(joined), len(opened), opened[0].name) == (2, 1, "abs")
