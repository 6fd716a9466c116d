"""How the values of a slice are given out."""

from __future__ import annotations

import weakref
from typing import Any

from fedfutures.futures.reading import let_go


class Large:
    pass


def test_values_are_held_no_longer_than_they_are_read() -> None:
    values: list[Any] = [Large(), Large()]
    seen = [weakref.ref(value) for value in values]
    given = let_go(values)
    first = next(given)
    assert (seen[0]() is first, seen[1]() is None) == (True, False)
    del first
    assert seen[0]() is None
    next(given)
    assert seen[1]() is None


def test_numbers_are_given_in_order() -> None:
    assert list(let_go([3, 1, 2])) == [3, 1, 2]
    assert list(let_go([])) == []
