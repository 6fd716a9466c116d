"""Priorities: whose keyword it is, and that higher ones go first, at every queue."""

from __future__ import annotations

import functools
import gc
import time
import warnings
from pathlib import Path
from typing import Any

import order_functions as ordered
import pytest
from launching import eventually

from fedfutures import Executor, futures
from fedfutures.futures.priority import MOST, checked, taken_from

LIMIT = 20.0


# -- whose keyword it is ---------------------------------------------------------------------------------------------


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
            assert taken_from(function, arguments) == 4
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
    from fedfutures.futures import priority

    before = len(priority._takes_it)
    for _ in range(10):
        taken_from(lambda priority: None, {"priority": 1})
        taken_from(Callable(), {"priority": 1})
    gc.collect()
    assert len(priority._takes_it) <= before + 1


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


@pytest.mark.parametrize(
    ("brokers", "error"), [(0, ValueError), (-1, ValueError), (9999, ValueError), (True, TypeError), ("2", TypeError)]
)
def test_a_number_of_brokers_that_makes_no_sense(brokers: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="brokers must be"):
        Executor(mode="serial", brokers=brokers)


# -- with Workers ----------------------------------------------------------------------------------------------------


@pytest.mark.host
def test_a_keyword_that_is_the_callables(executor: Executor) -> None:
    assert executor.submit(ordered.with_priority, "name", priority=3).result(LIMIT) == ("name", 3)
    assert executor.submit(ordered.anything, priority=3).result(LIMIT) == {"priority": 3}


@pytest.mark.host
def test_a_high_priority_overtakes_a_backlog(executor: Executor) -> None:
    began = time.monotonic()
    low = [executor.submit(ordered.nap, 0.005) for _ in range(200)]
    time.sleep(0.05)
    high = [executor.options(priority=1).submit(ordered.nap, 0.001) for _ in range(4)]
    done = max(future.result(LIMIT) for future in high)
    open_then = sum(not future.done() for future in low)
    assert done - began < 0.3
    assert open_then > 100, open_then
    ends = [future.result(LIMIT) for future in low]
    assert sum(end > done for end in ends) > 100


@pytest.mark.host
def test_a_low_priority_is_overtaken(executor: Executor) -> None:
    low = [executor.options(priority=-1).submit(ordered.nap, 0.005) for _ in range(100)]
    usual = [executor.submit(ordered.nap, 0.005) for _ in range(100)]
    last = sorted(future.result(LIMIT) for future in usual)[89]
    assert sum(future.result(LIMIT) > last for future in low) > 60


@pytest.mark.host
def test_a_map_has_a_priority(executor: Executor) -> None:
    low = executor.map(ordered.nap_for, range(400), chunksize=2)
    high = executor.map(ordered.nap_for, range(10), priority=2)
    done = max(high)
    assert sum(end > done for end in low) > 200


@pytest.mark.host
def test_nested_ones_inherit(executor: Executor) -> None:
    low = [executor.submit(ordered.nap, 0.01) for _ in range(100)]
    time.sleep(0.03)
    last = max(executor.options(priority=1).submit(ordered.nested_whens, 10).result(LIMIT))
    assert sum(future.result(LIMIT) > last for future in low) > 60


@pytest.mark.host
def test_a_group_has_a_priority(executor: Executor) -> None:
    low = [executor.submit(ordered.nap, 0.005) for _ in range(200)]
    group = executor.group("urgent", priority=5)
    first = group.submit(ordered.with_priority, "name", priority=1)
    last = group.submit(ordered.when)
    assert first.result(LIMIT) == ("name", 1)
    done = last.result(LIMIT)
    assert sum(future.result(LIMIT) > done for future in low) > 100


@pytest.mark.host
def test_urgent_ones_in_great_number(executor: Executor) -> None:
    handles = [executor.options(priority=1 + number % 3).submit(pow, number, 2) for number in range(5000)]
    assert [future.result(LIMIT) for future in handles] == [number**2 for number in range(5000)]


@pytest.mark.host
def test_a_long_future_is_not_interrupted_but_what_waits_behind_it_is_overtaken(tmp_path: Path) -> None:
    with Executor(max_workers=1) as executor:
        long = executor.submit(ordered.hold, str(tmp_path / "go"))
        assert eventually((tmp_path / "go.runs").exists, LIMIT)
        low = [executor.submit(ordered.nap, 0.001) for _ in range(20)]
        high = executor.options(priority=1).submit(ordered.when)
        assert not futures.wait([high, *low], 0.2).done
        (tmp_path / "go").touch()
        long.result(LIMIT)
        first = high.result(LIMIT)
        assert all(future.result(LIMIT) > first for future in low[1:])  # one may have been sent ahead
