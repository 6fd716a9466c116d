"""Giving out: who is served, in which order, with how many."""

from __future__ import annotations

import pytest

from fedfutures.broker.dispatch import MOST_CROSSINGS
from fedfutures.broker.events import Expect
from fedfutures.broker.lots import Lot
from fedfutures.broker.machine import LENT
from fedfutures.broker.recovery import EXPECT_NEIGHBOURS_SECONDS, EXPECT_SECONDS
from fedfutures.federation import schedule
from fedfutures.federation.link import SILENT_AFTER_SECONDS
from fedfutures.federation.terms import Conditions, Terms
from fedfutures.wire.messages import ONCE_FLAG, Batch, Demand, Function, Holding, Return, Want

from .bench import BODY, Bench, results


def test_own_workers_come_before_neighbours(bench: Bench) -> None:
    bench.neighbour("n", Demand(9, 1, 1))
    bench.join("w", demand=1)
    bench.submit(ids=[1])
    bench.tick()
    assert bench.given_to("w") == [[1]]
    assert bench.given_to("n") == []


def test_a_neighbour_gets_what_own_workers_leave(bench: Bench) -> None:
    bench.neighbour("n", Demand(9, 2, 2))
    bench.join("w", demand=1)
    bench.submit(ids=[1, 2, 3])
    assert bench.given_to("n") == []  # neighbours are served once a round
    bench.tick()
    assert bench.heard_by("n", Function) == [BODY]
    assert [i for ids in bench.given_to("n") for i in ids] == [2, 3]


def test_a_neighbour_gets_its_share_of_a_short_backlog(bench: Bench) -> None:
    """The rest is for own Workers, who have more to come."""
    bench.broker.durations.learn(b"f", 0.01, 1)
    bench.neighbour("n", Demand(1000, 0, 1))
    for name in ("u", "v", "w"):
        bench.join(name)
    bench.tick()
    bench.submit(ids=range(40))
    bench.tick()
    given = sum(len(ids) for ids in bench.given_to("n"))
    assert given == schedule.share(0.01, 0, 40, 1, 4, schedule.HORIZON_SECONDS)
    assert 0 < given < 20


def test_a_worker_is_given_more_at_once_while_much_is_left(bench: Bench) -> None:
    """Each message serves so many more Futures; near the end pieces are as small as ever."""
    bench.broker.durations.learn(b"f", 0.01, 1)
    bench.join("w", demand=2)
    bench.submit(ids=range(100))
    assert bench.given_to("w") == [list(range(7))]
    bench.say("w", Demand(1, 0, 1))
    assert bench.given_to("w") == [[7]]


def test_a_worker_is_given_no_more_where_there_are_neighbours(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 0.01, 1)
    bench.neighbour("n")
    bench.join("w", demand=2)
    bench.submit(ids=range(100))
    assert bench.given_to("w") == [[0, 1]]


def test_a_worker_is_given_no_more_where_others_could_not_have_as_much(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 0.01, 1)
    for name in ("u", "v", "w"):
        bench.join(name)
    bench.say("w", Demand(2, 0, 1))
    bench.submit(ids=range(22), backlog=1000)
    assert bench.given_to("w") == [[0, 1]]


def test_a_neighbour_gets_no_more_than_its_demand(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.neighbour("n", Demand(3, 3, 50))
    bench.submit(ids=range(100))
    bench.tick()
    bench.tick()
    assert sum(len(ids) for ids in bench.given_to("n")) == 3
    bench.say("n", Demand(2, 0, 50))
    bench.tick()
    assert sum(len(ids) for ids in bench.given_to("n")) == 2


def test_a_far_neighbour_gets_more(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 0.01, 1)
    for name, trip in (("near", 0.0), ("far", 0.2)):
        bench.neighbour(name, Demand(1000, 0, 4))
        link = bench.broker.peers[name].link
        assert link is not None
        link.round_trip = trip
    bench.submit(ids=range(2000))
    bench.tick()
    near, far = (sum(len(ids) for ids in bench.given_to(name)) for name in ("near", "far"))
    assert 0 < 4 * near < far


def test_the_idler_neighbour_is_served_first(bench: Bench) -> None:
    bench.neighbour("m", Demand(5, 0, 2))
    bench.neighbour("n", Demand(5, 2, 2))
    bench.submit(ids=[1, 2])
    bench.tick()
    assert bench.given_to("m") == []
    assert [i for ids in bench.given_to("n") for i in ids] == [1, 2]


def test_a_silent_neighbour_gets_nothing(bench: Bench) -> None:
    bench.neighbour("n", Demand(9, 2, 2))
    bench.tick(SILENT_AFTER_SECONDS)
    bench.submit()
    bench.tick()
    assert bench.given_to("n") == []


def lent(bench: Bench, count: int = 5, **more: int) -> None:
    """A neighbour has lent some, and nobody here has room for them."""
    if not bench.broker.peers.workers:
        bench.join("busy", demand=0)
    bench.neighbour("n")
    bench.say("n", BODY)
    bench.submit("n", range(1, count + 1), piece=4, submitter="x", root="x", **more)
    bench.tick()


def test_an_idle_lender_is_given_back_what_it_lent(bench: Bench) -> None:
    lent(bench)
    assert bench.heard_by("n", Return) == bench.heard_by("n", Batch) == []
    bench.say("n", Demand(9, 2, 2))
    bench.tick()
    assert bench.heard_by("n", Return) == [Return(4, [1, 2], 1, 0)]
    assert bench.broker.statistics()["queued"] == 3
    bench.tick()
    assert bench.heard_by("n", Return) == []
    bench.say("n", Demand(9, 9, 9))
    bench.tick()
    assert bench.heard_by("n", Return) == [Return(4, [3, 4, 5], 1, 0)]
    assert not bench.broker.ledger.intakes


def test_a_busy_lender_is_given_nothing_back(bench: Bench) -> None:
    lent(bench)
    bench.say("n", Demand(9, 0, 2))
    bench.tick()
    assert bench.heard_by("n", Return) == bench.heard_by("n", Batch) == []


def test_what_own_workers_start_soon_is_not_given_back(bench: Bench) -> None:
    bench.join("w")
    bench.broker.durations.learn(b"f", schedule.MOVE_SECONDS / 3, 1)
    lent(bench)
    bench.say("n", Demand(9, 9, 9))
    bench.tick()
    assert bench.heard_by("n", Return) == [Return(4, [1, 2], 1, 0)]


def test_what_waits_behind_futures_that_take_longer_than_expected_is_given_back(bench: Bench) -> None:
    bench.join("w", demand=1)
    bench.broker.durations.learn(b"f", schedule.MOVE_SECONDS / 3, 1)
    lent(bench, 2)
    bench.tick()
    bench.say("n", Demand(9, 9, 9))
    bench.tick()
    assert bench.heard_by("n", Return) == []  # it is to start within 2 ms
    due = bench.broker.next_deadline()
    assert due is not None
    assert due <= bench.now + schedule.STUCK_SECONDS + 1e-9
    bench.tick(schedule.STUCK_SECONDS)
    assert bench.heard_by("n", Return) == [Return(4, [2], 1, 0)]


def test_who_gives_back_has_nobody_idle_until_it_says_so(bench: Bench) -> None:
    bench.join("busy", demand=0)
    bench.neighbour("n", Demand(9, 3, 3))
    bench.submit()
    bench.tick()
    (batch,) = bench.heard_by("n", Batch)
    bench.say("n", Return(batch.piece, [1], 1, 0))
    bench.tick()
    assert bench.given_to("n") == []
    bench.say("n", Demand(9, 1, 3))
    bench.tick()
    assert bench.given_to("n") == [[1]]


def test_suspects_are_given_back_with_their_record(bench: Bench) -> None:
    lent(bench, crashes=1)
    bench.say("n", Demand(9, 2, 2))
    bench.tick()
    assert bench.heard_by("n", Return) == [Return(4, [1, 2], 1, 1)]


def test_who_has_no_workers_gives_back_what_nobody_else_can_run(bench: Bench) -> None:
    lent(bench)
    bench.lose("busy")
    bench.say("n", Demand(3, 0, 2))
    bench.tick()
    assert [i for back in bench.heard_by("n", Return) for i in back.ids] == [1, 2, 3, 4, 5]


def test_suspects_cross_one_by_one(bench: Bench) -> None:
    bench.neighbour("n", Demand(9, 2, 2))
    bench.submit(ids=[1, 2], crashes=1)
    bench.tick()
    assert [(batch.ids, batch.crashes) for batch in bench.heard_by("n", Batch)] == [([1], 1), ([2], 1)]


def test_what_came_back_over_a_link_crosses_it_again_only_when_somebody_is_idle(bench: Bench) -> None:
    bench.neighbour("n", Demand(9, 2, 2))
    bench.submit(ids=[1, 2])
    bench.tick()
    pieces = bench.heard_by("n", Batch)
    bench.join("busy", demand=0)
    for _ in range(MOST_CROSSINGS):
        bench.say("n", Demand(9, 0, 2))
        for batch in pieces:
            bench.say("n", Return(batch.piece, batch.ids, 3, 0))
        bench.tick()
        assert bench.given_to("n") == []
        bench.say("n", Demand(9, 2, 2))
        bench.tick()
        pieces = bench.heard_by("n", Batch)
    assert pieces == []
    bench.neighbour("m", Demand(1, 1, 1))
    bench.tick()
    assert [(batch.ids, batch.attempt) for batch in bench.heard_by("m", Batch)] == [([1], 3)]
    bench.join("w", demand=1)
    assert bench.given_to("w") == [[2]]


def test_what_was_lost_may_cross_again(bench: Bench) -> None:
    bench.neighbour("n", Demand(9, 1, 1))
    bench.submit()
    bench.tick()
    (batch,) = bench.heard_by("n", Batch)
    bench.say("n", Return(batch.piece, [1]))
    bench.join("w", demand=1)
    assert bench.given_to("w") == [[1]]
    bench.lose("w")
    bench.say("n", Demand(9, 1, 1))
    bench.tick()
    assert bench.given_to("n") == [[1]]


@pytest.mark.parametrize("who", ["w", "n"])
def test_a_forgotten_function_is_asked_for_when_it_is_needed(bench: Bench, who: str) -> None:
    bench.submit()
    bench.broker.functions.forget(b"f")
    if who == "w":
        bench.join("w", demand=1)
    else:
        bench.neighbour("n", Demand(1, 1, 1))
        bench.tick()
    assert bench.heard_by("o", Want) == [Want(b"f")]
    bench.say("o", BODY)
    bench.tick()
    assert bench.given_to(who) == [[1]]


def test_a_higher_priority_is_served_first(bench: Bench) -> None:
    bench.submit(ids=[1, 2], piece=1)
    bench.submit(ids=[3], piece=2, priority=1)
    bench.join("w", demand=1)
    (batch,) = bench.heard_by("w", Batch)
    assert (batch.ids, batch.priority) == ([3], 1)


def test_two_origins_have_equal_shares(bench: Bench) -> None:
    bench.join("p", "origin")
    bench.submit("o", ids=range(100))
    bench.submit("p", ids=range(100))
    bench.broker.durations.learn(b"f", 1.0, 1)
    bench.join("w", demand=1)
    served = []
    for _ in range(10):
        (batch,) = bench.heard_by("w", Batch)
        served.append(batch.root)
        bench.say("w", results(batch.piece, batch.ids, seconds=1.0), Demand(1, 1))
    assert (served.count("o"), served.count("p")) == (5, 5)


def test_nested_futures_count_as_those_of_their_root(bench: Bench) -> None:
    bench.join("w")
    bench.say("w", BODY)
    bench.submit("w", [1], root="o", priority=2)
    bench.neighbour("n", Demand(1, 1, 1))
    bench.tick()
    (batch,) = bench.heard_by("n", Batch)
    assert (batch.submitter, batch.root, batch.priority) == ("w", "o", 2)


def test_nor_before_expected_neighbours_have_or_could_have(bench: Bench) -> None:
    bench.step(Expect(["w"], ["n", "m"]))
    bench.join("w", demand=5)
    bench.submit(ids=[1, 2])
    bench.neighbour("n", Demand(0, 0))
    bench.tick(EXPECT_NEIGHBOURS_SECONDS / 2)
    assert bench.given_to("w") == []  # m has not spoken
    bench.tick(EXPECT_NEIGHBOURS_SECONDS)
    assert bench.given_to("w") != []


def test_nothing_is_given_out_before_expected_workers_have_spoken(bench: Bench) -> None:
    bench.step(Expect(["v", "w"]))
    bench.join("v", demand=5)
    bench.submit(ids=[1, 2])
    bench.tick(EXPECT_SECONDS / 2)
    assert bench.given_to("v") == []
    bench.join("w")
    bench.say("w", Holding(3, "o", b"f", 1, 0, [1]))
    bench.say("w", Demand(0, 0))
    assert bench.given_to("v") == [[2]]


def test_what_may_have_begun_does_not_wait_for_its_function_as_others_do(bench: Bench) -> None:
    """When the function comes, what waits for it goes into the queue, and so to anybody."""
    bench.neighbour("n", Demand(9, 1, 1))
    bench.join("o", "origin")
    bench.say("o", BODY)
    ledger, load, kept = bench.broker.ledger, bench.broker.load.peers["n"], list[Lot]()
    for number, function in ((1, b"unknown"), (2, b"f")):
        terms = Terms("o", function, "o", 0, 2, 0, conditions=Conditions(flags=ONCE_FLAG))
        lot = ledger.admit("o", number, terms, [number], [b"p"], LENT)
        bench.broker.dispatch.give_again(load, lot, 0.0, lambda lot, now: kept.append(lot))
    assert [lot.ids for lot in kept] == [[1]]
    assert [(piece.terms.function, list(piece.pending)) for piece in ledger.accounts["n"].held.values()] == [
        (b"f", [2])
    ]
