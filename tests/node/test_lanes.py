"""The lanes of a submitter: what goes over them, and what becomes of it however they end."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.errors import RemoteProtocolError
from fedfutures.federation.terms import Conditions
from fedfutures.node import events as rules
from fedfutures.node.lanes import CANCEL_AGAIN_SECONDS, LANE_BYTES_AT_MOST, WORD_SECONDS, OwnLanes
from fedfutures.node.own_pieces import OwnPieces
from fedfutures.wire.messages import (
    ALONE_FLAG,
    CANCELLED,
    ERROR,
    LANE_PIECES,
    OUT_OF_MEMORY,
    Batch,
    Cancel,
    Function,
    LeaseEnded,
    Results,
    Return,
    Running,
    Want,
)

FIRST = LANE_PIECES + 1


class Caller:
    """A submitter, to which a Worker is lent."""

    def __init__(self) -> None:
        self.own = OwnPieces()
        self.own.define(b"f", "f", b"body")
        self.lanes = OwnLanes(self.own)
        assert self.lanes.opened(7, "w") == []

    def offer(self, *ids: int, payload: bytes = b"p", **more: Any) -> rules.Offer:
        return rules.Offer(b"f", list(ids), [payload] * len(ids), 0, **more)

    def put(self, number: int) -> Batch:
        offer = self.offer(number)
        assert self.lanes.takes(offer)
        sent = self.lanes.put(offer, "o", 1)
        assert sent.number == 7
        assert isinstance(sent.message, Batch)
        self.lanes.check()
        return sent.message

    def hear(self, message: Any, lease: int = 7) -> list[rules.Action]:
        said = self.lanes.arrived(rules.LaneArrived(lease, message))
        self.lanes.check()
        return said

    def end(self, now: float = 0.0) -> list[rules.Action]:
        said = self.lanes.closed(7, now)
        self.lanes.check()
        return said

    def word(self, **more: Any) -> list[rules.Action]:
        said = self.lanes.hear(LeaseEnded(7, **more))
        self.lanes.check()
        return said


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_a_future_goes_over_the_lane_and_its_outcome_comes_back(caller: Caller) -> None:
    assert caller.put(1) == Batch(FIRST, "o", b"f", 1, 0, 0, False, [1], [b"p"], "o")
    assert caller.lanes.futures() == [1]
    assert caller.lanes.explain(1) == "given to Worker w, which is lent for lone calls"
    assert caller.lanes.explain(2) == ""
    said = caller.hear(Results(FIRST, 1, [1], [b"v"], [(1, ERROR)], facts=b"facts"))
    assert said == [rules.Resolve([1], [b"v"], [(1, ERROR)], b"facts")]
    assert caller.put(2).piece == FIRST + 1


def test_only_one_at_a_time_goes_over_it_and_nothing_special(caller: Caller) -> None:
    takes, offer = caller.lanes.takes, caller.offer
    assert takes(offer(1))
    assert not takes(offer(1, 2))
    assert not takes(offer(1, priority=1))
    assert not takes(offer(1, conditions=Conditions(limit=5)))
    assert not takes(offer(1, payload=b"x" * (LANE_BYTES_AT_MOST + 1)))
    caller.own.define(b"large", "large", b"x" * (LANE_BYTES_AT_MOST + 1))
    assert not takes(rules.Offer(b"large", [1], [b"p"], 0))
    caller.own.mark(1, 1, 0)
    assert not takes(offer(1)), "it has crashed a Worker"
    caller.own.give(b"f", [9])
    assert not takes(offer(2)), "another one is with the Broker"
    assert not OwnLanes(OwnPieces()).takes(offer(1))


def test_a_second_one_waits_until_the_lane_is_free(caller: Caller) -> None:
    caller.put(1)
    assert not caller.lanes.takes(caller.offer(2))


def test_a_worker_that_lacks_the_function_is_sent_it(caller: Caller) -> None:
    caller.put(1)
    assert caller.hear(Want(b"f")) == [rules.LaneSend(7, Function(b"f", "f", b"body"))]
    assert caller.hear(Want(b"g")) == []


def test_what_the_worker_says_of_it_is_passed_on(caller: Caller) -> None:
    caller.put(1)
    assert caller.hear(Running(FIRST, [1], 3)) == [rules.Started([1], 3)]
    assert caller.hear(Return(FIRST, [1])) == [rules.Reclaim([1])]
    assert caller.hear(Return(FIRST, [1])) == [], "it is not there any more"
    assert caller.hear(Results(FIRST, 1, [1], [b"late"])) == []


def test_what_is_of_no_lane_is_refused_or_dropped(caller: Caller) -> None:
    with pytest.raises(RemoteProtocolError):
        caller.hear(Batch(1, "o", b"f", 1, 0, 0, False, [1], [b""]))
    assert caller.hear(Results(1, 1, [1], [b"v"]), lease=8) == []
    assert caller.lanes.closed(8, 0.0) == []
    assert caller.lanes.hear(LeaseEnded(8)) == []


def test_what_the_worker_has_taken_when_the_lease_ends_it_still_does(caller: Caller) -> None:
    caller.put(1)
    assert caller.hear(LeaseEnded(7, FIRST)) == []
    assert not caller.lanes.is_free
    assert caller.hear(Results(FIRST, 1, [1], [b"v"])) == [rules.Resolve([1], [b"v"], []), rules.CloseLane(7)]
    assert caller.end() == []
    assert caller.lanes.due is None


def test_what_it_has_not_taken_goes_to_the_broker(caller: Caller) -> None:
    caller.put(1)
    assert caller.hear(LeaseEnded(7, FIRST - 1)) == [rules.Reclaim([1]), rules.CloseLane(7)]
    assert caller.own.marks == {}


def test_a_lane_that_ends_unused_is_forgotten(caller: Caller) -> None:
    assert caller.end() == []
    assert not caller.lanes.is_free
    assert caller.lanes.due is None


def test_what_was_lost_with_a_lane_waits_for_the_brokers_word(caller: Caller) -> None:
    caller.put(1)
    assert caller.end(5.0) == []
    assert caller.end(5.0) == [], "that it was closed is known"
    assert caller.lanes.due == 5.0 + WORD_SECONDS
    assert caller.word(crashes=1, flags=ALONE_FLAG) == [rules.Reclaim([1])]
    assert caller.own.marks == {1: (1, 1, ALONE_FLAG)}
    assert caller.lanes.due is None


def test_the_word_may_come_before_the_end(caller: Caller) -> None:
    caller.put(1)
    assert caller.word(crashes=1) == [rules.CloseLane(7)]
    assert caller.hear(Results(FIRST, 1, [1], [b"v"])) == [rules.Resolve([1], [b"v"], []), rules.CloseLane(7)]
    assert caller.end() == []
    assert caller.own.marks == {}, "its outcome was sent before"


def test_a_future_is_given_again_if_its_outcome_was_not_sent(caller: Caller) -> None:
    caller.put(1)
    caller.word()
    assert caller.end() == [rules.Reclaim([1])]
    assert caller.own.marks == {1: (1, 0, 0)}


@pytest.mark.parametrize("kind", [CANCELLED, OUT_OF_MEMORY])
def test_the_broker_may_say_the_outcome(caller: Caller, kind: int) -> None:
    caller.put(1)
    caller.end()
    assert caller.word(kind=kind, outcome=b"report") == [rules.Resolve([1], [b"report"], [(1, kind)])]


def test_no_word_is_waited_for_without_end(caller: Caller) -> None:
    caller.put(1)
    caller.end(5.0)
    assert caller.lanes.tick(5.0) == []
    assert caller.lanes.tick(5.0 + WORD_SECONDS) == [rules.Reclaim([1])]
    assert caller.own.marks == {1: (1, 0, 0)}, "nobody knows whether it crashed its Worker"
    assert caller.lanes.tick(99.0) == []


def test_one_that_is_not_wanted_is_asked_back(caller: Caller) -> None:
    caller.put(1)
    assert caller.lanes.cancel([2], 0.0, running=False) == []
    assert caller.lanes.cancel([1], 0.0, running=False) == [rules.LaneSend(7, Cancel(FIRST, [1]))]
    assert caller.lanes.tick(9.0) == []
    said = caller.hear(Results(FIRST, 1, [1], [b""], [(1, CANCELLED)]))
    assert said == [rules.Resolve([1], [b""], [(1, CANCELLED)])]


def test_one_that_is_not_to_run_on_the_broker_is_told_of_until_it_is_over(caller: Caller) -> None:
    caller.put(1)
    assert caller.lanes.cancel([1], 5.0, running=True) == [rules.LaneSend(7, Cancel(FIRST, [1]))]
    assert caller.lanes.due == 5.0
    assert caller.lanes.tick(5.0) == [Cancel(FIRST, [1], True)]
    assert caller.lanes.tick(5.0) == []
    assert caller.lanes.tick(5.0 + CANCEL_AGAIN_SECONDS) == [Cancel(FIRST, [1], True)]
    caller.end(6.0)
    assert caller.lanes.cancel([1], 6.0, running=False) == [], "the lane is closed"
    caller.word(kind=CANCELLED)
    assert caller.lanes.due is None


def test_what_the_broker_is_told_is_not_overtaken(caller: Caller) -> None:
    caller.put(1)
    assert caller.lanes.retire() == []
    assert not caller.lanes.is_free
    assert caller.hear(Results(FIRST, 1, [1], [b"v"])) == [rules.Resolve([1], [b"v"], []), rules.CloseLane(7)]
    assert caller.lanes.retire() == []


def test_another_lane_takes_the_place_of_one(caller: Caller) -> None:
    assert caller.lanes.opened(8, "v") == [rules.CloseLane(7)]
    assert caller.lanes.usable is not None
    assert caller.lanes.usable.worker == "v"


def test_when_all_workers_have_ended_all_is_given_to_the_next_broker(caller: Caller) -> None:
    caller.put(1)
    caller.lanes.opened(8, "v")
    assert caller.lanes.abandon() == [rules.CloseLane(7), rules.CloseLane(8), rules.Reclaim([1])]
    caller.lanes.check()
    assert caller.lanes.abandon() == []


def test_definitions_are_kept_that_a_future_on_a_lane_needs(caller: Caller) -> None:
    caller.put(1)
    caller.own.check(1)
    assert caller.own.take_back() == [], "it is not with the Broker"
    caller.own.check(1)
    caller.hear(Results(FIRST, 1, [1], [b"v"]))
    caller.own.check()
