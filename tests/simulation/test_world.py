"""What all simulated nodes have in common."""

from __future__ import annotations

from typing import Any

from fedfutures.simulation.world import NEVER, ROUND_SECONDS, Processors, SimNode, Watch, World


class Ticking(SimNode):
    """Wants a Tick at `due`, by its own clock, and notes when it comes, by the true one."""

    due: float | None = None

    def __init__(self, world: World, watch: Watch) -> None:
        super().__init__(world, "n", watch)
        self.machine: Any = self
        self.ticks: list[float] = []

    def next_deadline(self) -> float | None:
        return self.due

    def tick(self) -> None:
        self.ticks.append(self.clock.now)
        self.due = None


def test_a_node_is_woken_when_its_own_clock_says_so() -> None:
    world = World(1)
    node = Ticking(world, Watch(rate=2.0, offset=100.0))
    node.due = 104.0
    node.plan()
    world.clock.run(until=9.0)
    assert node.ticks == [2.0]


def test_an_earlier_deadline_replaces_a_later_one_and_what_is_due_waits_for_a_round() -> None:
    world = World(1)
    node = Ticking(world, Watch())
    for due in (5.0, 3.0, 0.0):
        node.due = due
        node.plan()
    world.clock.run(until=9.0)
    assert node.ticks == [ROUND_SECONDS]


def test_a_halted_node_is_not_woken_and_does_its_mail_when_it_goes_on() -> None:
    world = World(1)
    done: list[str] = []
    node = Ticking(world, Watch())
    node.due = 1.0
    node.plan()
    node.halt(keeps_mail=True)
    node.later(lambda: done.append("kept"))
    world.clock.at(2.0, lambda _: None)
    world.clock.run()
    assert (node.ticks, done) == ([], [])
    node.go_on()
    world.clock.run(until=NEVER)
    assert (node.ticks, done) == ([2.0 + ROUND_SECONDS], ["kept"])


def test_the_mail_of_a_node_that_has_ended_is_lost() -> None:
    node = Ticking(World(1), Watch())
    node.end()
    node.later(lambda: 1 / 0)
    assert not node.alive
    node.go_on()


def test_one_seed_draws_the_same_numbers() -> None:
    one, same, other = World(1), World(1), World(2)
    assert one.next_incarnation() == same.next_incarnation() != other.next_incarnation()
    assert [one.next_tag() for _ in range(3)] == [1, 2, 3]


def test_computations_wait_for_a_processor_and_short_work_delays_them() -> None:
    two = Processors(2)
    assert [two.compute(0.0, 1.0) for _ in range(5)] == [1.0, 1.0, 2.0, 2.0, 3.0]
    two.interrupt(2.5, 0.25)
    assert [two.compute(2.5, 1.0) for _ in range(2)] == [3.75, 4.0]
    assert two.compute(10.0, 1.0) == 11.0
