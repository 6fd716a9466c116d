"""Whose keyword ``priority`` is, and what is a priority."""

from __future__ import annotations

import functools
import gc
import warnings
import weakref
from typing import Any

import order_functions as ordered
import pytest

from fedfutures import Executor, futures
from fedfutures.futures.priority import MOST, checked, taken_from
from fedfutures.worker.call_terms import CallTerms


class Callable:
    """Callables that have a parameter called priority in odd ways."""

    def method(self, priority: int) -> int:
        return priority

    def __call__(self, *, priority: int) -> int:
        return priority

    @staticmethod
    def positional_only(priority: int, /) -> int:
        return priority

    @staticmethod
    def positional(priority: int, /, **more: Any) -> int:
        return priority


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    "function",
    [
        ordered.with_priority,
        Callable().method,
        Callable(),
        functools.partial(ordered.with_priority, "name"),
        functools.partial(ordered.with_priority, priority=1),
        lambda priority=0: priority,
        ordered.anything,
        Callable.positional,
        dict,
        type("Settings", (dict,), {}),
    ],
)
def test_the_callables_own_keyword_is_left_to_it(function: Any) -> None:
    for _ in range(2):
        arguments = {"priority": "any value", "other": 1}
        assert taken_from(function, arguments) is None
        assert arguments == {"priority": "any value", "other": 1}


@pytest.mark.parametrize(
    "function", [len, pow, int, ordered.nap, Callable.positional_only, Unhashable(), functools.partial(pow, 2)]
)
def test_else_it_is_ours_and_a_warning_says_what_to_write(function: Any) -> None:
    for _ in range(2):
        arguments = {"priority": 4, "other": 1}
        with pytest.warns(DeprecationWarning, match=r"options\(priority=4\)\.submit"):
            assert taken_from(function, arguments) == CallTerms(4)
        assert arguments == {"other": 1}


def test_the_warning_names_the_line_of_the_program_and_comes_once_for_each() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        with Executor(mode="serial") as serial:
            for _ in range(3):
                futures.submit(len, "", priority=1)
                serial.submit(len, "", priority=1)
    assert [(one.filename, one.category) for one in said] == 2 * [(__file__, DeprecationWarning)]
    assert said[0].lineno + 1 == said[1].lineno


def test_functions_are_not_kept_alive() -> None:
    functions: list[Any] = [lambda priority: None, Callable()]
    known = [weakref.ref(function) for function in functions]
    for function in functions:
        taken_from(function, {"priority": 1})
    del function, functions
    gc.collect()
    assert [reference() for reference in known] == [None, None]


@pytest.mark.parametrize("wrong", [True, 1.0, "1", None, [1], 1j])
def test_what_is_no_priority(wrong: Any) -> None:
    with pytest.raises(TypeError, match="priority must be an integer"):
        checked(wrong)
    with pytest.raises(TypeError, match="priority must be an integer"):
        futures.submit(pow, 2, 5, priority=wrong)


def test_the_range_of_priorities() -> None:
    assert checked(MOST) == MOST
    assert checked(-MOST) == -MOST
    for wrong in (MOST + 1, -MOST - 1):
        with pytest.raises(ValueError, match="between"):
            checked(wrong)


def test_serially_it_makes_no_difference() -> None:
    assert futures.options(priority=3).submit(pow, 2, 5).result() == 32
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        assert futures.submit(pow, 2, 5, priority=3).result() == 32
    assert futures.submit(ordered.with_priority, "name", priority=3).result() == ("name", 3)
    assert futures.submit(ordered.anything, priority=3).result() == {"priority": 3}
    assert list(futures.map(abs, [-1], priority=3)) == [1]
    assert list(futures.starmap(pow, [(2, 5)], priority=3)) == [32]
    assert list(futures.map_as_completed(abs, [-1], priority=3)) == [1]
    with pytest.raises(TypeError, match="priority must be an integer"):
        futures.map(abs, [-1], priority="high")
