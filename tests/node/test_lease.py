"""A Worker that is lent: what it takes over the lane, and how the lease ends."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.errors import RemoteProtocolError
from fedfutures.node import events as rules
from fedfutures.node.asking import Asking
from fedfutures.node.definitions import Definitions
from fedfutures.node.lease import UNUSED_SECONDS, WorkerLease
from fedfutures.node.workload import NO_MORE, Workload
from fedfutures.wire.messages import (
    LANE_PIECES,
    SHARING,
    VALUE,
    Batch,
    Cancel,
    Demand,
    Function,
    LeaseEnded,
    Lend,
    Results,
    Return,
    Running,
    Want,
)

FIRST = LANE_PIECES + 1


class Lent:
    """A Worker that is lent to "o"."""

    def __init__(self) -> None:
        self.workload = Workload("w")
        self.definitions = Definitions(self.workload)
        self.definitions.come(Function(b"f", "f", b"body"))
        self.asking = Asking()
        self.lease = WorkerLease("w", self.workload, self.definitions, self.asking)
        said = self.lease.begin(Lend(7, "o"), 0.0, is_leaving=False)
        assert said == [rules.OpenLane(7, "o"), rules.LaneSend(7, Lend(7, "w"))]

    def give(self, piece: int = FIRST, number: int = 1, function: bytes = b"f") -> list[Any]:
        said = self.hear(Batch(piece, "o", function, 1, 0, 0, False, [number], [b"p"]))
        for action in said:
            if isinstance(action, rules.Run):
                self.workload.enqueue(action.piece, action.body)
        return said

    def hear(self, message: Any, lease: int = 7) -> list[Any]:
        said = self.lease.arrived(rules.LaneArrived(lease, message))
        self.lease.check()
        return said

    def run(self) -> list[Any]:
        """Run what there is, and say what has finished."""
        for piece in self.workload.queue:
            while piece.todo:
                piece.finished.append((piece.todo.popleft()[0], b"v", VALUE, 0.1))
        said: list[Any] = []
        for done in self.workload.results():
            piece = self.workload.settle(done.piece, done.ids)
            said += self.lease.finish(done, piece.terms.attempt, 1.0, is_over=not piece.pending)
        self.lease.check()
        return said


@pytest.fixture
def lent() -> Lent:
    return Lent()


def outcomes(said: list[Any]) -> list[tuple[int, list[int]]]:
    found = [one.message for one in said if isinstance(one, rules.LaneSend)]
    return [(one.piece, one.ids) for one in found if isinstance(one, Results)]


def test_what_comes_over_the_lane_is_run_and_answered_there(lent: Lent) -> None:
    assert lent.give() == [rules.Run(FIRST, b"body")]
    assert lent.lease.due is None
    assert outcomes(lent.run()) == [(FIRST, [1])]
    assert lent.lease.due == 1.0 + UNUSED_SECONDS
    assert lent.give(FIRST + 1, 2) == [rules.Run(FIRST + 1, b"body")]


def test_a_function_that_is_not_here_is_asked_for_over_the_lane(lent: Lent) -> None:
    assert lent.give(function=b"g") == [rules.LaneSend(7, Want(b"g"))]
    assert lent.hear(Function(b"g", "g", b"other")) == [rules.Run(FIRST, b"other")]


def test_only_one_lease_at_a_time(lent: Lent) -> None:
    assert lent.lease.begin(Lend(8, "p"), 0.0, is_leaving=False) == [LeaseEnded(8)]
    lent.give()
    lent.lease.end()
    assert lent.lease.begin(Lend(8, "p"), 0.0, is_leaving=False) == [LeaseEnded(8)], "the last one has work left"
    lent.run()
    assert lent.lease.begin(Lend(8, "p"), 0.0, is_leaving=True) == [LeaseEnded(8)], "this Worker leaves"
    assert lent.lease.begin(Lend(8, "p"), 0.0, is_leaving=False)[0] == rules.OpenLane(8, "p")


def test_it_ends_when_the_broker_wants_the_worker_back(lent: Lent) -> None:
    lent.give()
    assert lent.lease.end(6) == [], "that is another one"
    assert lent.lease.end(7) == [rules.LaneSend(7, LeaseEnded(7, FIRST)), LeaseEnded(7, 1), Demand(0, 0)]
    assert lent.lease.end(7) == []
    assert lent.give(FIRST + 1, 2) == [], "its submitter gives that to the Broker"
    said = lent.run()
    assert outcomes(said) == [(FIRST, [1])]
    assert said[-1] == rules.CloseLane(7)
    assert lent.lease.number == 0


def test_it_ends_at_once_where_nothing_is_left(lent: Lent) -> None:
    assert lent.lease.end() == [rules.LaneSend(7, LeaseEnded(7, 0)), LeaseEnded(7, 0), rules.CloseLane(7)]


def test_it_ends_when_it_is_not_used(lent: Lent) -> None:
    assert lent.lease.tick(UNUSED_SECONDS - 0.1) == []
    assert lent.lease.tick(UNUSED_SECONDS)
    assert not lent.lease.is_open
    assert lent.lease.tick(99.0) == []


@pytest.mark.parametrize(
    "load",
    [rules.NodeLoad(0, 1, True), NO_MORE, rules.NodeLoad(0, 0, True, starts=SHARING), rules.NodeLoad(0, 0, False)],
    ids=["own", "leaving", "waiting", "waits"],
)
def test_it_ends_when_this_worker_can_do_something_for_others(lent: Lent, load: rules.NodeLoad) -> None:
    lent.give()
    assert lent.lease.take_load(rules.NodeLoad(0, 0, True)) == []
    assert lent.lease.take_load(load)
    assert not lent.lease.is_open


def test_it_ends_when_a_future_of_the_brokers_waits_too(lent: Lent) -> None:
    lent.definitions.hold(Batch(5, "o", b"f", 1, 0, 0, False, [1], [b"p"]))
    assert lent.lease.take_load(rules.NodeLoad(0, 0, True)) == []
    assert lent.lease.take_load(rules.NodeLoad(0, 0, False))


def test_an_idle_one_goes_on(lent: Lent) -> None:
    assert lent.lease.take_load(rules.NodeLoad(0, 0, False)) == []


def test_what_is_not_started_when_the_submitter_is_gone_is_dropped(lent: Lent) -> None:
    lent.give()
    assert lent.lease.closed(6) == []
    assert lent.lease.closed(7) == [LeaseEnded(7, 1), Demand(0, 0)]
    assert lent.lease.closed(7) == []
    assert lent.run() == [], "nobody hears of it"
    assert lent.lease.number == 0
    assert lent.workload.pieces == {}


def test_a_submitter_may_go_after_the_end_of_the_lease(lent: Lent) -> None:
    lent.give()
    lent.lease.end()
    assert lent.lease.closed(7) == []
    assert lent.run() == []
    assert lent.lease.number == 0


def test_what_is_cancelled_is_handed_back_or_said_to_run(lent: Lent) -> None:
    lent.give()
    assert lent.hear(Cancel(FIRST + 5, [1])) == []
    lent.workload.queue[0].todo.popleft()
    assert lent.hear(Cancel(FIRST, [1])) == [rules.LaneSend(7, Running(FIRST, [1]))]
    assert lent.lease.report(rules.ReportRunning(FIRST, [1], 2)) == [rules.LaneSend(7, Running(FIRST, [1], 2))]


def test_what_is_given_back_goes_back_over_the_lane(lent: Lent) -> None:
    lent.give()
    lent.workload.queue[0].take_last(1)
    assert lent.lease.give_back(FIRST, [1]) == [rules.LaneSend(7, Return(FIRST, [1]))]
    lent.lease.check()


def test_one_that_leaves_gives_all_back(lent: Lent) -> None:
    lent.give()
    said = lent.lease.leave()
    assert said == [
        rules.LaneSend(7, LeaseEnded(7, FIRST)),
        LeaseEnded(7, 1),
        Demand(0, 0),
        rules.LaneSend(7, Return(FIRST, [1])),
        rules.CloseLane(7),
    ]


def test_what_is_for_no_worker_is_refused_or_dropped(lent: Lent) -> None:
    with pytest.raises(RemoteProtocolError):
        lent.hear(Demand(1, 1))
    with pytest.raises(RemoteProtocolError):
        lent.give(piece=5)
    assert lent.hear(Demand(1, 1), lease=6) == []
    lent.give()
    assert lent.give() == [], "a piece is taken once"
