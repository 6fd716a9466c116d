"""A simulated Worker's process, as its Federation sees it."""

from __future__ import annotations

import pytest

from fedfutures.simulation.observer import Listener
from fedfutures.simulation.specs import CRASHES, payload_of
from fedfutures.simulation.system import System
from fedfutures.simulation.worker import SimWorker
from fedfutures.simulation.world import Costs, World


class Runs(Listener):
    """Notes which Futures of the Origin ran where, from when to when."""

    def __init__(self) -> None:
        self.runs: list[tuple[int, str, float, float]] = []
        self.lost: list[str] = []

    def on_run(self, now: float, worker: str, submitter: str, number: int, began: float) -> None:
        self.runs.append((number, worker, began, now))

    def on_worker_lost(self, worker: str, blamed: tuple[str, int] | None) -> None:
        self.lost.append(worker)


def one_worker(costs: Costs = Costs()) -> tuple[System, SimWorker, Runs]:  # noqa: B008
    world, runs = World(1, checked_of=1, costs=costs), Runs()
    world.observer.register(runs)
    system = System(world, 1)
    system.add_broker("b")
    worker = system.add_worker("b", 1)
    system.add_origin("b", "o")
    world.clock.run(until=1.0)
    return system, worker, runs


def submit(system: System, seconds: float, priority: int = 0, **more: int) -> int:
    return system.origins["o"].put(payload_of(system.world.next_tag(), seconds, **more), b"f", priority)


def test_futures_run_one_after_the_other() -> None:
    system, worker, runs = one_worker()
    for _ in range(20):
        submit(system, 0.5)
    system.clock.run(until=60.0)
    assert [number for number, *_ in runs.runs] == list(range(1, 21))
    assert all(began >= ended for (*_, began, _), (*_, ended) in zip(runs.runs[1:], runs.runs))
    assert worker.times.busy == pytest.approx(10.0)
    assert worker.workload.pieces == {}


def test_the_work_for_each_future_is_added_to_what_it_computes() -> None:
    system, worker, _ = one_worker(Costs(worker=0.25))
    for _ in range(4):
        submit(system, 0.5)
    system.clock.run(until=60.0)
    assert worker.times.busy == pytest.approx(3.0)


def test_a_slow_worker_takes_longer_until_it_is_no_longer_slow() -> None:
    system, worker, runs = one_worker()
    worker.be_slow(3.0)
    submit(system, 0.5)
    system.clock.run(until=system.clock.now + 5.0)
    worker.be_slow(1.0)
    submit(system, 0.5)
    system.clock.run(until=system.clock.now + 5.0)
    assert [ended - began for *_, began, ended in runs.runs] == pytest.approx([1.5, 0.5])


def test_pieces_of_higher_priority_are_started_first() -> None:
    """The simulator did not, until it ran the rules of production."""
    system, _, runs = one_worker()
    for _ in range(3):
        submit(system, 0.004)
    system.clock.run(until=system.clock.now + 1.0)  # their duration is known: several are asked for at a time
    runs.runs.clear()
    first = [submit(system, 0.004) for _ in range(6)]
    urgent = submit(system, 0.004, priority=1)
    system.clock.run(until=system.clock.now + 5.0)
    order = [number for number, *_ in runs.runs]
    assert sorted(order) == [*first, urgent]
    assert order.index(urgent) < 5


def test_a_future_that_kills_its_worker_is_blamed_and_the_worker_replaced() -> None:
    system, worker, runs = one_worker()
    submit(system, 0.5, kind=CRASHES)
    system.clock.run(until=30.0)
    assert runs.lost == ["b.1", "b.1+1", "b.1+2"]  # the third crash is the last
    assert list(system.workers) == ["b.1+3"]
    assert not worker.alive


def test_a_parent_waits_for_its_children_and_runs_them_itself() -> None:
    system, worker, runs = one_worker()
    submit(system, 0.5, width=2, depth=1)
    system.clock.run(until=30.0)
    assert len(runs.runs) == 3
    assert worker.waiting == 0
