"""A simulated Broker's process: it can be stopped, started again, and takes its time."""

from __future__ import annotations

import pytest

from fedfutures.simulation.network import SimLink
from fedfutures.simulation.scenario import FigureSettings, build
from fedfutures.simulation.system import System
from fedfutures.simulation.world import Costs, World
from fedfutures.wire.messages import PROTOCOL, Hello, Welcome

from .listening import Listener

COST = 0.001


def greeted(costs: Costs, count: int) -> tuple[System, list[float]]:
    """Let Workers say Hello at the same instant; return when they are welcome."""
    world = World(1, costs=costs)
    system = System(world, count)
    broker = system.add_broker("b")
    subscribers = [Listener(world.clock) for _ in range(count)]
    for number, subscriber in enumerate(subscribers):
        broker.links[f"w{number}"] = SimLink(world.clock, "b", subscriber, 0.0)
        broker.arrive(f"w{number}", [(0, 0, Hello(PROTOCOL, "worker", f"w{number}", 1 + number, 7))])
    world.clock.run(until=0.1)
    welcomes = [time for subscriber in subscribers for time, frame in subscriber.frames if type(frame[0][2]) is Welcome]
    return system, welcomes


def test_messages_wait_for_those_before_them() -> None:
    """Each takes one in and says one; what it says leaves when both are done."""
    _, welcomes = greeted(Costs(broker=COST), 3)
    assert welcomes == pytest.approx([2 * COST, 4 * COST, 6 * COST])


def test_without_costs_nothing_waits() -> None:
    _, welcomes = greeted(Costs(), 3)
    assert welcomes == [0.0] * 3


def test_a_broker_that_is_started_again_is_another_and_expects_its_workers() -> None:
    system, _ = greeted(Costs(), 2)
    broker = system.brokers["b"]
    incarnation = broker.incarnation
    system.broker_died(broker, keeps_mail=True)
    assert not broker.alive
    broker.arrive("w0", [(0, 0, Hello(PROTOCOL, "worker", "w0", 1, 7))])
    broker.start_again(["w0", "w1"], [])
    assert broker.alive
    assert broker.incarnation != incarnation
    assert "w0" in broker.machine.peers  # what came meanwhile was kept
    assert "w1" not in broker.machine.peers


def test_workers_and_origins_are_linked_to_their_broker() -> None:
    system = build(FigureSettings(brokers=2, workers=2))
    system.clock.run(until=1.0)
    for broker in system.brokers.values():
        assert broker.machine.statistics()["workers"] == 2
        broker.machine.check()
    assert system.origins["o0"].machine.linked
