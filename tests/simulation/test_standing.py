"""A simulated host of a standing Federation, which two programs share."""

from __future__ import annotations

from fedfutures.simulation.specs import payload_of
from fedfutures.simulation.standing import SimHostServer
from fedfutures.simulation.system import System
from fedfutures.simulation.world import World


def standing(until: float) -> System:
    """One host with three slots, and a program that has nothing to do yet."""
    system = System(World(1, checked_of=1), 3)
    system.add_broker("b")
    SimHostServer(system, "b", 3, until)
    system.add_origin("b", "o")
    return system


def submit(system: System, count: int, seconds: float = 0.5) -> None:
    for tag in range(count):
        system.origins["o"].put(payload_of(tag, seconds), b"f")


def test_workers_come_when_they_are_wanted_and_leave_when_another_program_wants_them() -> None:
    system = standing(until=30.0)
    system.clock.run(until=1.0)
    submit(system, 60)
    counts = []
    while system.origins["o"].calls and system.clock.now < 60.0:
        system.clock.run(until=system.clock.now + 0.1)
        counts.append(system.count_workers("b"))
    assert not system.origins["o"].calls
    assert {1, 2, 3} <= set(counts)


def test_alone_a_program_has_all_slots() -> None:
    system = standing(until=0.0)
    submit(system, 20)
    system.clock.run(until=2.0)
    assert system.count_workers("b") == 3


def test_while_the_host_process_is_down_nothing_is_decided() -> None:
    system = standing(until=0.0)
    submit(system, 20)
    system.clock.run(until=2.0)
    system.host_process_died("b")
    system.clock.run(until=3.0)
    assert system.places["b"] == 3
    system.host_process_starts("b")
    system.clock.run(until=20.0)
    assert not system.origins["o"].calls
