"""Swarms of faults, and how they heal."""

from __future__ import annotations

from random import Random

from fedfutures.simulation.nemesis import Nemesis, Swarm, draw_swarm
from fedfutures.simulation.network import LinkFaults
from fedfutures.simulation.specs import payload_of
from fedfutures.simulation.system import System
from fedfutures.simulation.world import World


def system_of(swarm: Swarm) -> System:
    """Two Brokers with two Workers each, and a program at the first."""
    system = System(World(1, checked_of=1), 4, conditions=swarm.conditions)
    for name in ("b0", "b1"):
        system.add_broker(name)
    system.join("b0", "b1", 0.001)
    for name in ("b0", "b1"):
        for slot in (1, 2):
            system.add_worker(name, slot)
    system.add_origin("b0", "o")
    return system


def test_one_swarm_in_eight_has_no_faults_and_no_fault_is_in_all() -> None:
    swarms = [str(draw_swarm(Random(seed))) for seed in range(800)]
    assert 80 <= swarms.count("no faults") <= 140
    for fault in ("drift", "worker_crashes", "broker_crashes", "cuts", "clogs", "pauses", "drop", "reorder"):
        assert 80 <= sum(fault in swarm for swarm in swarms) <= 400


def test_the_brokers_between_programs_are_never_lost_for_good() -> None:
    swarm = Swarm(LinkFaults(), deaths=20.0)
    system = system_of(swarm)
    Nemesis(system, swarm, until=3.0).begin()
    system.clock.run(until=9.0)
    assert system.dead == {"b1"} == system.cut_off()
    assert system.brokers["b0"].alive
    assert all(system.hosts[worker] == "b0" for worker in system.workers)


def test_host_processes_of_programs_are_started_again() -> None:
    swarm = Swarm(LinkFaults(), revivals=5.0)
    system = system_of(swarm)
    incarnations = {name: broker.incarnation for name, broker in system.brokers.items()}
    nemesis = Nemesis(system, swarm, until=2.0)
    nemesis.begin()
    system.clock.run(until=2.0)
    nemesis.heal()
    system.clock.run(until=5.0)
    changed = [name for name, broker in system.brokers.items() if broker.incarnation != incarnations[name]]
    assert changed == ["b0"]
    assert len(system.workers) == 4
    assert system.origins["o"].machine.linked


def test_everything_that_can_be_made_good_heals() -> None:
    swarm = Swarm(
        LinkFaults(drop=0.5), worker_crashes=5.0, broker_crashes=5.0, cuts=5.0, clogs=5.0, pauses=5.0, slowness=5.0
    )
    system = system_of(swarm)
    nemesis = Nemesis(system, swarm, until=2.0)
    nemesis.begin()
    system.clock.run(until=2.0)
    nemesis.heal()
    assert system.conditions == LinkFaults()
    assert not any(link.cut or link.clogged_until > system.clock.now for link in system.faulty_links)
    assert not any(node.halted for node in system.nodes())
    system.clock.run(until=20.0)
    assert len(system.workers) == 4
    assert all(worker.slowness == 1.0 for worker in system.workers.values())
    assert all(name in system.brokers[system.hosts[name]].machine.peers for name in system.workers)


def test_hosts_that_give_up_leave_no_worker_and_what_waits_is_lost() -> None:
    swarm = Swarm(LinkFaults(), gives_up=1.0)
    system = system_of(swarm)
    nemesis = Nemesis(system, swarm, until=3.0)
    system.clock.run(until=0.5)
    for _ in range(3):
        system.origins["o"].put(payload_of(1, 50.0), b"f")
    nemesis.gives_up(None)
    system.broker_died(system.brokers["b1"], keeps_mail=False)
    system.broker_starts(system.brokers["b1"])
    system.clock.run(until=9.0)
    assert not system.workers
    assert not system.origins["o"].calls
    assert all(broker.machine.recovery.gave_up == system.gave_up for broker in system.brokers.values())


def test_functions_that_are_forgotten_are_fetched_again() -> None:
    swarm = Swarm(LinkFaults(), forgets=1.0)
    system = system_of(swarm)
    nemesis = Nemesis(system, swarm, until=3.0)
    origin = system.origins["o"]
    for round_ in range(1, 4):
        for _ in range(4):
            origin.put(payload_of(system.world.next_tag(), 0.2), b"f")
        system.clock.run(until=3.0 * round_)
        assert not origin.calls
        for _ in range(30):
            nemesis.forgets(None)
        assert not any(broker.machine.functions.definitions for broker in system.brokers.values())
        assert not any(worker.machine.statistics()["functions"] for worker in system.workers.values())


def test_hosts_get_more_workers_and_fewer_and_one_at_least_in_the_end() -> None:
    swarm = Swarm(LinkFaults(), resizes=20.0)
    system = system_of(swarm)
    nemesis = Nemesis(system, swarm, until=2.0)
    nemesis.begin()
    counts = set()
    for step in range(20):
        system.clock.run(until=step / 10)
        counts |= {system.count_workers(name) for name in system.brokers}
    assert counts >= {0, 1, 2, 3, 4}
    nemesis.heal()
    system.clock.run(until=5.0)
    assert all(system.count_workers(name) == system.places[name] >= 1 for name in system.brokers)
    assert all(name in system.brokers[system.hosts[name]].machine.peers for name in system.workers)


def test_a_host_that_is_spared_is_never_lost_for_good() -> None:
    swarm = Swarm(LinkFaults(), deaths=20.0)
    system = system_of(swarm)
    nemesis = Nemesis(system, swarm, until=3.0)
    nemesis.spare("b1")
    nemesis.begin()
    system.clock.run(until=9.0)
    assert system.dead == set()
