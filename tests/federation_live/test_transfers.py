"""Hosts with directories of their own: what is too large for messages is there when a Future needs it."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import SECONDS, Lab, Site, serves

from benchmarks.lab import here
from fedfutures import futures, shared
from fedfutures.errors import NotSupportedHere

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.host

MEGABYTES = 2
SIZE = MEGABYTES << 17  # doubles


@pytest.fixture(scope="module")
def row() -> Iterator[tuple[Lab, Site]]:
    """Three hosts in a row, the Workers at both ends, and a program at one of them."""
    with Lab([1, 0, 2], links=[(0, 1), (1, 2)], seal=os.urandom(32)) as lab:
        site = lab.site(0)
        lab.meet(site)
        yield lab, site


def twice(array: Any, seconds: float = 0.01) -> tuple[Any, int]:
    """Use an argument, and return something as large."""
    time.sleep(seconds)
    return array * 2, here()


def digest(array: Any, number: int) -> tuple[bytes, int, int]:
    """Say what an argument is."""
    time.sleep(0.01)
    return hashlib.blake2b(array.tobytes()).digest(), number, here()


def of_constant(number: int) -> tuple[float, int]:
    """Use a constant, without waiting for it."""
    time.sleep(0.01)
    return float(shared.get("table")[number]), here()


def segments(lab: Lab, index: int) -> dict[str, int]:
    """Return the segments of a host, and how large they are."""
    place = Path(lab.handles[index].facts["shared"])
    return {path.name: path.stat().st_size for path in place.iterdir() if not path.name.startswith("free-")}


def test_both_ways_over_three_hosts(row: tuple[Lab, Site]) -> None:
    _, site = row
    arrays = [np.arange(SIZE, dtype=float) + number for number in range(24)]
    found = [site.submit(twice, array) for array in arrays]
    hosts = set()
    for array, future in zip(arrays, found, strict=True):
        value, host = future.result(timeout=SECONDS)
        hosts.add(host)
        assert np.array_equal(value, 2 * array)
        assert value.flags.writeable
    assert hosts == {0, 2}


def test_an_array_in_shared_memory_is_what_was_passed_on_each_host(row: tuple[Lab, Site]) -> None:
    _, site = row
    table = shared.array(SIZE)
    for turn in range(3):
        table[:] = turn
        expected = hashlib.blake2b(table.tobytes()).digest()
        found = [site.submit(digest, table, number) for number in range(24)]
        table[:] = 100 + turn
        rows = [future.result(timeout=SECONDS) for future in found]
        assert {value for value, _, _ in rows} == {expected}
        assert {host for *_, host in rows} == {0, 2}
    with pytest.raises(NotSupportedHere, match="own host only"):
        site.submit(digest, shared.array(8, live=True), 0)


def test_one_argument_of_many_futures_crosses_once(row: tuple[Lab, Site]) -> None:
    lab, site = row
    before = segments(lab, 2)
    table = np.random.default_rng(1).random(SIZE)
    found = list(site.map(digest, [table] * 60, range(60)))
    right = hashlib.blake2b(table.tobytes()).digest()
    assert [(value, number) for value, number, _ in found] == [(right, number) for number in range(60)]
    assert {host for *_, host in found} == {0, 2}
    new = segments(lab, 2).keys() - before.keys()
    assert len(new) == 1


def test_a_constant_is_there_before_what_was_submitted_after_it(row: tuple[Lab, Site]) -> None:
    _, site = row
    for factor in (1.0, 3.0):
        table = np.arange(SIZE) * factor
        site.origin.share("table", table)
        found = [site.submit(of_constant, number) for number in range(40)]
        values = [future.result(timeout=SECONDS) for future in found]
        assert [value for value, _ in values] == [number * factor for number in range(40)]
        assert {host for _, host in values} == {0, 2}


def test_a_link_that_is_cut_in_the_middle() -> None:
    with Lab([0, 2], {(0, 1): 0.002}, seal=os.urandom(32)) as lab:
        site = lab.site(0)
        lab.meet(site)
        proxy = lab.proxies[0, 1]
        arrays = [np.full(SIZE, number, dtype=float) for number in range(12)]
        before = proxy.bytes()
        found = [site.submit(twice, array) for array in arrays]
        for cut in range(3):
            deadline = time.monotonic() + SECONDS
            while proxy.bytes() < before + (cut * 2 + 1) * (MEGABYTES << 20) * 3 // 2:
                assert time.monotonic() < deadline
            proxy.cut()
            time.sleep(0.05)
            proxy.heal()
        for array, future in zip(arrays, found, strict=True):
            assert np.array_equal(future.result(timeout=SECONDS)[0], 2 * array)
        assert serves(site)


def nested(number: int) -> float:
    """Submit Futures with large arguments from here."""
    arrays = [np.full(SIZE, number + extra, dtype=float) for extra in range(4)]
    found = [future.result()[0] for future in [futures.submit(twice, array, 0.05) for array in arrays]]
    return float(sum(value[-1] for value in found))


def test_futures_of_workers(row: tuple[Lab, Site]) -> None:
    _, site = row
    found = [site.submit(nested, number) for number in range(6)]
    assert [future.result(timeout=SECONDS) for future in found] == [2.0 * (4 * number + 6) for number in range(6)]


@pytest.mark.parametrize("victim", [0, 1], ids=["own", "other"])
def test_a_broker_is_killed_in_the_middle(victim: int) -> None:
    with Lab([0, 2], seal=os.urandom(32)) as lab:
        site = lab.site(0)
        lab.meet(site)
        arrays = [np.full(SIZE, number, dtype=float) for number in range(20)]
        found = [site.submit(twice, array) for array in arrays]
        found[3].result(timeout=SECONDS)
        os.kill(lab.broker(victim), signal.SIGKILL)
        for array, future in zip(arrays, found, strict=True):
            assert np.array_equal(future.result(timeout=SECONDS)[0], 2 * array)
        assert serves(site)
