"""Futures that are not to run on some hosts, as long as there are others."""

from __future__ import annotations

import pytest

from fedfutures.federation.link import SILENT_AFTER_SECONDS
from fedfutures.wire.messages import Batch, Demand, Return

from .bench import BODY, Bench


@pytest.fixture
def submitted(bench: Bench) -> Bench:
    """A Broker of host "b" with an idle Worker, and one Origin that knows the function."""
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.join("w", demand=5)
    return bench


def submit(bench: Bench, ids: list[int], *avoid: str, piece: int = 1, giver: str = "o") -> None:
    bench.say(giver, Batch(piece, "o", b"f", 1, 0, 0, False, ids, [b"x"] * len(ids), avoid=list(avoid)))
    bench.tick()


def given(bench: Bench) -> dict[str, list[int]]:
    found = {name: sorted({i for ids in bench.given_to(name) for i in ids}) for name in bench.boxes}
    return {name: ids for name, ids in found.items() if ids}


def test_it_goes_to_another_host(submitted: Bench) -> None:
    submitted.neighbour("n.broker", Demand(5, 1, 1))
    submit(submitted, [1, 2], "b")
    [batch] = submitted.heard_by("n.broker", Batch)
    assert (batch.ids, batch.avoid) == ([1, 2], ["b"])
    submit(submitted, [3], "elsewhere", piece=2)
    assert given(submitted) == {"w": [3]}


def test_it_waits_for_room_there_and_says_so(submitted: Bench) -> None:
    submitted.neighbour("n.broker", Demand(0, 0, 1))
    submit(submitted, [1], "b")
    assert given(submitted) == {}
    assert submitted.broker.explain("o", 1) == "waits at Broker b for Workers of another host than b"
    submitted.say("n.broker", Demand(1, 1, 1))
    assert given(submitted) == {"n.broker": [1]}


def test_without_another_host_it_runs_here(submitted: Bench) -> None:
    submitted.neighbour("n.broker", Demand(0, 0, 0))
    submit(submitted, [1], "b")
    assert given(submitted) == {"w": [1]}


def test_where_the_other_host_is_lost_it_runs_here(submitted: Bench) -> None:
    submitted.neighbour("n.broker", Demand(0, 0, 1))
    submit(submitted, [1], "b")
    assert given(submitted) == {}
    for _ in range(10):
        submitted.tick(SILENT_AFTER_SECONDS / 2)
    assert given(submitted) == {"w": [1]}


def test_what_another_host_gives_back_runs_here_at_last(submitted: Bench) -> None:
    submitted.neighbour("n.broker", Demand(5, 1, 1))
    submit(submitted, [1], "b")
    [batch] = submitted.heard_by("n.broker", Batch)
    submitted.say("n.broker", Return(batch.piece, [1], 1, 0))
    submitted.tick()
    assert given(submitted) == {"w": [1]}


def test_it_is_not_lent_to_a_host_that_it_avoids(submitted: Bench) -> None:
    submitted.say("w", Demand(0, 0, 1))
    submitted.neighbour("n.broker", Demand(9, 3, 3))
    submit(submitted, [1], "n")
    assert given(submitted) == {}, "it waits for a Worker of this host"
    submitted.say("w", Demand(3, 1, 1))
    assert given(submitted) == {"w": [1]}


def test_it_does_not_go_back_to_a_host_that_it_avoids(submitted: Bench) -> None:
    submitted.neighbour("n.broker", Demand(0, 0, 3))
    submitted.say("n.broker", BODY)
    submitted.say("w", Demand(0, 0, 1))
    submit(submitted, [1], "n", giver="n.broker")
    submitted.say("n.broker", Demand(9, 3, 3))
    submitted.tick()
    assert submitted.heard_by("n.broker", Return) == []


def test_a_broker_without_workers_passes_it_over_an_avoided_host(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.neighbour("n.broker", Demand(5, 1, 2))
    submit(bench, [1], "n", "b")
    assert given(bench) == {"n.broker": [1]}


def test_what_waits_for_this_host_hides_no_unmet_demand(bench: Bench) -> None:
    """Own Workers are to offer what they have to idle ones elsewhere, which may not run what waits in the queue."""
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.join("w", demand=1)
    bench.neighbour("n.broker", Demand(9, 3, 3))
    submit(bench, [1])
    submit(bench, [2], "n", piece=2)
    bench.say("w", Demand(0, 0, 1))
    for _ in range(5):
        bench.tick(0.05)
    assert given(bench) == {"w": [1]}
    assert [each.unmet for each in bench.published][-1:] == [3]


def test_other_hosts_hear_that_it_waits_for_them(submitted: Bench) -> None:
    """One that has no Worker yet starts one only for what it has heard of."""
    submitted.neighbour("n.broker", Demand(0, 0, 1))
    submit(submitted, [1, 2], "b")
    submitted.tick()
    assert [each.spare for each in submitted.told["n.broker"]][-1:] == [2]
    submitted.say("n.broker", Demand(2, 1, 1))
    for _ in range(3):
        submitted.tick(1.0)
    assert [each.spare for each in submitted.told["n.broker"]][-1:] == [0]
