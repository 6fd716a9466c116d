"""Simulated programs."""

from __future__ import annotations

from collections.abc import Iterator

from fedfutures.simulation.network import LinkFaults
from fedfutures.simulation.observer import Listener
from fedfutures.simulation.origin import LINGER_SECONDS, SimOrigin
from fedfutures.simulation.specs import payload_of, value_of
from fedfutures.simulation.system import System
from fedfutures.simulation.world import World
from fedfutures.wire.messages import CANCELLED


class Outcomes(Listener):
    """Notes the outcomes of the program, in the order of their coming."""

    def __init__(self) -> None:
        self.found: dict[int, bytes | int] = {}

    def on_outcomes(self, node: str, ids: list[int], outcomes: list[bytes], odd: dict[int, int]) -> None:
        self.found.update({number: odd.get(number, outcome) for number, outcome in zip(ids, outcomes)})


def program(workers: int = 1) -> tuple[System, SimOrigin, Outcomes]:
    world, outcomes = World(1, checked_of=1), Outcomes()
    world.observer.register(outcomes)
    system = System(world, workers, conditions=LinkFaults())
    system.add_broker("b")
    for slot in range(1, 1 + workers):
        system.add_worker("b", slot)
    origin = system.add_origin("b", "o")
    world.clock.run(until=1.0)
    return system, origin, outcomes


def test_what_is_submitted_lazily_is_drawn_as_it_is_wanted() -> None:
    system, origin, outcomes = program()
    drawn: list[bytes] = []

    def payloads() -> Iterator[bytes]:
        for tag in range(500):
            drawn.append(payload_of(tag, 0.5))
            yield drawn[-1]

    origin.submit_lazily(payloads(), 500)
    origin.service()
    system.clock.run(until=3.0)
    assert 4 <= len(drawn) < 20
    system.clock.run(until=300.0)
    assert list(outcomes.found.values()) == [value_of(payload) for payload in drawn]
    assert origin.backlog() == len(origin.calls) == 0


def test_higher_priorities_are_given_first() -> None:
    system, origin, outcomes = program()
    for tag, priority in enumerate([0, 0, 0, 1, -1, 2]):
        origin.put(payload_of(tag, 0.5), b"f", priority)
    system.clock.run(until=60.0)
    order = list(outcomes.found)
    assert order.index(6) < order.index(3)
    assert order[-1] == 5


def test_what_is_here_is_cancelled_at_once_and_what_is_given_by_a_question() -> None:
    system, origin, outcomes = program()
    for tag in range(20):
        origin.put(payload_of(tag, 0.5), b"f")
    origin.cancel(20)
    assert outcomes.found == {20: CANCELLED}
    system.clock.run(until=1.2)
    given = max(number for number in origin.calls if number not in origin.own)
    origin.cancel(1)  # it runs
    origin.cancel(given)
    system.clock.run(until=60.0)
    assert isinstance(outcomes.found[1], bytes)
    assert len(outcomes.found) == 20


def test_a_program_that_ends_says_so_and_waits_a_while_where_nobody_hears_it() -> None:
    system, origin, _ = program()
    origin.leave()
    system.clock.run(until=1.5)
    assert "o" not in system.brokers["b"].machine.peers
    system, origin, _ = program()
    system.broker_died(system.brokers["b"], keeps_mail=False)
    origin.leave()
    system.clock.run(until=1.0 + LINGER_SECONDS / 2)
    assert origin.alive
    system.clock.run(until=2.0 + LINGER_SECONDS)
    assert not origin.alive


def test_every_machine_answers_a_question() -> None:
    system, origin, _ = program(workers=2)
    origin.ask(1.0)
    system.clock.run(until=3.0)
    assert origin.told_all
    assert origin.answers is not None
    assert set(origin.answers) == {"b", "b.1", "b.2"}
