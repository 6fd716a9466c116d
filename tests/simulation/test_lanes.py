"""Simulated lanes: in order, without loss, until an end is gone; and schedules do use them."""

from __future__ import annotations

from fedfutures.node import events as rules
from fedfutures.simulation.clock import Clock
from fedfutures.simulation.lanes import Arrival, SimLanes
from fedfutures.simulation.schedule import Schedule
from fedfutures.wire.messages import LeaseEnded, Lend


class End:
    """One end; it keeps what comes."""

    def __init__(self, name: str) -> None:
        self.name, self.alive = name, True
        self.heard: list[Arrival] = []

    def arrive(self, source: str, frame: Arrival) -> None:
        self.heard.append(frame)


class Wire:
    """A submitter and a Worker, and the lane between them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lanes = SimLanes(self.clock)
        self.origin, self.worker = End("o"), End("w")
        self.lanes.enter(self.origin)
        self.lanes.enter(self.worker)

    def do(self, end: End, *actions: rules.Action) -> None:
        for action in actions:
            assert self.lanes.do(end, action, checks=True)

    def open(self) -> None:
        self.do(self.worker, rules.OpenLane(7, "o"), rules.LaneSend(7, Lend(7, "w")))
        self.clock.run()

    def say(self, end: End, number: int) -> None:
        self.do(end, rules.LaneSend(7, LeaseEnded(number)))


def test_the_lane_is_open_for_a_submitter_when_the_worker_has_named_the_lease() -> None:
    wire = Wire()
    wire.open()
    assert wire.origin.heard == [rules.LaneOpened(7, "w")]
    assert not wire.lanes.do(wire.origin, rules.Linked(), checks=False)


def test_what_was_sent_arrives_before_the_end_is_heard() -> None:
    wire = Wire()
    wire.open()
    for number in (1, 2):
        wire.say(wire.worker, number)
    wire.worker.alive = False
    wire.lanes.end_of(wire.worker)
    wire.clock.run()
    sent = [rules.LaneArrived(7, LeaseEnded(number)) for number in (1, 2)]
    assert wire.origin.heard[1:] == [*sent, rules.LaneClosed(7)]
    assert wire.worker.heard == []
    wire.say(wire.origin, 3)
    wire.do(wire.origin, rules.CloseLane(7))
    wire.clock.run()
    assert wire.worker.heard == []


def test_who_closes_a_lane_takes_in_what_has_come() -> None:
    wire = Wire()
    wire.open()
    wire.say(wire.worker, 1)
    wire.do(wire.origin, rules.CloseLane(7))
    wire.clock.run()
    assert wire.origin.heard[1:] == [rules.LaneArrived(7, LeaseEnded(1)), rules.LaneClosed(7)]
    assert wire.worker.heard == [rules.LaneClosed(7)]


def test_nobody_to_connect_to_is_a_lane_that_was_closed() -> None:
    wire = Wire()
    wire.lanes.end_of(wire.origin)
    wire.open()
    assert wire.worker.heard == [rules.LaneClosed(7)]


def test_schedules_use_lanes() -> None:
    seeds = range(1, 40)
    schedules = [Schedule(seed, checked_of=0) for seed in seeds]
    for schedule in schedules:
        verdict = schedule.run()
        assert verdict.broken is None
    assert sum(schedule.world.lanes.opened for schedule in schedules) > 3
