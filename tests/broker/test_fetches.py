"""Segments that nodes ask for by name: who is asked, and who is told."""

from __future__ import annotations

import pytest

from fedfutures.broker.fetches import PARENT_SECONDS, Fetches
from fedfutures.broker.outbox import Outbox
from fedfutures.wire.messages import Fetch, Fetched

from . import nodes


class Desk:
    """Fetches of a host with some files; "v" and "w" ask, "n" dials, and "near" does on the same host."""

    def __init__(self) -> None:
        self.outbox, self.here = Outbox(), {"here": 7}
        self.v, self.w = nodes.worker("v"), nodes.worker("w")
        self.parent, self.near = nodes.neighbour("n"), nodes.neighbour("near", far=False)
        self.peers = nodes.table(self.v, self.w, self.parent, self.near)
        self.fetches = Fetches(self.outbox, self.peers, lambda name: self.here.get(name, -1))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_is_here_is_answered_at_once(desk: Desk) -> None:
    for name in ("here", "../here"):
        desk.fetches.on_fetch(desk.w, name, desk.parent, 0.0)
    assert nodes.said(desk.outbox) == [("w", Fetched("here", 7)), ("w", Fetched("../here", -1))]


def test_the_parent_is_asked_once_for_all_who_need_it(desk: Desk) -> None:
    desk.fetches.on_fetch(desk.w, "s", desk.parent, 0.0)
    desk.fetches.on_fetch(desk.v, "s", desk.parent, 0.0)
    assert nodes.said(desk.outbox) == [("n", Fetch("s"))]
    assert desk.fetches.on_fetched(desk.parent, Fetched("s", 5), 0.0), "it is to be downloaded"
    desk.here["s"] = 5
    desk.fetches.answer("s", 0.0)
    assert nodes.said(desk.outbox) == [("v", Fetched("s", 5)), ("w", Fetched("s", 5))]
    assert not desk.fetches.on_fetched(desk.parent, Fetched("s", 5), 0.0), "nobody needs it any more"


@pytest.mark.parametrize("size", [-1, 5])
def test_a_parent_on_this_host_and_one_that_has_nothing_end_the_question(desk: Desk, size: int) -> None:
    parent = desk.near if size >= 0 else desk.parent
    desk.fetches.on_fetch(desk.w, "s", parent, 0.0)
    nodes.said(desk.outbox)
    assert not desk.fetches.on_fetched(parent, Fetched("s", size), 0.0)
    assert nodes.said(desk.outbox) == [("w", Fetched("s", -1))]


def test_without_a_parent_the_question_ends_after_a_while(desk: Desk) -> None:
    desk.fetches.on_fetch(desk.w, "s", None, 1.0)
    assert desk.fetches.deadline() == 1.0 + PARENT_SECONDS
    desk.fetches.tick(0.5 + PARENT_SECONDS)
    assert nodes.said(desk.outbox) == []
    desk.fetches.tick(1.0 + PARENT_SECONDS)
    assert nodes.said(desk.outbox) == [("w", Fetched("s", -1))]
    assert desk.fetches.deadline() is None


def test_a_parent_that_comes_is_asked_for_what_is_not_on_its_way(desk: Desk) -> None:
    for name in ("s", "t"):
        desk.fetches.on_fetch(desk.w, name, None, 0.0)
    desk.fetches.on_parent(desk.parent, {"t"}, 1.0)
    assert nodes.said(desk.outbox) == [("n", Fetch("s"))]
    assert desk.fetches.deadline() is None
    desk.fetches.on_parent_gone({"t"}, 2.0)
    assert desk.fetches.deadline() == 2.0 + PARENT_SECONDS
    desk.fetches.tick(9.0)
    assert nodes.said(desk.outbox) == [("w", Fetched("s", -1))]


def test_who_has_left_is_not_told(desk: Desk) -> None:
    desk.fetches.on_fetch(desk.w, "s", desk.parent, 0.0)
    desk.fetches.on_fetch(desk.v, "s", desk.parent, 0.0)
    desk.fetches.on_peer_gone("w")
    del desk.peers["v"]
    nodes.said(desk.outbox)
    desk.fetches.answer("s", 0.0)
    assert nodes.said(desk.outbox) == []
