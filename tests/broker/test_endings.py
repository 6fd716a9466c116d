"""Futures that are cancelled while they run: whom the Broker asks for what, and what becomes of them."""

from __future__ import annotations

import pytest

from fedfutures.broker.endings import AGAIN_SECONDS, ANSWER_SECONDS
from fedfutures.broker.events import EndedFor, EndForCancel, PeerLost
from fedfutures.supervision.cancels import HOW_CANCELLED
from fedfutures.wire.messages import ALONE_FLAG, CANCELLED, Cancel, Demand, Results, Running

from .bench import BODY, Bench, results


@pytest.fixture
def busy(bench: Bench) -> Bench:
    """Worker "w" holds Futures 1 and 2 of Origin "o", in a piece each."""
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.join("w", demand=2)
    bench.submit(ids=[1, 2])
    bench.tick()
    bench.say("w", Demand(1, 0))
    assert bench.given_to("w") == [[1], [2]]
    return bench


def asked(bench: Bench) -> list[EndForCancel]:
    found = [want for want in bench.wants if isinstance(want, EndForCancel)]
    bench.wants = [want for want in bench.wants if not isinstance(want, EndForCancel)]
    return found


def lose(bench: Bench, peer: str, piece: int, number: int) -> None:
    ended_for = EndedFor(CANCELLED, piece, number)
    bench.step(PeerLost(peer, HOW_CANCELLED, False, (piece, number), "", "host", ended_for))


def test_a_worker_that_does_not_answer_is_looked_at(busy: Bench) -> None:
    busy.say("o", Cancel(1, [1], True))
    assert busy.heard_by("w", Cancel) == [Cancel(1, [1], True)]
    busy.tick(ANSWER_SECONDS / 2)
    assert asked(busy) == [], "what is short ends by itself"
    busy.tick(ANSWER_SECONDS / 2)
    assert asked(busy) == [EndForCancel("w", 1, [1], False)]
    busy.tick(AGAIN_SECONDS)
    assert asked(busy) == [EndForCancel("w", 1, [1], False)], "until it is not there any more"
    lose(busy, "w", 1, 1)
    assert [(said.ids, said.odd) for said in busy.heard_by("o", Results)] == [([1], [(1, CANCELLED)])]
    busy.tick(AGAIN_SECONDS)
    assert asked(busy) == []
    busy.join("v", demand=5)
    assert busy.given_to("v") == [[2]], "the other one runs again"
    assert busy.broker.recovery.crashes == 0


def test_what_has_begun_is_ended_at_once(busy: Bench) -> None:
    busy.say("o", Cancel(1, [1, 2], True))
    busy.say("w", Running(1, [1]), Results(2, 1, [2], [b""], [(2, CANCELLED)]))
    assert asked(busy) == [EndForCancel("w", 1, [1], True)]
    assert [said.ids for said in busy.heard_by("o", Results)] == [[2]]
    busy.say("w", Running(1, [1]))
    assert len(asked(busy)) == 1


def test_without_running_nothing_is_ended(busy: Bench) -> None:
    busy.say("o", Cancel(1, [1]))
    busy.say("w", Running(1, [1]))
    busy.tick(1.0)
    assert asked(busy) == []
    busy.say("o", Cancel(1, [1], True))
    busy.say("w", results(1, [1]))
    assert [said.odd for said in busy.heard_by("o", Results)] == [[]], "it was done before"
    busy.tick(1.0)
    assert asked(busy) == []


def test_a_neighbour_passes_it_on(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.neighbour(demand=Demand(1, 1))
    bench.submit(ids=[1])
    bench.tick()
    bench.say("o", Cancel(1, [1], True))
    assert bench.heard_by("n", Cancel) == [Cancel(1, [1], True)]
    bench.tick(ANSWER_SECONDS)
    assert asked(bench) == [], "its Broker asks its own host process"


def test_what_an_ended_worker_has_submitted_ends_too(busy: Bench) -> None:
    busy.say("w", BODY)
    busy.submit("w", [7], piece=1, root="o")
    busy.join("v", demand=1)
    busy.tick()
    assert busy.given_to("v") == [[7]]
    lose(busy, "w", 1, 1)
    assert busy.heard_by("v", Cancel) == [Cancel(1, [7], True)]
    busy.say("v", Running(1, [7]))
    assert asked(busy) == [EndForCancel("v", 1, [7], True)]


def test_of_a_worker_that_died_otherwise_what_it_has_submitted_runs_on(busy: Bench) -> None:
    busy.say("w", BODY)
    busy.submit("w", [7], piece=1, root="o")
    busy.join("v", demand=1)
    busy.tick()
    busy.lose("w", (1, 1))
    assert busy.heard_by("v", Cancel) == [Cancel(1, [7])]
    busy.tick(1.0)
    assert asked(busy) == []


@pytest.mark.parametrize("flags", [0, ALONE_FLAG])
def test_no_future_ends_one_that_waits_for_it(bench: Bench, flags: int) -> None:
    """A Future of Worker "v" is with "w", where one may wait for what has submitted it."""
    bench.join("v")
    bench.say("v", BODY)
    bench.join("w")
    bench.submit("w", [3], piece=1, root="o")
    bench.submit("v", [9], piece=1, root="o", flags=flags)
    bench.say("w", Demand(1, 1), Demand(1, 0))
    assert bench.given_to("w") == [[3], [9]]
    bench.say("v", Cancel(1, [9], True))
    bench.say("w", Running(2, [9]))
    assert asked(bench) == ([EndForCancel("w", 2, [9], True)] if flags else [])
