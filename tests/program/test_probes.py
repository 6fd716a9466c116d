"""Probes: whether a value is still what it was, exactly for small values and sooner or later for large ones."""

from __future__ import annotations

import array
import functools
import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.program import probes
from fedfutures.program.modules import MISSING
from fedfutures.program.probes import (
    BLOCK_BYTES,
    BLOCK_ITEMS,
    BLOCKS_A_LOOK,
    changed,
    is_frozen,
    large_probe,
    probe_for,
    times_told,
)
from fedfutures.program.tokens import Named, examine


@pytest.fixture(autouse=True)
def told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test hears what another one has told."""
    monkeypatch.setattr(probes, "told", {})


def own_token(value: Any) -> bytes | None:
    return examine(value, Named()).token


def probe(value: Any, *, exact: bool = True) -> Callable[[], bool]:
    """Return the probe of a value that can change, as variables have it."""
    before = own_token(value)
    found = probe_for(value, exact, lambda: own_token(value) == before)
    assert found is not None
    assert found()
    return found


# -- what cannot change ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [MISSING, 1, "text", None, (1, ("a", b"b")), frozenset({1, "a"}), range(3), pytest])
def test_what_cannot_change_has_no_probe(value: Any) -> None:
    assert probe_for(value, True, lambda: False) is None


def test_what_is_frozen() -> None:
    assert all(map(is_frozen, (1, (), (1, (2, None)), frozenset({(1,)}), ...)))
    assert not any(map(is_frozen, ([], (1, []), {}, set(), frozenset({object()}), object(), len, int, bytearray())))


# -- small values ----------------------------------------------------------------------------------------------------


class Thing:
    """An object with attributes."""

    def __init__(self) -> None:
        self.size, self.items = 1, [1, 2]


SMALL: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
    (lambda: [1, [2]], lambda value: value.append(3)),
    (lambda: [1, [2]], lambda value: value[1].append(3)),
    (lambda: [1], lambda value: value.__setitem__(0, True)),
    (lambda: {"a": {"b": 1}}, lambda value: value["a"].update(b=2)),
    (lambda: {1, 2}, lambda value: value.add(3)),
    (lambda: ([1], 2), lambda value: value[0].clear()),
    (lambda: bytearray(b"abc"), lambda value: value.reverse()),
    (lambda: array.array("i", [1]), lambda value: value.append(2)),
    (Thing, lambda value: setattr(value, "size", 2)),
    (Thing, lambda value: setattr(value, "more", 2)),
    (Thing, lambda value: value.items.append(3)),
    (Thing, lambda value: value.__dict__.pop("size")),
    (lambda: [lambda: 1, [1]], lambda value: value[1].append(1)),  # which has no plain pickle
    (lambda: functools.partial(len, [1]), lambda value: value.args[0].append(2)),
    (lambda: Thing().items.append, lambda value: value(5)),
]


@pytest.mark.parametrize(("make", "change"), SMALL)
def test_a_change_of_a_small_value_is_noticed_at_once(make: Callable[[], Any], change: Callable[[Any], Any]) -> None:
    value = make()
    unchanged = probe(value)
    assert unchanged()
    change(value)
    assert not unchanged()


@given(st.lists(st.integers() | st.text(max_size=3)), st.data())
def test_every_change_of_a_list_is_noticed(items: list[Any], data: st.DataObject) -> None:
    unchanged, before = probe(items), items.copy()
    items[data.draw(st.integers(0, len(items))) :] = data.draw(st.lists(st.integers(), max_size=3))
    assert unchanged() == (items == before)


# -- functions -------------------------------------------------------------------------------------------------------


def plain(x: Any = 1, *, y: Any = 2) -> Any:
    return x, y


def closing(value: Any) -> Any:
    def closure(more: Any = None) -> Any:
        return value, more

    def setting(new: Any) -> None:
        nonlocal value
        value = new

    closure.set = setting  # type: ignore[attr-defined]
    return closure


FUNCTIONS: list[Callable[[Any], Any]] = [
    lambda f: setattr(f, "__code__", (lambda x=1, *, y=2: 5).__code__),
    lambda f: setattr(f, "__defaults__", (2,)),
    lambda f: setattr(f, "__kwdefaults__", {"y": 3}),
    lambda f: f.__kwdefaults__.update(y=3),
]


@pytest.mark.parametrize("change", FUNCTIONS)
def test_a_change_of_a_function_is_noticed(change: Callable[[Any], Any]) -> None:
    copied = type(plain)(plain.__code__, plain.__globals__, "copied", (1,), None)
    copied.__kwdefaults__ = {"y": 2}
    unchanged = probe(copied)
    change(copied)
    assert not unchanged()


def test_a_cell_that_has_another_value_is_noticed() -> None:
    function = closing(1)
    unchanged = probe(function)
    function.set(2)
    assert not unchanged()


def test_a_cell_whose_value_has_changed_in_place_is_noticed() -> None:
    value = [1]
    unchanged = probe(closing(value))
    value.append(2)
    assert not unchanged()


def test_a_default_that_has_changed_in_place_is_noticed() -> None:
    function = eval("lambda x=[1]: x")
    unchanged = probe(function)
    function.__defaults__[0].append(2)
    assert not unchanged()


def test_a_cell_that_was_emptied_or_filled_is_noticed() -> None:
    def outer() -> Any:
        def inner() -> Any:
            return later

        unchanged = probe(inner)
        later = 1
        return unchanged

    assert not outer()()


def test_an_attribute_of_a_function_is_noticed() -> None:
    function = eval("lambda: 1")
    function.calls = 1
    unchanged = probe(function)
    function.calls = 2
    assert not unchanged()


def test_the_first_attribute_of_a_function_is_noticed() -> None:
    function = eval("lambda: 1")
    unchanged = probe(function)
    function.calls = 1
    assert not unchanged()


def test_what_a_decorator_wraps_is_looked_into() -> None:
    inner = eval("lambda: 1")
    unchanged = probe(closing(inner))
    inner.__code__ = (lambda: 2).__code__
    assert not unchanged()


@pytest.mark.parametrize("wrap", [staticmethod, classmethod, functools.lru_cache, property])
def test_a_default_of_what_is_wrapped_is_noticed(wrap: Callable[[Any], Any]) -> None:
    inner = eval("lambda x=[1]: x")
    value = wrap(inner)
    before = own_token(value)
    found = probe_for(value, True, lambda: own_token(value) == before)
    inner.__defaults__[0].append(2)
    assert own_token(value) != before
    assert found is not None
    assert not found()


# -- classes ---------------------------------------------------------------------------------------------------------


class Base:
    level = 1


def make_class() -> Any:
    return type("Made", (Base,), {"one": 1000, "two": [2], "method": lambda self: 1})


CLASSES: list[Callable[[Any], Any]] = [
    lambda cls: setattr(cls, "one", 2000),
    lambda cls: setattr(cls, "more", 1),
    lambda cls: delattr(cls, "one"),
    lambda cls: setattr(cls, "method", lambda self: 1),
    lambda cls: (delattr(cls, "one"), delattr(cls, "two"), setattr(cls, "one", 1000)),
]


@pytest.mark.parametrize("change", CLASSES)
def test_a_change_of_a_class_is_noticed(change: Callable[[Any], Any]) -> None:
    cls = make_class()
    unchanged = probe(cls)
    assert unchanged()
    change(cls)
    assert not unchanged()


def test_a_member_that_has_another_name_is_noticed() -> None:
    cls = type("Made", (Base,), {"one": [1]})
    cls.last = kept = [2]
    unchanged = probe(cls)
    del cls.last
    cls.other = kept
    assert not unchanged()


def test_other_bases_are_noticed() -> None:
    class First(Base):
        pass

    class Second(Base):
        pass

    cls = type("Made", (First,), {})
    unchanged = probe(cls)
    cls.__bases__ = (Second,)
    assert not unchanged()


# -- large values ----------------------------------------------------------------------------------------------------

ITEMS = 40 * BLOCK_ITEMS
LOOKS = 40 // BLOCKS_A_LOOK + 2
"""So many looks go round 40 blocks."""


def noticed_within(unchanged: Callable[[], bool], looks: int) -> int | None:
    """Return after how many looks a change was noticed."""
    return next((count for count in range(looks) if not unchanged()), None)


def test_a_large_value_that_stays_is_unchanged() -> None:
    for value in (list(range(ITEMS)), dict.fromkeys(range(ITEMS)), set(range(ITEMS)), bytearray(BLOCK_BYTES * 20)):
        unchanged = large_probe(value)
        assert noticed_within(unchanged, 3 * LOOKS) is None


@given(st.integers(0, ITEMS - 1))
def test_a_change_of_one_item_of_a_list_is_found(place: int) -> None:
    unchanged = large_probe(large)
    old, large[place] = large[place], "other"
    assert noticed_within(unchanged, LOOKS) is not None
    large[place] = old


large = [None] * ITEMS


@pytest.mark.parametrize("place", [0, 1000, ITEMS // 2, ITEMS - 1])
def test_a_change_inside_of_an_item_is_found(place: int) -> None:
    value: list[Any] = [[] for _ in range(ITEMS)]
    unchanged = large_probe(value)
    value[place].append(1)
    assert noticed_within(unchanged, LOOKS) is not None


@pytest.mark.parametrize("key", [0, ITEMS // 2, ITEMS - 1])
def test_a_change_in_a_dict_is_found(key: int) -> None:
    value: dict[int, Any] = dict.fromkeys(range(ITEMS))
    unchanged = large_probe(value)
    value[key] = 1
    assert noticed_within(unchanged, LOOKS) is not None


def test_a_change_in_a_set_is_found() -> None:
    value = set(range(ITEMS))
    unchanged = large_probe(value)
    value.remove(ITEMS // 2)
    value.add(-1)
    assert noticed_within(unchanged, LOOKS) is not None


@pytest.mark.parametrize("place", [0, BLOCK_BYTES * 11 + 5, BLOCK_BYTES * 40 - 1])
def test_a_change_in_a_buffer_is_found(place: int) -> None:
    value = bytearray(BLOCK_BYTES * 40)
    unchanged = large_probe(value)
    value[place] = 1
    assert noticed_within(unchanged, LOOKS) is not None


@pytest.mark.parametrize("place", [0, 50_000, -1])
def test_a_change_in_an_array_is_found(place: int) -> None:
    numpy = pytest.importorskip("numpy")
    value = numpy.zeros(BLOCK_BYTES * 40 // 8)
    for held in (value, {"array": value}["array"], Holder(value)):
        value[place] = 0
        unchanged = large_probe(held)
        assert noticed_within(unchanged, LOOKS) is None
        value[place] = 1
        assert noticed_within(unchanged, LOOKS) is not None


class Holder:
    """Holds something large in an attribute."""

    def __init__(self, data: Any) -> None:
        self.data, self.note = data, 1


@pytest.mark.parametrize(
    "change",
    [
        lambda holder: holder.data.__setitem__(ITEMS // 2, 1),
        lambda holder: setattr(holder, "note", 2),
        lambda holder: setattr(holder, "data", []),
        lambda holder: setattr(holder, "more", []),
    ],
)
def test_a_change_in_a_large_object_is_found(change: Callable[[Any], Any]) -> None:
    holder = Holder([None] * ITEMS)
    unchanged = large_probe(holder)
    assert noticed_within(unchanged, LOOKS) is None
    change(holder)
    assert noticed_within(unchanged, LOOKS) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.append(1),
        lambda value: value.clear(),
        lambda value: value.reverse(),
        lambda value: value.__setitem__(slice(None), [1] * ITEMS),
    ],
)
def test_a_change_of_the_whole_or_its_length_is_noticed_at_once(change: Callable[[Any], Any]) -> None:
    value = list(range(ITEMS))
    unchanged = large_probe(value)
    change(value)
    assert not unchanged()


def test_a_buffer_that_was_resized_is_noticed() -> None:
    value = array.array("b", bytes(BLOCK_BYTES * 3))
    unchanged = large_probe(bytearray(value))
    assert unchanged()
    numpy = pytest.importorskip("numpy")
    grown = numpy.zeros((300, 300))
    looked = large_probe(grown)
    with warnings.catch_warnings():  # NumPy would rather have us make a view
        warnings.simplefilter("ignore", DeprecationWarning)
        grown.shape = (900, 100)
    assert not looked()


def test_a_large_value_that_cannot_be_pickled_any_more_counts_as_changed() -> None:
    value: list[Any] = [None] * ITEMS
    unchanged = large_probe(value)
    value[0] = (x for x in ())
    assert not unchanged()


# -- what the program says itself ------------------------------------------------------------------------------------


def test_what_is_said_to_have_changed() -> None:
    value: list[Any] = [None] * ITEMS
    before = probe(value, exact=False)
    assert times_told(value) == 0
    changed(value)
    assert times_told(value) == 1
    assert not before()  # at once, although nothing is different
    told = probe(value, exact=False)
    value[0] = 1
    assert told()  # it is sampled no more
    changed(value)
    assert (times_told(value), told()) == (2, False)


def test_another_object_is_not_meant() -> None:
    one: list[Any] = [None] * ITEMS
    other = one.copy()
    changed(one)
    assert times_told(other) == 0
    assert large_probe(other)()


def test_small_objects_are_compared_whatever_was_said() -> None:
    small = [1]
    changed(small)
    unchanged = probe(small)
    small.append(2)
    assert not unchanged()


def test_so_many_objects_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TOLD_AT_MOST", 3)
    values: list[list[Any]] = [[] for _ in range(10)]
    for value in values:
        changed(value)
        assert len(probes.told) <= 3
    assert [times_told(value) for value in values] == [0] * 7 + [1] * 3


def test_what_was_said_does_not_keep_an_object() -> None:
    value = Thing()
    gone = weakref.ref(value)
    changed(value)
    del value
    gc.collect()
    assert gone() is None
