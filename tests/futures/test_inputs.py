"""The input of a map: who may read it, how far it is read ahead, and its columns."""

from __future__ import annotations

import itertools

import pytest

from fedfutures.futures import ends, inputs


def test_what_any_thread_may_read() -> None:
    class Listlike(list):  # type: ignore[type-arg]
        pass

    safe = [[1], (1,), range(2), "ab", b"ab", {1: 2}, {1}, frozenset({1}), {1: 2}.items(), bytearray(b"a")]
    assert all(inputs.Input((value,)).by_any_thread for value in safe)
    assert inputs.Input(([1], itertools.repeat(2))).by_any_thread
    lazy = [
        iter([1]),
        (n for n in [1]),
        map(abs, [1]),
        Listlike([1]),
        itertools.repeat(1),
        itertools.count(),
    ]
    assert not any(inputs.Input((value,)).by_any_thread for value in lazy)


def test_an_input_is_read_ahead_within_bounds() -> None:
    given = inputs.Input((iter(lambda: bytes(1000), None),))
    assert given.read_ahead(5000, 60, most_bytes=100_000)
    assert 90 < given.ahead < 5000
    assert not given.read_ahead(5000, 60)
    assert given.count == given.ahead == 5000
    assert given.cut(3) == ([bytes(1000)] * 3,)
    assert not inputs.Input((iter(lambda: 1, None),)).read_ahead(float("inf"), 0.05)
    ending = inputs.Input((iter([1, 2]), itertools.count()))
    assert ending.is_bounded
    assert ending.read_ahead(float("inf"), float("inf"))
    assert (ending.over, ending.count, ending.is_read) == (True, 2, False)
    assert (ending.cut(9), ending.cut(9), ending.is_read) == (([1, 2], [0, 1]), None, True)
    assert ends.ITEMS_AT_MOST == 1_000_000


def test_columns_are_as_long_as_the_shortest_iterable() -> None:
    given = inputs.Input(([1, 2, 3], "ab"))
    assert given.left == 2
    assert given.cut(1) == ([1], ["a"])
    assert given.left == 1
    assert given.cut(5) == ([2], ["b"])
    assert given.is_read
    assert given.cut(5) is None


def test_what_came_before_an_error_is_used_first() -> None:
    def items() -> object:
        yield 1
        raise ValueError("no more")

    given = inputs.Input((items(),))
    assert given.cut(5) == ([1],)
    assert given.is_read
    assert repr(given.take_error()) == "ValueError('no more')"
    assert given.take_error() is None


def test_a_list_is_read_as_it_stands_at_the_call() -> None:
    items = [1, 2]
    given = inputs.Input((items,))
    items.append(3)
    assert given.cut(9) == ([1, 2],)


def test_numbered_items_go_on_from_slice_to_slice() -> None:
    given = inputs.Numbered(("abc",))
    assert given.cut(2) == (["a", "b"], [0, 1])
    assert given.cut(2) == (["c"], [2])
    assert given.cut(2) is None


def test_what_is_forgotten_is_read() -> None:
    given = inputs.Input((itertools.count(),))
    assert given.read_ahead(3, 60) is False
    assert (given.ahead, given.is_at_hand, given.is_read) == (3, True, False)
    given.forget()
    assert (given.ahead, given.is_read, given.cut(1)) == (0, True, None)


@pytest.mark.parametrize("iterable", [4, None])
def test_what_is_no_iterable_is_said_at_once(iterable: object) -> None:
    with pytest.raises(TypeError, match="not iterable"):
        inputs.Input((iterable,))  # type: ignore[arg-type]
