"""A simulated Federation, and what host processes do for it."""

from __future__ import annotations

import pytest

from fedfutures.simulation.network import FaultyLink, LinkFaults
from fedfutures.simulation.specs import payload_of
from fedfutures.simulation.system import System
from fedfutures.simulation.world import World


def chain(conditions: LinkFaults | None = None, drift: float = 0.0) -> System:
    """Three Brokers in a row, a Worker at each, a program at the first."""
    system = System(World(1), 3, conditions=conditions, drift=drift)
    for name in ("b0", "b1", "b2"):
        system.add_broker(name)
    for parent, child in (("b0", "b1"), ("b1", "b2")):
        system.join(parent, child, 0.001)
    for name in ("b0", "b1", "b2"):
        system.add_worker(name, 1)
    system.add_origin("b0", "o")
    return system


def test_a_worker_that_has_ended_is_replaced_under_another_name() -> None:
    system = chain()
    system.clock.run(until=1.0)
    worker = system.workers["b1.1"]
    for _ in range(2):
        system.worker_died(worker, "signal SIGKILL", blame=False)
    system.clock.run(until=2.0)
    assert list(system.workers) == ["b0.1", "b2.1", "b1.1+1"]
    assert system.staff["b1"] == ["b1.1+1"]
    peers = system.brokers["b1"].machine.peers
    assert "b1.1" not in peers
    assert "b1.1+1" in peers


def test_one_that_is_not_replaced_stays_away() -> None:
    system = chain()
    system.worker_died(system.workers["b1.1"], "signal SIGKILL", blame=False, again=False)
    system.clock.run(until=2.0)
    assert list(system.workers) == ["b0.1", "b2.1"]


def test_a_program_hears_that_its_host_process_has_ended_and_begins_anew_with_the_next() -> None:
    system = chain()
    origin, broker = system.origins["o"], system.brokers["b0"]
    system.clock.run(until=1.0)
    assert broker.machine.peers["o"].session
    system.host_process_died("b0")
    assert list(system.workers) == ["b1.1", "b2.1"]
    system.clock.run(until=1.5)
    assert origin.bereft
    assert not origin.machine.linked
    system.host_process_starts("b0")
    system.clock.run(until=2.0)
    assert not origin.bereft
    assert {"o", "b0.1+1", "b1"} <= broker.machine.peers.keys()


def test_behind_a_lost_host_everything_is_cut_off() -> None:
    system = chain()
    system.clock.run(until=1.0)
    assert system.cut_off() == set()
    system.host_died("b1")
    system.clock.run(until=2.0)
    assert system.cut_off() == {"b1", "b2"}
    assert list(system.workers) == ["b0.1", "b2.1"]
    system.broker_starts(system.brokers["b1"])
    assert not system.brokers["b1"].alive


def test_messages_of_those_that_are_gone_count() -> None:
    system = chain()
    system.clock.run(until=1.0)
    before = system.messages_sent()
    system.worker_died(system.workers["b2.1"], "signal SIGKILL", blame=False, again=False)
    assert system.messages_sent() == before > 20


@pytest.mark.parametrize("drift", [0.0, 0.05])
def test_clocks_run_fast_or_slow_within_the_drift(drift: float) -> None:
    system = chain(drift=drift)
    rates = [node.rate for node in system.nodes()]
    assert all(1.0 - drift <= rate <= 1.0 + drift for rate in rates)
    assert len(set(rates)) == (7 if drift else 1)


def test_links_have_faults_where_there_are_conditions() -> None:
    assert chain().faulty_links == []
    conditions = LinkFaults(drop=0.5)
    links = chain(conditions).faulty_links
    assert len(links) == 2 * (2 + 3 + 1)
    assert all(isinstance(link, FaultyLink) and link.conditions is conditions for link in links)


def test_a_host_gets_more_workers_and_fewer() -> None:
    system = chain()
    system.clock.run(until=1.0)
    system.resize("b1", 3)
    system.clock.run(until=2.0)
    assert (system.count_workers("b1"), system.staff["b1"]) == (3, ["b1.1", "b1.2", "b1.3"])
    system.resize("b1", 1)
    system.clock.run(until=3.0)
    assert system.staff["b1"] == ["b1.1"]
    assert "b1.2" not in system.brokers["b1"].machine.peers
    system.resize("b1", 2)
    system.clock.run(until=4.0)
    assert system.staff["b1"] == ["b1.1", "b1.2+1"]


def test_a_worker_that_is_one_too_many_finishes_what_it_runs() -> None:
    system = chain()
    system.clock.run(until=1.0)
    for name in ("b1", "b2"):
        system.resize(name, 0)
    system.clock.run(until=2.0)
    assert list(system.workers) == ["b0.1"]
    origin, worker = system.origins["o"], system.workers["b0.1"]
    for tag in (1, 2):
        origin.put(payload_of(tag, 2.0), b"f")
    system.clock.run(until=3.0)
    assert worker.current is not None
    system.resize("b0", 0)
    system.clock.run(until=4.5)
    assert not system.workers
    assert len(origin.calls) == 1, "the other one waits for a Worker"
    system.resize("b2", 1)
    system.clock.run(until=9.0)
    assert not origin.calls


def test_one_that_is_to_stay_after_all_stays() -> None:
    system = chain()
    system.origins["o"].put(payload_of(1, 2.0), b"f")
    system.clock.run(until=1.0)
    [busy] = [worker for worker in system.workers.values() if worker.current is not None]
    system.resize(busy.home, 0)
    system.clock.run(until=1.5)
    assert busy.inbox.withdrawal.is_told
    system.resize(busy.home, 1)
    system.clock.run(until=5.0)
    assert busy.alive
    assert not busy.inbox.withdrawal.is_known


def test_no_worker_is_started_where_the_host_process_is_down() -> None:
    system = chain()
    system.clock.run(until=1.0)
    system.host_process_died("b0")
    system.resize("b0", 2)
    system.clock.run(until=2.0)
    assert system.staff["b0"] == []
    system.host_process_starts("b0")
    system.clock.run(until=3.0)
    assert system.staff["b0"] == ["b0.1+1", "b0.2"]
