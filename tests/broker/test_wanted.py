"""How many Workers a Broker of a joined run could use: it says so while its host may have none for it."""

from __future__ import annotations

import pytest

from fedfutures.broker.events import Expect, GaveUp, PeerLost, WantWorkers
from fedfutures.broker.wanted import PROBE_SECONDS, SAID_AGAIN_SECONDS
from fedfutures.wire.messages import Cancel, Demand

from .bench import BODY, Bench


@pytest.fixture
def joined() -> Bench:
    """A Broker of a host with four slots, none of which its run has yet."""
    bench = Bench(slots=4)
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.tick()
    return bench


def said(bench: Bench) -> list[int]:
    """Return what was said of Workers since the last call."""
    found = [want.count for want in bench.wants if isinstance(want, WantWorkers)]
    bench.wants.clear()
    return found


def pass_time(bench: Bench, seconds: float) -> None:
    until = bench.now + seconds
    while bench.now < until - 1e-9:
        bench.tick(min(0.05, until - bench.now))


def test_a_run_of_its_own_says_nothing(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.submit(ids=[1, 2])
    bench.tick()
    assert said(bench) == []
    assert bench.heard_by("o", Demand) == []


def test_an_origin_is_asked_though_there_is_no_worker(joined: Bench) -> None:
    assert [demand.count for demand in joined.heard_by("o", Demand)] == [4]
    assert said(joined) == [0]


def test_the_first_future_is_said_at_once_and_more_a_little_later(joined: Bench) -> None:
    said(joined)
    joined.submit(ids=[1])
    joined.tick()
    assert said(joined) == [1]
    joined.submit(ids=[2, 3, 4, 5, 6], piece=2)
    joined.tick()
    assert said(joined) == []
    pass_time(joined, SAID_AGAIN_SECONDS)
    assert said(joined) == [4], "no more than there are slots"


def test_what_the_origin_keeps_counts(joined: Bench) -> None:
    joined.submit(ids=[1], backlog=9)
    pass_time(joined, SAID_AGAIN_SECONDS)
    assert said(joined)[-1] == 4


def test_less_is_said_when_it_has_been_less_for_a_while(joined: Bench) -> None:
    joined.submit(ids=[1, 2])
    pass_time(joined, 0.3)
    assert said(joined)[-1] == 2
    joined.say("o", Cancel(1, [1, 2]))
    joined.tick()
    assert said(joined) == []
    pass_time(joined, 3 * SAID_AGAIN_SECONDS)
    assert said(joined)[-1] == 0


def test_workers_that_work_are_asked_for_their_own_now_and_then(joined: Bench) -> None:
    joined.join("w", demand=1)
    joined.submit(ids=[1])
    pass_time(joined, 4 * PROBE_SECONDS)
    assert any(state.unmet for state in joined.published)


def test_a_lost_worker_leaves_its_futures_wanted(joined: Bench) -> None:
    joined.join("w", demand=1)
    joined.submit(ids=[1])
    pass_time(joined, 0.5)
    said(joined)
    joined.step(PeerLost("w", "killed", False, None, "", "h"))
    pass_time(joined, 1.0)
    assert said(joined) in ([], [1]), "one was wanted before, and is now"
    assert joined.broker.wanted.said == 1


def test_nothing_is_wanted_where_no_worker_will_come(joined: Bench) -> None:
    joined.submit(ids=[1])
    joined.tick()
    assert said(joined)[-1] == 1
    joined.step(GaveUp("the initializer raised"))
    pass_time(joined, 1.0)
    assert said(joined)[-1] == 0


def test_a_new_broker_waits_for_what_others_hold() -> None:
    bench = Bench(slots=4)
    bench.step(Expect(["w"], []))
    bench.tick()
    assert said(bench) == []
    pass_time(bench, 2.0)
    assert said(bench) == [0]


def test_a_host_without_slots_asks_origins_for_its_neighbours() -> None:
    bench = Bench(slots=0)
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.neighbour("n.broker", Demand(0, 0, 1))
    bench.tick()
    assert [demand.count for demand in bench.heard_by("o", Demand)] == [1]
    bench.submit(ids=[1], backlog=7)
    pass_time(bench, 1.0)
    assert [state.spare for state in bench.told["n.broker"]][-1:] == [8]
    assert [state.size for state in bench.told["n.broker"]][-1:] == [0], "nobody is to count on a Worker here"
    assert [want for want in bench.wants if isinstance(want, WantWorkers)] == [WantWorkers(0, 0), WantWorkers(0, 8)]


def test_what_waits_beyond_the_slots_is_said_about(joined: Bench) -> None:
    said(joined)
    joined.submit(ids=[1, 2, 3, 4], backlog=7)
    joined.tick()
    wants = [want for want in joined.wants if isinstance(want, WantWorkers)]
    assert wants == [WantWorkers(4, 4)], "eleven Futures, four slots: seven wait, about four"
    joined.wants.clear()
    joined.submit(ids=[5], piece=2, backlog=6)
    pass_time(joined, SAID_AGAIN_SECONDS * 3)
    assert said(joined) == [], "it is about as many"
    joined.submit(ids=[6], piece=3, backlog=40)
    joined.submit(ids=[7], piece=4, backlog=80)
    joined.tick()
    assert said(joined) == [4]
    joined.submit(ids=[8], piece=5, backlog=10)
    joined.tick()
    joined.submit(ids=[9], piece=6, backlog=200)
    joined.tick()
    assert said(joined) == [], "a number follows another after a while"


def test_neighbours_count_on_one_worker_where_there_is_none_yet(joined: Bench) -> None:
    joined.neighbour("n.broker", Demand(0, 0, 1))
    pass_time(joined, 1.5)
    assert [state.size for state in joined.told["n.broker"]][-1:] == [1]
    assert [demand.workers for demand in joined.heard_by("n.broker", Demand)][-1:] == [1]
