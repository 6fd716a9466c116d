"""Several hosts, nothing fails: work submitted at one of them runs on all, and what it needs is there."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from launching import launch, write
from live import SECONDS, Lab, Trial, constant, hosts_of, nest, place, work

from benchmarks.lab import here, spell
from fedfutures import shared

pytestmark = pytest.mark.host


@pytest.fixture(scope="module", params=["star", "chain"])
def three(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Three hosts of two Workers each; the first dials the others, or each the next."""
    links = {"star": [(0, 1), (0, 2)], "chain": [(0, 1), (1, 2)]}
    with Lab([2, 2, 2], links=links[request.param]) as lab:
        lab.meet(lab.site(0))
        lab.meet(lab.site(2))
        yield lab


@pytest.mark.parametrize("at", [0, 2])
def test_what_is_submitted_at_one_broker_runs_on_all_workers(three: Lab, at: int) -> None:
    found = hosts_of(three.site(at), place, [(number,) for number in range(200)])
    assert [number for number, _, _ in found] == list(range(200))
    assert len({pid for _, _, pid in found}) == 6
    assert min(Counter(host for _, host, _ in found).values()) > 30


@pytest.mark.parametrize("at", [0, 2])
def test_the_items_of_a_map_run_on_all_workers(three: Lab, at: int) -> None:
    found = list(three.site(at).map(place, range(200)))
    assert [number for number, _, _ in found] == list(range(200))
    assert len({pid for _, _, pid in found}) == 6


@pytest.mark.parametrize("at", [0, 2])
def test_nested_futures_spread(three: Lab, at: int) -> None:
    (hosts,) = hosts_of(three.site(at), nest, [(3, 5)])
    assert len(hosts) == 1 + 5 + 25 + 125
    assert min(Counter(hosts)[host] for host in range(3)) > 10


@pytest.mark.parametrize("at", [0, 2])
def test_shared_constants_reach_all_hosts(three: Lab, at: int) -> None:
    for value in (f"first {at}", f"second {at}"):
        name = value.replace(" ", "_")
        shared.set(**{name: value})
        found = hosts_of(three.site(at), constant, [(name,)] * 60)
        assert {value for value, _ in found} == {value}
        assert {host for _, host in found} == {0, 1, 2}


def test_origins_at_two_brokers_have_equal_shares(three: Lab) -> None:
    both = three.site(0), three.site(2)
    pairs = [[site.submit(spell, 0.02) for site in both] for _ in range(250)]  # in turn, so that they begin together
    with ThreadPoolExecutor(2) as waiters:  # both are driven, each by the thread that waits for it
        waits = [waiters.submit(_results, [pair[which] for pair in pairs]) for which in (0, 1)]
        found = [wait.result(SECONDS) for wait in waits]
    begin = max(min(row[2] for row in rows) for rows in found)
    end = min(max(row[3] for row in rows) for rows in found)
    done = [sum(begin <= row[2] and row[3] <= end for row in rows) for rows in found]
    assert 0.5 < done[0] / done[1] < 2.0, done


def _results(futures: list[Any]) -> list[Any]:
    return [future.result(SECONDS) for future in futures]


def test_a_large_definition_crosses_a_link_once() -> None:
    ballast = bytes(range(256)) * 900

    def weigh(number: int) -> tuple[int, int, int]:
        time.sleep(0.01)
        return number, len(ballast), here()

    with Lab([1, 2], {(0, 1): 0.0}) as lab:
        site = lab.site(0)
        lab.meet(site)
        before = lab.proxies[0, 1].bytes()
        rounds, end = 0, time.monotonic() + SECONDS
        while rounds < 3 and time.monotonic() < end:
            found = hosts_of(site, weigh, [(number,) for number in range(60)])
            assert [row[:2] for row in found] == [(number, len(ballast)) for number in range(60)]
            rounds += any(host == 1 for *_, host in found)
        crossed = lab.proxies[0, 1].bytes() - before
        assert len(ballast) <= crossed < 1.5 * len(ballast)


def test_what_waits_at_another_broker_can_be_cancelled(tmp_path: Path) -> None:
    with Lab([0, 2]) as lab:
        site = lab.site(0)
        lab.meet(site)
        path = str(tmp_path / "ran")
        futures = [site.submit(work, number, 0.4, path) for number in range(40)]
        time.sleep(0.3)
        cancelled = [future.cancel() for future in futures[6:]]
        assert all(cancelled)
        assert [future.result(timeout=SECONDS)[0] for future in futures[:6]] == [number**2 for number in range(6)]
        assert all(future.cancelled() for future in futures[6:])
        time.sleep(0.2)
        assert sorted(int(line.split()[0]) for line in Path(path).read_text().splitlines()) == list(range(6))


def test_what_is_cancelled_under_way_is_either_run_or_not(tmp_path: Path) -> None:
    with Lab([1, 2], {(0, 1): 0.02}) as lab:
        site = lab.site(0)
        lab.meet(site)
        trial = Trial(site, 600, 0.005, tmp_path / "ran")
        trial.until(100)
        site.origin.cancel_all(trial.futures)
        done = [number for number, future in enumerate(trial.futures) if not _is_cancelled(future)]
        assert 100 <= len(done) < 400
        assert set(done) <= set(trial.started())
        assert len(trial.started()) <= len(done) + 12


def _is_cancelled(future: object) -> bool:
    deadline = time.monotonic() + SECONDS
    while not future.done():  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return bool(future.cancelled())  # type: ignore[attr-defined]


PROGRAM = """
    import os, time
    from fedfutures import futures, statistics

    def square(number):
        time.sleep(0.002)
        return number * number, os.getpid()

    def tree(depth):
        return 1 + sum(futures.map(tree, [depth - 1] * 2)) if depth else 1

    if __name__ == "__main__":
        found = list(futures.map(square, range(300)))
        assert [value for value, _ in found] == [number**2 for number in range(300)]
        assert len({pid for _, pid in found}) == 4
        handles = [futures.submit(square, number) for number in range(300)]
        assert [future.result()[0] for future in handles] == [number**2 for number in range(300)]
        assert futures.submit(tree, 6).result() == 127
        print("well")
"""


def test_a_launched_program_has_two_brokers(tmp_path: Path) -> None:
    program = write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "4", "-b", "2", str(program))
    assert (ended.code, ended.out, ended.err) == (0, "well\n", "")
