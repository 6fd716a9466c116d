"""Reductions and scans, serially, beside those of the standard library."""

from __future__ import annotations

import functools
import itertools

import pytest
from hypothesis import given, strategies as st

from fedfutures.futures.reduction import map_reduce, map_scan
from fedfutures.futures.serial import Serial


def twice(text: str) -> str:
    return 2 * text


def joined(one: str, other: str) -> str:
    return one + other  # associative, and not commutative


@given(st.lists(st.text("ab", max_size=2), max_size=40))
def test_as_in_the_standard_library(items: list[str]) -> None:
    mapped = [twice(item) for item in items]
    assert map_scan(Serial(), twice, joined, (iter(items),)) == list(itertools.accumulate(mapped, joined))
    assert map_reduce(Serial(), twice, joined, (items,), initial="x") == functools.reduce(joined, mapped, "x")
    assert map_scan(Serial(), twice, joined, (items,), initial="x") == list(
        itertools.accumulate(mapped, joined, initial="x")
    )


def test_nothing_to_reduce() -> None:
    with pytest.raises(TypeError, match="empty iterable with no initial value"):
        map_reduce(Serial(), twice, joined, ([],))
    assert map_scan(Serial(), twice, joined, ([],)) == []


def test_an_item_that_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        map_reduce(Serial(), lambda number: 1 // number, max, ([1, 0],))
