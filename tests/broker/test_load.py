"""How load is shared: whom to ask for how much, whom to tell what, and for how many Futures Workers wait."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from fedfutures.broker.events import GaveUp
from fedfutures.broker.load import (
    QUIET_SECONDS,
    STATE_REPEAT_SECONDS,
)
from fedfutures.broker.unmet import UNMET_AFTER_SECONDS, UNMET_REPEAT_AT_MOST_SECONDS, UNMET_REPEAT_SECONDS
from fedfutures.federation import schedule
from fedfutures.federation.events import Arrived
from fedfutures.federation.link import SILENT_AFTER_SECONDS
from fedfutures.wire.messages import ALONE, SHARING, Ack, Batch, Demand, State

from .bench import BODY, Bench

DIALS = [False, True]


def demands(bench: Bench, peer: str) -> list[tuple[int, int, int]]:
    return [(demand.count, demand.idle, demand.workers) for demand in bench.heard_by(peer, Demand)]


def heartbeat(bench: Bench, seconds: float, *peers: str) -> None:
    """Let time pass in steps, while neighbours say that they are there."""
    until = bench.now + seconds
    while bench.now < until - 1e-9:
        bench.tick(min(0.5, until - bench.now))
        for peer in peers:
            bench.say(peer, Ack())


def state(bench: Bench, peer: str, *, number: int = 1, incarnation: int = 3, spare: int = 0, unmet: int = 0) -> None:
    bench.step(Arrived(peer, 0, 0, State(incarnation, number, unmet, spare, 1)))


# -- Demand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialled", DIALS)
def test_a_neighbour_is_asked_for_what_own_workers_can_use(bench: Bench, dialled: bool) -> None:
    for name in ("v", "w"):
        bench.join(name)
        bench.say(name, Demand(3, 0))
    bench.neighbour("n", dialled=dialled)
    bench.tick(QUIET_SECONDS)
    assert demands(bench, "n") == [(6 + schedule.cushion(None, 2), 0, 2)]
    bench.tick(QUIET_SECONDS)
    assert demands(bench, "n") == []  # it stands


def test_demand_is_summed_over_the_tree(bench: Bench) -> None:
    bench.join("w", demand=3)
    bench.neighbour("m", Demand(10, 0, 5))
    bench.neighbour("n", Demand(100, 0, 50))
    bench.tick(QUIET_SECONDS)
    own = 3 + schedule.cushion(None, 1)
    assert demands(bench, "m") == [(own + 100, 0, 51)]
    assert demands(bench, "n") == [(own + 10, 0, 6)]
    assert demands(bench, "o") == [(own + 110, 0, 0)]


def test_what_is_queued_is_not_asked_for_again(bench: Bench) -> None:
    bench.neighbour("n", Demand(10, 0, 5))
    bench.submit(ids=range(100))
    bench.neighbour("m")
    bench.tick(QUIET_SECONDS)
    assert [count for count, _, _ in demands(bench, "m")] == [0]


def test_a_neighbour_without_spare_futures_is_told_of_large_changes_only_and_not_often(bench: Bench) -> None:
    bench.neighbour("m", Demand(10, 0, 5))
    bench.neighbour("n")
    bench.tick(QUIET_SECONDS)
    assert len(demands(bench, "n")) == 1
    bench.say("m", Demand(15, 0, 5))
    bench.tick(QUIET_SECONDS)
    assert demands(bench, "n") == []
    bench.say("m", Demand(40, 0, 5))
    bench.tick(QUIET_SECONDS / 2)
    assert len(demands(bench, "n")) == 1
    bench.say("m", Demand(200, 0, 5))
    bench.tick(QUIET_SECONDS / 2)
    assert demands(bench, "n") == []
    assert bench.broker.next_deadline() <= bench.now + QUIET_SECONDS / 2 + 1e-9  # type: ignore[operator]
    bench.tick(QUIET_SECONDS / 2)
    assert [count for count, _, _ in demands(bench, "n")] == [200]


def test_a_neighbour_with_spare_futures_is_told_at_once(bench: Bench) -> None:
    bench.neighbour("m", Demand(10, 0, 5))
    bench.neighbour("n")
    state(bench, "n", spare=50)
    bench.tick()
    assert [count for count, _, _ in demands(bench, "n")] == [10]
    for count in (14, 18, 23):
        bench.say("m", Demand(count, 0, 5))
        bench.tick()
    assert [count for count, _, _ in demands(bench, "n")] == [14, 18, 23]
    bench.say("m", Demand(24, 0, 5))
    bench.tick()
    assert demands(bench, "n") == []
    bench.say("m", Demand(1, 0, 5))
    bench.tick()
    assert [count for count, _, _ in demands(bench, "n")] == [1]


def test_a_neighbour_with_spare_futures_is_told_when_the_last_worker_goes_and_when_one_comes(bench: Bench) -> None:
    bench.neighbour("m", Demand(0, 0, 1))
    bench.neighbour("n")
    state(bench, "n", spare=50)
    bench.tick()
    assert [workers for _, _, workers in demands(bench, "n")] == [1]
    for there in (0, 1):
        bench.say("m", Demand(0, 0, there))
        bench.tick()
        assert [workers for _, _, workers in demands(bench, "n")] == [there]


def test_a_queue_of_many_bytes_asks_neighbours_for_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.neighbour("m", Demand(10, 0, 5))
    bench.neighbour("n")
    state(bench, "n", spare=50)
    bench.tick()
    demands(bench, "n")
    monkeypatch.setattr(schedule, "QUEUE_BYTES_AT_MOST", -1)
    bench.tick()
    assert demands(bench, "n") == [(0, 0, 5)]


def test_a_silent_neighbour_is_neither_asked_nor_counted(bench: Bench) -> None:
    bench.neighbour("m", Demand(10, 0, 5))
    bench.tick(QUIET_SECONDS)
    assert demands(bench, "o") == [(10, 0, 0)]
    bench.tick(SILENT_AFTER_SECONDS)
    bench.tick()
    assert demands(bench, "o")[-1] == (0, 0, 0)
    assert demands(bench, "m")[1:] == []


def test_where_nobody_will_run_them_futures_are_asked_for_to_say_so(bench: Bench) -> None:
    bench.step(GaveUp("no Worker starts"))
    bench.tick()
    assert demands(bench, "o") == [(schedule.MOST_IN_A_PIECE, 0, 0)]


# -- unmet demand ----------------------------------------------------------------------------------------------------


def test_idle_workers_are_told_to_a_neighbour_that_has_something(bench: Bench) -> None:
    bench.join("w", demand=1)
    bench.neighbour("n")
    state(bench, "n", spare=9)
    bench.tick()
    assert [idle for _, idle, _ in demands(bench, "n")] == [0]  # for a moment
    bench.tick(UNMET_AFTER_SECONDS)
    bench.tick(UNMET_AFTER_SECONDS)
    assert [idle for _, idle, _ in demands(bench, "n")] == [1]
    bench.submit("n", [1], submitter="x", function=b"f")
    bench.tick()
    assert bench.given_to("w") == [[1]]
    assert [idle for _, idle, _ in demands(bench, "n")] in ([], [0])


def test_a_neighbour_that_was_given_something_back_is_told_of_idle_workers_again(bench: Bench) -> None:
    bench.join("w", demand=1)
    bench.neighbour("n")
    state(bench, "n", spare=9)
    for _ in range(3):
        bench.tick(UNMET_AFTER_SECONDS)
    assert demands(bench, "n")[-1][1] == 1
    bench.broker.load.note_given_back(bench.broker.load.peers["n"], 1)
    bench.tick()
    assert [idle for _, idle, _ in demands(bench, "n")] == [1]


def test_unmet_demand_is_shared_out_among_those_that_have_something(bench: Bench) -> None:
    for number in range(8):
        bench.join(f"w{number}", demand=1)
    for name, spare in (("m", 30), ("n", 10)):
        bench.neighbour(name)
        state(bench, name, spare=spare)
    bench.tick()
    bench.tick(UNMET_AFTER_SECONDS)
    bench.tick(UNMET_AFTER_SECONDS)
    assert [demands(bench, name)[-1][1] for name in ("m", "n")] == [6, 2]


def test_a_neighbours_unmet_demand_reaches_own_workers(bench: Bench) -> None:
    bench.join("w", demand=1)
    bench.submit()
    bench.neighbour("n", Demand(5, 4, 4))
    bench.tick()
    bench.tick(UNMET_AFTER_SECONDS)
    assert [each.unmet for each in bench.published] == [4]


def test_what_a_stand_in_submits_may_go_to_idle_workers(bench: Bench) -> None:
    bench.join("s")
    bench.say("s", Demand(1, 1, 0, ALONE))
    bench.submit(limit=9)
    bench.join("v")
    bench.say("v", Demand(1, 1, 1, SHARING))
    bench.tick()
    assert [len(batch.ids) for batch in bench.heard_by("s", Batch)] == [1]
    for _ in range(3):
        bench.tick(UNMET_AFTER_SECONDS)
    assert [each.unmet for each in bench.published][-1:] == [1], "it hears of the Worker that is idle"


@pytest.mark.fault("D9")
def test_unmet_demand_is_repeated_ever_more_rarely(bench: Bench) -> None:
    bench.join("w", demand=1)
    bench.submit()
    bench.join("v", demand=1)
    bench.tick()
    times = []
    for _ in range(8):
        before = len(bench.published)
        while len(bench.published) == before:
            bench.tick(0.0005)
            assert bench.now < 10.0
        times.append(bench.now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    wanted = UNMET_REPEAT_SECONDS
    for gap in gaps:
        assert gap == pytest.approx(wanted, abs=0.002)
        wanted = min(2 * wanted, UNMET_REPEAT_AT_MOST_SECONDS)
    assert [each.number for each in bench.published] == list(range(1, 9))


def test_unmet_demand_begins_anew_after_work_came(bench: Bench) -> None:
    bench.join("w", demand=1)
    bench.submit()
    bench.join("v", demand=1)
    bench.tick()
    for _ in range(4):
        bench.tick(1.0)
    bench.submit(ids=[2], piece=2)
    bench.tick()
    assert bench.published[-1].unmet == 0
    bench.join("u", demand=1)
    count = len(bench.published)
    bench.tick()
    bench.tick(UNMET_AFTER_SECONDS)
    bench.tick(UNMET_REPEAT_SECONDS)
    assert len(bench.published) == count + 2


# -- States ----------------------------------------------------------------------------------------------------------


def test_a_neighbour_is_told_at_once_that_there_is_something(bench: Bench) -> None:
    bench.neighbour("n")
    bench.tick()
    told = len(bench.told["n"])
    bench.submit(ids=range(5), backlog=100)
    bench.tick()
    (news,) = bench.told["n"][told:]
    assert (news.incarnation, news.spare, news.size) == (7, 105, 0)


def test_small_changes_wait_for_the_next_repetition(bench: Bench) -> None:
    bench.neighbour("n")
    bench.submit(ids=range(5), backlog=100)
    bench.tick()
    told = len(bench.told["n"])
    bench.submit(ids=[7], piece=2, backlog=120)
    bench.tick(QUIET_SECONDS)
    assert len(bench.told["n"]) == told
    bench.submit(ids=[8], piece=3, backlog=500)
    bench.tick(QUIET_SECONDS)
    assert bench.told["n"][-1].spare == 507
    told = len(bench.told["n"])
    heartbeat(bench, 2 * STATE_REPEAT_SECONDS, "n")
    assert told < len(bench.told["n"]) <= told + 3
    numbers = [each.number for each in bench.told["n"]]
    assert numbers == sorted(set(numbers))


def test_what_lies_behind_a_link_is_not_told_over_it(bench: Bench) -> None:
    bench.neighbour("m", Demand(0, 0, 5))
    bench.neighbour("n", Demand(0, 0, 3))
    state(bench, "m", spare=40)
    bench.tick()
    bench.tick(QUIET_SECONDS)
    assert (bench.told["n"][-1].spare, bench.told["n"][-1].size) == (40, 5)
    assert (bench.told["m"][-1].spare, bench.told["m"][-1].size) == (0, 3)


@pytest.mark.fault("D9")
def test_of_two_states_the_newer_counts_and_another_boot_is_newer(bench: Bench) -> None:
    bench.neighbour("n")
    peer = bench.broker.load.peers["n"]
    spares: list[Any] = []
    for incarnation, number, spare in ((3, 5, 50), (3, 4, 40), (3, 5, 45), (3, 6, 60), (9, 1, 10)):
        state(bench, "n", incarnation=incarnation, number=number, spare=spare)
        spares.append(peer.spare)
    assert spares == [50, 50, 50, 60, 10]


def test_what_own_workers_keep_counts_as_spare(bench: Bench) -> None:
    bench.join("w")
    bench.say("w", BODY)
    bench.submit("w", [1], backlog=50)
    bench.neighbour("n")
    bench.say("w", Demand(1, 0))
    bench.tick()
    assert bench.told["n"][-1].spare >= 50
