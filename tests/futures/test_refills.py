"""A generator may fill one object again and again: each call of a map sees it as it was yielded."""

from __future__ import annotations

import array
import collections
import copy
import itertools
import pickle
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from effort import scaled
from hypothesis import given, settings, strategies as st

from fedfutures.futures import refills
from fedfutures.futures.inputs import Input


class Box:
    """An object of the program's."""

    def __init__(self, content: Any = None) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return type(other) is Box and other.content == self.content

    def __hash__(self) -> int:
        return 0


class Row(NamedTuple):
    """A tuple of the program's."""

    number: int
    content: Any


def change(value: Any, number: int) -> None:
    """Change what can be changed in a value, in place."""
    if isinstance(value, tuple):
        for part in value:
            change(part, number)
    elif isinstance(value, (int, str)):
        pass
    elif isinstance(value, Box):
        value.content = number
    elif isinstance(value, dict):
        value["key"] = number
    elif isinstance(value, set):
        value.clear()
        value.add(number)
    elif isinstance(value, list) and value and isinstance(value[0], list):
        value[0][0] = number
    else:
        value[0] = number


KINDS: dict[str, Callable[[], Any]] = {
    "list": lambda: [0],
    "nested list": lambda: [[0], "text"],
    "dict": lambda: {"key": 0},
    "set": lambda: {0},
    "deque": lambda: collections.deque([0]),
    "bytearray": lambda: bytearray(10),
    "array": lambda: array.array("i", [0]),
    "numpy": lambda: np.zeros(3, int),
    "large": lambda: np.zeros(refills.LARGE_BYTES, int),
    "tuple": lambda: ("text", [0], np.zeros(2, int)),
    "list of an array": lambda: [np.zeros(2, int)],
    "named tuple": lambda: Row(1, [0]),
    "object": lambda: Box(0),
    "tuple of an object": lambda: (1, Box(0)),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def refilled(value: Any, count: int) -> Iterator[Any]:
    """Yield one object again and again, changed each time."""
    for number in range(count):
        change(value, number)
        yield value


def pickled(value: Any) -> bytes:
    return pickle.dumps(value, 5)


def slices(given: Input, sizes: Iterator[int]) -> list[bytes]:
    """Return what the items are when their slices are pickled, which is before more is read."""
    found: list[bytes] = []
    while (columns := given.cut(next(sizes))) is not None:
        found.extend(pickled(row[0] if len(row) == 1 else row) for row in zip(*columns))
    return found


@kinds
@pytest.mark.parametrize("size", [1, 3, 100])
def test_each_item_is_as_it_was_yielded(kind: str, size: int) -> None:
    value = KINDS[kind]()
    expected = list(map(pickled, refilled(copy.deepcopy(value), 10)))
    assert slices(Input((refilled(value, 10),)), itertools.repeat(size)) == expected


@kinds
def test_beside_others(kind: str) -> None:
    """The built-in types beside it are not copied."""
    fixed = [1, [2]]
    given = Input((itertools.repeat(fixed), refilled(KINDS[kind](), 10), range(20)))
    found = [pickle.loads(body) for body in slices(given, itertools.repeat(4))]
    assert [row[2] for row in found] == list(range(10))
    right = map(pickled, refilled(KINDS[kind](), 10))
    assert [pickled(row[1]) for row in found] == list(right)
    columns = Input((itertools.repeat(fixed), iter([[1], [2]]))).cut(2)
    assert columns is not None
    assert columns[0][0] is columns[0][1] is fixed


@kinds
def test_what_is_read_ahead(kind: str) -> None:
    given = Input((refilled(KINDS[kind](), 10),))
    assert given.read_ahead(100, 10)
    assert given.ahead == 10
    expected = list(map(pickled, refilled(KINDS[kind](), 10)))
    assert slices(given, itertools.repeat(3)) == expected


def test_what_may_change_still_is_alone_in_its_slice() -> None:
    """A slice may be taken apart and pickled again later."""
    large = np.zeros(refills.LARGE_BYTES)
    given = Input((iter([1, 2, [3], large, 4, 5]),))
    found: list[tuple[int, bool]] = []
    while (columns := given.cut(3)) is not None:
        assert (len(columns[0]) == 1) or not any(value is large for value in columns[0])
        found.append((len(columns[0]), given.is_steady))
        if columns[0][0] is large:
            assert not given.is_steady
    assert sum(count for count, _ in found) == 6


def test_what_is_steady() -> None:
    large = np.zeros(refills.LARGE_BYTES)
    for iterables, steady in [
        (([large] * 3,), True),
        ((itertools.repeat(large), range(3)), True),
        ((itertools.repeat(large), (number for number in range(3))), True),
        ((refilled(large, 3),), False),
        ((zip([large] * 3, range(3)),), False),
    ]:
        given = Input(iterables)
        given.cut(1)
        assert given.is_steady is steady
        given.cut(1)
        assert given.is_steady is steady


def test_buffers_that_take_turns() -> None:
    buffers = itertools.cycle([Box(0), Box(0)])

    def double() -> Iterator[Box]:
        for number in range(10):
            buffer = next(buffers)
            buffer.content = number
            yield buffer

    assert slices(Input((double(),)), itertools.repeat(4)) == [pickled(Box(number)) for number in range(10)]


def around(buffer: Any, wrap: Callable[[int, Any], Any], count: int) -> Iterator[Any]:
    """Yield a new object each time, with one buffer in it that is refilled."""
    for number in range(count):
        change(buffer, number)
        yield wrap(number, buffer)


WRAPS: dict[str, tuple[Callable[[], Any], Callable[[int, Any], Any]]] = {
    "named tuple": (lambda: [0], Row),
    "object": (lambda: [0], lambda number, buffer: Box((number, buffer))),
    "object with an array": (lambda: np.zeros(refills.LARGE_BYTES), lambda _, buffer: Box(buffer)),
    "view of an array of objects": (lambda: np.array([0, None]), lambda _, buffer: buffer[:]),
    "array of a type of its own": (lambda: np.zeros(3), lambda _, buffer: buffer.view(np.recarray)),
}


@pytest.mark.parametrize("before", [[], ["text"], [None, 1, 2], [(1, 2)], [[None]]])
@pytest.mark.parametrize("kind", WRAPS)
def test_new_objects_around_one_buffer(kind: str, before: list[Any]) -> None:
    make, wrap = WRAPS[kind]
    expected = [*map(pickled, before), *map(pickled, around(make(), wrap, 10))]
    assert slices(Input((itertools.chain(before, around(make(), wrap, 10)),)), itertools.repeat(4)) == expected


@kinds
@pytest.mark.parametrize("before", [["text"], [(1, 2)], [0] * 5000, [np.array([None])] * 5])
@pytest.mark.parametrize("beside", [False, True])
def test_buffers_behind_what_cannot_change(kind: str, before: list[Any], beside: bool) -> None:
    """Each item is looked at: that the first ones were numbers says nothing of the next."""

    def source() -> Iterator[Any]:
        return itertools.chain(before, refilled(KINDS[kind](), 10))

    expected = [pickled((value, 1) if beside else value) for value in source()]
    given = Input((source(), itertools.repeat(1)) if beside else (source(),))
    assert slices(given, itertools.chain([1, 1], itertools.repeat(4000))) == expected


def test_dicts_that_hold_each_other() -> None:
    parent: dict[str, Any] = {}
    parent["child"] = {"parent": parent}
    taken, _ = refills.Items().taken(parent)
    assert taken is not parent
    assert taken["child"]["parent"] is taken


def test_new_objects_share_slices() -> None:
    given = Input((iter([Box(number) for number in range(20)]),))
    sizes = []
    while (columns := given.cut(5)) is not None:
        sizes.append(len(columns[0]))
    assert sizes == [1, 1, 1, 5, 5, 5, 2]


def test_an_object_that_stands_in_an_item_twice() -> None:
    inner: list[Any] = [1]
    inner.append(inner)
    [(first, second, third)], _ = refills.Items().taken([(inner, inner, {"inner": inner})])
    assert first is second is third["inner"] is first[1]
    assert first is not inner


def test_copies_of_arrays_are_alike() -> None:
    for made in (np.asfortranarray(np.arange(6).reshape(2, 3)), np.frombuffer(bytes(8), np.uint8)):
        taken, _ = refills.Items().taken(made)
        assert taken is not made
        assert np.array_equal(taken, made)
        assert taken.flags.f_contiguous == made.flags.f_contiguous
        assert taken.flags.writeable == made.flags.writeable


def test_what_cannot_change_is_not_copied() -> None:
    for value in (1, "a", (1, ("a", None)), frozenset({1}), int, len, pickle, range(3), lambda: 1):
        assert refills.Items().taken((1, value)) == ((1, value), False)
        assert refills.Items().taken((1, value))[0][1] is value
        assert refills.Items().taken(value)[0] is value


def test_what_cannot_be_copied_is_kept_as_it_is() -> None:
    class Stubborn:
        def __deepcopy__(self, memo: Any) -> Any:
            raise ValueError

    value = Stubborn()
    assert refills.Items().taken(value, keep=True) == (value, False)


VALUES = st.recursive(
    st.integers() | st.text(max_size=2) | st.builds(Box, st.integers()),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=1), inner),
    max_leaves=6,
)


@settings(max_examples=scaled(60))
@given(st.lists(VALUES, max_size=12), st.lists(st.integers(1, 5), min_size=1), st.booleans())
def test_nothing_is_lost(values: list[Any], sizes: list[int], ahead: bool) -> None:
    given = Input((iter(values),))
    if ahead:
        given.read_ahead(5, 10)
    found = slices(given, itertools.cycle(sizes))
    assert [pickle.loads(body) for body in found] == values
