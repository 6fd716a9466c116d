"""Futures with a time limit while others wait in Workers: set aside, given to those that may, asked for."""

from __future__ import annotations

import pytest

from fedfutures.broker.events import AskStandIn, EndedFor, GaveUp, PeerLost
from fedfutures.broker.stand_ins import ASKED_SECONDS, StandInRequests
from fedfutures.supervision.stand_ins import STAND_INS_AT_MOST
from fedfutures.wire import codec
from fedfutures.wire.messages import ALONE, ANY, LOST, NONE, OVERRAN, SHARING, Demand, Results

from .bench import BODY, Bench


def test_one_is_asked_for_for_each_worker_in_which_futures_wait() -> None:
    requests = StandInRequests()
    assert requests.deadline() is None
    assert requests.wanted(2, 0, 0, 5, 0.0) == 2
    assert requests.wanted(2, 0, 0, 5, 0.1) == 0, "they are on their way"
    assert requests.wanted(2, 1, 0, 5, 0.2) == 0, "one has come, one has not"
    assert requests.wanted(3, 1, 0, 1, 0.2) == 0, "one Future needs one"
    assert requests.wanted(3, 0, 1, 5, 0.2) == 2, "it has got one that waits"
    assert requests.deadline() == pytest.approx(ASKED_SECONDS)
    assert requests.wanted(3, 0, 1, 9, 0.1 + ASKED_SECONDS) == 1, "one did not start"


def submit(bench: Bench, ids: list[int], piece: int, limit: int) -> None:
    bench.submit(ids=ids, piece=piece, limit=limit)


def asked(bench: Bench) -> int:
    count = bench.wants.count(AskStandIn())
    bench.wants = [want for want in bench.wants if want != AskStandIn()]
    return count


@pytest.fixture
def waiting(bench: Bench) -> Bench:
    """A Worker in which a Future waits, and that has room for others."""
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.join("w")
    bench.say("w", Demand(5, 1, 1, SHARING))
    return bench


def test_a_worker_in_which_a_future_waits_gets_those_without_a_limit(waiting: Bench) -> None:
    submit(waiting, [1], 1, 500)
    submit(waiting, [2], 2, 0)
    waiting.tick()
    assert waiting.given_to("w") == [[2]]
    assert asked(waiting) == 1
    assert "it has one to itself" in waiting.broker.explain("o", 1)
    waiting.join("h.s1")
    waiting.say("h.s1", Demand(1, 1, 0, ALONE))
    assert waiting.given_to("h.s1") == [[1]]
    submit(waiting, [3], 3, 0)
    waiting.say("h.s1", Results(1, 1, [1], [b"v"]), Demand(1, 1, 0, ALONE))
    waiting.tick()
    assert (waiting.given_to("h.s1"), asked(waiting)) == ([], 0), "it is no Worker of the run"


def test_a_worker_in_which_none_waits_any_more_gets_them(waiting: Bench) -> None:
    submit(waiting, [1, 2], 1, 500)
    waiting.tick()
    waiting.say("w", Demand(1, 1, 1, ANY))
    assert waiting.given_to("w") == [[1]]
    waiting.say("w", Results(1, 1, [1], [b"v"]), Demand(1, 1, 1, ANY))
    assert waiting.given_to("w") == [[2]]


def test_they_are_set_aside_when_a_future_begins_to_wait_later(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.join("w")
    submit(bench, [1], 1, 500)
    bench.tick()
    assert asked(bench) == 0
    bench.say("w", Demand(0, 0, 1, SHARING))
    assert asked(bench) == 1, "it waits for that very one, perhaps in a way that looks like work"


def test_other_workers_are_served_first(waiting: Bench) -> None:
    waiting.join("v", demand=1)
    submit(waiting, [1], 1, 500)
    assert waiting.given_to("v") == [[1]]
    assert asked(waiting) == 0


def test_waits_that_are_too_deep_end_with_a_reason(waiting: Bench) -> None:
    for number in range(STAND_INS_AT_MOST):
        waiting.join(f"h.s{number}")
        waiting.say(f"h.s{number}", Demand(0, 0, 0, NONE))
    submit(waiting, [1], 1, 500)
    (results,) = waiting.heard_by("o", Results)
    assert results.odd == [(1, LOST)]
    assert "outermost call" in str(codec.unpack_plain(results.outcomes[0]))


def test_nobody_is_left(waiting: Bench) -> None:
    submit(waiting, [1], 1, 500)
    waiting.step(GaveUp("no memory"))
    waiting.step(PeerLost("w", "exit code 1", False, None, "", "h"))
    (results,) = waiting.heard_by("o", Results)
    assert results.odd == [(1, LOST)]


def test_what_was_too_late_fails_and_nothing_else(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.join("w", demand=9)
    submit(bench, [1, 2, 3], 1, 500)
    assert bench.given_to("w") == [[1, 2, 3]]
    bench.step(PeerLost("w", "over its time limit", False, (1, 2), "where", "h", EndedFor(OVERRAN, 1, 2)))
    (results,) = bench.heard_by("o", Results)
    assert results.odd == [(2, OVERRAN)]
    assert codec.unpack_plain(results.outcomes[0]) == ["h", "w", 500, "where"]
    assert [(lot.ids, lot.terms.crashes) for lot in bench.broker.ledger.queue] == [([1, 3], 0)]


def test_only_a_future_with_a_limit_can_be_too_late(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.join("w", demand=1)
    submit(bench, [1], 1, 0)
    bench.step(PeerLost("w", "over its time limit", False, (1, 1), "where", "h", EndedFor(OVERRAN, 1, 1)))
    assert bench.heard_by("o", Results) == []
    assert bench.broker.ledger.queue.count == 1
