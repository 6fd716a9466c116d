"""What one look at the peers shows, and what a neighbour is told of this side of its link."""

from __future__ import annotations

from fedfutures.broker.ledger import Account
from fedfutures.broker.peers import Peer
from fedfutures.broker.survey import PeerLoad, Survey

from . import nodes


def load_of(peer: Peer, *, held: int = 0, workers: int = 1, **more: int) -> PeerLoad:
    load = PeerLoad(peer, Account(peer.name), 1, workers)
    load.account.pending = held
    for name, value in more.items():
        setattr(load, name, value)
    return load


def test_an_idle_worker_counts_its_room_and_a_busy_one_what_it_will_not_run_soon() -> None:
    assert load_of(nodes.worker(), idle=1, room=4).count(soon=2) == (0, 0, 4, 1, 4)
    assert load_of(nodes.worker(), idle=1, room=0).count(soon=2) == (0, 0, 0, 0, 0)
    assert load_of(nodes.worker(), held=5, backlog=3, room=1).count(soon=2) == (1, 6, 1, 0, 0)
    assert load_of(nodes.worker(), held=1).count(soon=2) == (1, 0, 0, 0, 0)
    assert load_of(nodes.worker(), backlog=7, room=3).count(soon=0) == (0, 0, 3, 0, 0)


def test_a_neighbour_keeps_one_future_for_each_worker_and_offers_the_rest() -> None:
    assert load_of(nodes.neighbour(), held=5, workers=3, spare=10).movable == 12
    assert load_of(nodes.neighbour(), held=2, workers=3, spare=10).movable == 10


def test_a_worker_that_counts_something_else_replaces_what_it_counted() -> None:
    survey, v, w = Survey(), load_of(nodes.worker("v")), load_of(nodes.worker("w"))
    survey.count(v, (1, 6, 1, 0, 0))
    survey.count(w, (0, 0, 4, 1, 4))
    assert (survey.working, survey.own_movable, survey.room, survey.idle, survey.idle_room) == (1, 6, 5, 1, 4)
    survey.count(v, (0, 0, 2, 1, 2))
    assert (survey.working, survey.own_movable, survey.room, survey.idle, survey.idle_room) == (0, 0, 6, 2, 6)
    assert v.counted == (0, 0, 2, 1, 2)


def test_a_look_at_others_begins_anew_and_leaves_out_silent_neighbours() -> None:
    survey, origin = Survey(), load_of(nodes.origin(), backlog=7)
    n, silent = nodes.neighbour("n"), nodes.neighbour("silent")
    assert silent.link is not None
    silent.link.welcomed(0.0)
    assert silent.link.falls_silent(99.0)
    near, far = load_of(n, held=4, workers=2, idle=1, room=3, spare=5), load_of(silent, workers=9, room=9, spare=9)
    survey.count(load_of(nodes.worker()), (1, 6, 1, 0, 0))
    for queued in (20, -1):
        survey.look_at_others([origin], [near, far], queued)
        assert survey.movable == 6 + 7 + max(0, queued)
        assert (survey.others, survey.others_idle, survey.others_workers, survey.others_spare) == (3, 1, 2, 7)


def test_a_neighbour_is_told_all_but_what_is_behind_itself() -> None:
    survey = Survey()
    near = load_of(nodes.neighbour("n"), held=4, workers=2, idle=1, spare=5)
    far = load_of(nodes.neighbour("m"), held=3, workers=3, idle=2, spare=1)
    survey.workers = 4
    survey.count(load_of(nodes.worker()), (0, 6, 2, 1, 2))
    survey.look_at_others([], [near, far], 10)
    beyond = [
        (survey.idle_beyond(load), survey.workers_beyond(load), survey.spare_beyond(load)) for load in (near, far)
    ]
    assert beyond == [(1 + 2, 4 + 3, 16 + 1), (1 + 1, 4 + 2, 16 + 7)]
