"""Who is there, by name and by role."""

from __future__ import annotations

from fedfutures.broker.peers import Peers

from . import nodes


def test_a_new_session_keeps_the_place_of_the_old_one() -> None:
    first, second, again = nodes.neighbour("n"), nodes.neighbour("m"), nodes.neighbour("n")
    peers = nodes.table(first, second)
    peers.enter(again)
    assert peers.neighbours == [again, second]
    assert list(peers.values()) == [again, second]
    peers.leave(again)
    assert (peers.neighbours, list(peers)) == ([second], ["m"])


def test_who_is_nearer_to_an_origin() -> None:
    peers = nodes.table(nodes.worker(), nodes.neighbour("below", dials=True))
    assert peers.towards_origin() is peers.parent() is None
    above, origin = nodes.neighbour("above"), nodes.origin()
    peers.enter(above)
    assert peers.towards_origin() is peers.parent() is above
    peers.enter(origin)
    assert peers.towards_origin() is origin


def test_silent_neighbours_and_strangers_are_not_heard() -> None:
    peers, n = Peers(), nodes.neighbour()
    assert not peers.hears("n")
    peers.enter(n)
    assert peers.hears("n")
    assert n.link is not None
    n.link.welcomed(0.0)
    n.link.falls_silent(99.0)
    assert not peers.hears("n")
