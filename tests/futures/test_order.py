"""Priorities: higher ones go first, at every queue."""

from __future__ import annotations

import time
from pathlib import Path

import order_functions as ordered
import pytest
from launching import eventually

from fedfutures import Executor, Future, futures

LIMIT = 20.0
MANY = 1000
"""Futures of a hundredth of a second each: what is urgent is done long before the half of them, on any machine."""


def assert_most_wait(low: list[Future]) -> None:
    """Most of these were overtaken; the rest of them is cancelled, as nobody wants to wait for it."""
    waiting = sum(not future.done() for future in low)
    for future in reversed(low):
        future.cancel()
    assert waiting > MANY / 2
    futures.wait(low, LIMIT)


# -- with Workers ----------------------------------------------------------------------------------------------------


@pytest.mark.host
def test_a_keyword_that_is_the_callables(executor: Executor) -> None:
    assert executor.submit(ordered.with_priority, "name", priority=3).result(LIMIT) == ("name", 3)
    assert executor.submit(ordered.anything, priority=3).result(LIMIT) == {"priority": 3}


@pytest.mark.host
def test_a_high_priority_overtakes_a_backlog(executor: Executor) -> None:
    low = [executor.submit(ordered.nap, 0.01) for _ in range(MANY)]
    time.sleep(0.05)
    high = [executor.options(priority=1).submit(ordered.nap, 0.001) for _ in range(4)]
    futures.wait(high, LIMIT)
    assert_most_wait(low)


@pytest.mark.host
def test_a_low_priority_is_overtaken(executor: Executor) -> None:
    low = [executor.options(priority=-1).submit(ordered.nap, 0.005) for _ in range(100)]
    usual = [executor.submit(ordered.nap, 0.005) for _ in range(100)]
    last = sorted(future.result(LIMIT) for future in usual)[89]
    assert sum(future.result(LIMIT) > last for future in low) > 60


@pytest.mark.host
def test_a_map_has_a_priority(executor: Executor, tmp_path: Path) -> None:
    held = [executor.submit(ordered.hold, str(tmp_path / "go")) for _ in range(2)]
    assert eventually(lambda: all(future.running() for future in held), LIMIT)
    low = executor.map(ordered.nap_for, range(400), chunksize=2)
    high = executor.map(ordered.nap_for, range(10), priority=2)
    (tmp_path / "go").touch()
    done = max(high)
    assert sum(end > done for end in low) > 200


@pytest.mark.host
def test_nested_ones_inherit(executor: Executor) -> None:
    low = [executor.submit(ordered.nap, 0.01) for _ in range(MANY)]
    executor.options(priority=1).submit(ordered.nested_whens, 10).result(LIMIT)
    assert_most_wait(low)


@pytest.mark.host
def test_a_group_has_a_priority(executor: Executor) -> None:
    low = [executor.submit(ordered.nap, 0.01) for _ in range(MANY)]
    group = executor.group("urgent", priority=5)
    first = group.submit(ordered.with_priority, "name", priority=1)
    last = group.submit(ordered.when)
    assert first.result(LIMIT) == ("name", 1)
    last.result(LIMIT)
    assert_most_wait(low)


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
