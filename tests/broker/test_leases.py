"""Leases: to whom a Worker is lent, when it is wanted back, and what its end means for who was lent it."""

from __future__ import annotations

import msgpack
import pytest

from fedfutures.broker import leases
from fedfutures.broker.events import EndedFor, EndForCancel, PeerContinued, PeerLost, PeerStopped
from fedfutures.wire.messages import (
    ALONE_FLAG,
    APART_FLAG,
    CANCELLED,
    LANE_PIECES,
    OF_WORKER,
    OUT_OF_MEMORY,
    OVERRAN,
    SHARING,
    Batch,
    Bye,
    Cancel,
    Demand,
    LeaseEnded,
    Lend,
    Return,
    State,
    TakeBack,
)

from .bench import BODY, Bench, results

ON_LANE = LANE_PIECES + 1


def idle(bench: Bench, *workers: str) -> None:
    for worker in workers:
        bench.join(worker)
        bench.say(worker, Demand(1, 1))


def call(bench: Bench, number: int, worker: str = "w", **more: object) -> None:
    """One lone call, to its outcome."""
    bench.submit(ids=[number], piece=number, **more)
    bench.tick()
    given = bench.heard_by(worker, Batch)[-1]
    assert given.ids == [number]
    bench.say(worker, results(given.piece, [number]), Demand(1, 1))
    bench.tick(0.001)


def lease(bench: Bench, worker: str = "w", first: int = 1) -> Lend:
    """Make lone calls until the Worker is lent."""
    for number in range(first, first + leases.LONE_CALLS):
        assert not bench.heard_by(worker, Lend)
        call(bench, number, worker)
    [lend] = bench.heard_by(worker, Lend)
    return lend


@pytest.fixture
def lent(bench: Bench) -> Bench:
    idle(bench, "w")
    lease(bench)
    return bench


def number_of(bench: Bench, worker: str = "w") -> int:
    return bench.broker.leases.of_workers[worker].number


def test_who_makes_lone_calls_is_lent_the_worker_that_it_was_given_last(bench: Bench) -> None:
    idle(bench, "w", "v")
    call(bench, 1)
    call(bench, 2)
    assert not bench.heard_by("w", Lend)
    call(bench, 3)
    [lend] = bench.heard_by("w", Lend)
    assert lend.peer == "o"
    assert not bench.heard_by("v", Lend)
    assert bench.broker.load.workers["w"].room == 0
    assert bench.broker.load.survey.working == 1, "it counts as one that has work"


@pytest.mark.parametrize(
    "spoiler", [{"backlog": 1}, {"limit": 5}, {"flags": 2}, {"memory": 9}, {"avoid": ["x"]}, {"priority": 1}], ids=str
)
def test_calls_that_are_not_lone_make_no_lease(bench: Bench, spoiler: dict[str, object]) -> None:
    idle(bench, "w")
    for number in range(1, 2 * leases.LONE_CALLS):
        call(bench, number, **(spoiler if number % leases.LONE_CALLS == 0 else {}))
    assert not bench.heard_by("w", Lend)


def test_calls_far_apart_make_no_lease(bench: Bench) -> None:
    idle(bench, "w")
    for number in range(1, 2 * leases.LONE_CALLS):
        call(bench, number)
        bench.tick(2 * leases.LONE_SECONDS)
    assert not bench.heard_by("w", Lend)


def test_several_at_a_time_make_no_lease(bench: Bench) -> None:
    idle(bench, "w", "v")
    for number in range(1, 20, 2):
        bench.submit(ids=[number], piece=number)
        bench.submit(ids=[number + 1], piece=number + 1)
        bench.tick(0.001)
        for worker in "wv":
            given = bench.heard_by(worker, Batch)[-1]
            bench.say(worker, results(given.piece, given.ids), Demand(1, 1))
    assert not bench.heard_by("w", Lend) + bench.heard_by("v", Lend)


def test_a_worker_in_which_futures_wait_is_not_lent(bench: Bench) -> None:
    bench.join("w")
    bench.say("w", Demand(1, 1, 1, SHARING))
    for number in range(1, 2 * leases.LONE_CALLS):
        bench.submit(ids=[number], piece=number)
        bench.tick()
        bench.say("w", results(bench.heard_by("w", Batch)[-1].piece, [number]), Demand(1, 1, 1, SHARING))
    assert not bench.heard_by("w", Lend)


def test_a_lent_worker_is_given_nothing_and_wanted_back_once(lent: Bench) -> None:
    number = number_of(lent)
    lent.submit(ids=[10, 11], piece=10)
    lent.tick()
    lent.tick(1.0)
    assert not lent.given_to("w")
    assert lent.heard_by("w", TakeBack) == [TakeBack(number)]
    lent.say("w", LeaseEnded(number, 7), Demand(2, 1))
    lent.tick()
    assert sorted(number for ids in lent.given_to("w") for number in ids) == [10, 11]


def test_while_others_can_run_what_comes_it_stays_lent(bench: Bench) -> None:
    idle(bench, "w", "v")
    lease(bench)
    bench.submit(ids=[10], piece=10)
    bench.tick()
    assert bench.given_to("v") == [[10]]
    assert not bench.heard_by("w", TakeBack)


def test_what_is_not_to_run_where_others_wait_wants_it_back(lent: Bench) -> None:
    lent.join("v")
    lent.say("v", Demand(1, 1, 1, SHARING))
    lent.submit(ids=[10], piece=10, limit=500)
    lent.tick()
    assert lent.heard_by("w", TakeBack)


def test_neighbours_that_have_futures_to_spare_want_it_back(lent: Bench) -> None:
    lent.neighbour("n")
    lent.say("n", Demand(0, 0, 1), State(3, 1, 0, 50, 1))
    lent.tick()
    lent.tick(0.1)
    assert lent.heard_by("w", TakeBack)


def test_a_lease_that_was_of_no_use_is_not_tried_again_soon(lent: Bench) -> None:
    lent.say("w", LeaseEnded(number_of(lent)), Demand(1, 1))
    for number in range(10, 10 + 3 * leases.LONE_CALLS):
        call(lent, number)
    assert not lent.heard_by("w", Lend)


def test_one_that_was_is(lent: Bench) -> None:
    first = number_of(lent)
    lent.say("w", LeaseEnded(first, 5), Demand(1, 1))
    for number in range(10, 10 + leases.LONE_CALLS):
        call(lent, number)
    assert [again.number for again in lent.heard_by("w", Lend)] == [first + 1]


def test_the_end_of_another_lease_is_none_of_this(lent: Bench) -> None:
    lent.say("w", LeaseEnded(number_of(lent) - 1, 5))
    assert lent.broker.leases.open == 1
    number = number_of(lent)
    lent.say("w", LeaseEnded(number, 5), LeaseEnded(number, 5))
    assert lent.broker.leases.open == 0


def test_the_leases_of_two_brokers_have_other_numbers() -> None:
    numbers = []
    for incarnation in (7, 8):
        bench = Bench(incarnation)
        bench.join("o", "origin")
        bench.say("o", BODY)
        idle(bench, "w")
        numbers.append(lease(bench).number)
    assert abs(numbers[0] - numbers[1]) >= 1 << 14


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (PeerLost("w", "signal SIGKILL", True, (ON_LANE, 9), "", "h"), LeaseEnded(0, 0, 1, ALONE_FLAG)),
        (PeerLost("w", "signal SIGKILL", True, (ON_LANE, 9), "", "h", nested=True), LeaseEnded(0, 0, 0, APART_FLAG)),
        (PeerLost("w", "signal SIGKILL", False, (ON_LANE, 9), "", "h"), LeaseEnded(0)),
        (PeerLost("w", "signal SIGKILL", True, None, "", "h"), LeaseEnded(0)),
        (PeerLost("w", "signal SIGKILL", True, (5, 9), "", "h"), LeaseEnded(0)),
        (
            PeerLost("w", "cancelled", False, None, "", "h", EndedFor(CANCELLED, ON_LANE, 9)),
            LeaseEnded(0, kind=CANCELLED),
        ),
        (PeerLost("w", "cancelled", False, None, "", "h", EndedFor(CANCELLED, 5, 9)), LeaseEnded(0)),
        (PeerLost("w", "too late", False, None, "", "h", EndedFor(OVERRAN, 5, 9)), LeaseEnded(0)),
        (
            PeerLost("w", "memory", False, None, "d", "h", EndedFor(OUT_OF_MEMORY, ON_LANE, 9, 20, 10)),
            LeaseEnded(
                0,
                kind=OUT_OF_MEMORY,
                outcome=msgpack.packb(("h", "w", "memory", 1, "d", 20, 10, OF_WORKER)),
            ),
        ),
        (
            PeerLost("w", "memory", False, None, "", "h", EndedFor(OUT_OF_MEMORY, ON_LANE, 9, 20, 10), nested=True),
            LeaseEnded(0, flags=APART_FLAG),
        ),
    ],
)
def test_who_was_lent_a_worker_hears_what_its_end_means(lent: Bench, how: PeerLost, said: LeaseEnded) -> None:
    number = number_of(lent)
    lent.step(how)
    [ended] = lent.heard_by("o", LeaseEnded)
    assert ended == LeaseEnded(number, 0, said.crashes, said.flags, said.kind, said.outcome)
    assert lent.broker.leases.of_workers == {}


def test_it_hears_so_too_after_the_lease_while_something_may_be_left(lent: Bench) -> None:
    number = number_of(lent)
    lent.say("w", LeaseEnded(number, 3))
    lent.step(PeerLost("w", "signal SIGKILL", True, (ON_LANE, 9), "", "h"))
    assert [ended.crashes for ended in lent.heard_by("o", LeaseEnded)] == [1]


def test_one_that_leaves_crashes_nothing(lent: Bench) -> None:
    lent.say("w", Bye("enough"))
    assert [ended.crashes for ended in lent.heard_by("o", LeaseEnded)] == [0]


def test_what_a_stopped_worker_has_not_started_runs_elsewhere(lent: Bench) -> None:
    lent.step(PeerStopped("w", (ON_LANE, 9)))
    assert not lent.heard_by("o", LeaseEnded), "it has started that"
    lent.step(PeerContinued("w"))
    lent.step(PeerStopped("w", None))
    assert lent.heard_by("o", LeaseEnded) == [LeaseEnded(number_of(lent))]


def test_a_future_that_is_not_to_run_on_ends_its_worker(lent: Bench) -> None:
    lent.say("o", Cancel(ON_LANE, [9]))
    assert EndForCancel("w", ON_LANE, [9], begun=False) not in lent.wants
    lent.say("o", Cancel(ON_LANE, [9], running=True))
    assert lent.wants[-1] == EndForCancel("w", ON_LANE, [9], begun=False)


def test_who_was_lent_a_worker_may_leave(lent: Bench) -> None:
    lent.say("o", Bye("done"))
    assert lent.broker.leases.open == 1, "its Worker finds the lane closed, and says so"
    lent.step(PeerLost("w", "signal SIGKILL", True, (ON_LANE, 9), "", "h"))
    assert lent.broker.leases.open == 0


def test_nothing_is_lent_whose_future_came_back(bench: Bench) -> None:
    idle(bench, "w")
    for number in range(1, leases.LONE_CALLS):
        call(bench, number)
    bench.say("w", Demand(0, 0))
    bench.submit(ids=[9], piece=9)
    bench.tick()
    assert bench.broker.leases.candidate == ""
    bench.say("w", Demand(1, 1))
    bench.say("w", Return(bench.heard_by("w", Batch)[-1].piece, [9]))
    assert not bench.heard_by("w", Lend)
