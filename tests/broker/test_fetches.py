"""Segments that nodes ask for by name: who is asked, and who is told."""

from __future__ import annotations

import pytest

from fedfutures.broker.deferrals import Deferred
from fedfutures.broker.downloads import Downloads
from fedfutures.broker.fetches import PARENT_SECONDS, Fetches
from fedfutures.broker.outbox import Outbox
from fedfutures.wire.messages import Fetch, Fetched, Get

from . import nodes


class Desk:
    """Fetches of a host with some files; "v" and "w" ask, "n" may dial, and "near" may on the same host."""

    def __init__(self) -> None:
        self.outbox, self.here = Outbox(), {"file-here": 7}
        self.v, self.w = nodes.worker("v"), nodes.worker("w")
        self.parent, self.near = nodes.neighbour("n"), nodes.neighbour("near", far=False)
        self.peers = nodes.table(self.v, self.w)
        self.downloads: Downloads[Deferred] = Downloads(self.outbox, lambda name: True)
        self.fetches = Fetches(self.outbox, self.peers, self.downloads, lambda name: self.here.get(name, -1))

    def ask(self, *names: str, now: float = 0.0) -> None:
        """Worker "w" needs segments."""
        for name in names:
            self.fetches.on_fetch(self.w, Fetch(name), now)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def child(desk: Desk) -> Desk:
    """The same, with the neighbour that dials."""
    desk.peers.enter(desk.parent)
    return desk


def test_what_is_here_is_answered_at_once(child: Desk) -> None:
    child.ask("file-here")
    assert nodes.said(child.outbox) == [("w", Fetched("file-here", 7))]


@pytest.mark.parametrize(("name", "size"), [("../here", -1), ("o-1", 7)])
def test_segments_are_had_by_name_and_nothing_else(child: Desk, name: str, size: int) -> None:
    """Large values of the program's variables are asked for by name: no payload that goes by names them."""
    child.here.update({"o-1": 7, "../here": 7})
    child.ask(name)
    assert nodes.said(child.outbox) == [("w", Fetched(name, size))]


def test_the_parent_is_asked_once_for_all_who_need_it(child: Desk) -> None:
    child.ask("file-s")
    child.fetches.on_fetch(child.v, Fetch("file-s"), 0.0)
    assert nodes.said(child.outbox) == [("n", Fetch("file-s"))]
    child.fetches.on_fetched(child.parent, Fetched("file-s", 5), 0.0)
    assert [type(message) for _, message in nodes.said(child.outbox)] == [Get]
    assert "file-s" in child.downloads
    child.here["file-s"] = 5
    child.fetches.answer("file-s", 0.0)
    assert nodes.said(child.outbox) == [("v", Fetched("file-s", 5)), ("w", Fetched("file-s", 5))]
    child.fetches.on_fetched(child.parent, Fetched("file-s", 5), 0.0)
    assert nodes.said(child.outbox) == [], "nobody needs it any more"


@pytest.mark.parametrize("size", [-1, 5])
def test_a_parent_on_this_host_and_one_that_has_nothing_end_the_question(desk: Desk, size: int) -> None:
    parent = desk.near if size >= 0 else desk.parent
    desk.peers.enter(parent)
    desk.ask("file-s")
    assert nodes.said(desk.outbox) == [(parent.name, Fetch("file-s"))]
    desk.fetches.on_fetched(parent, Fetched("file-s", size), 0.0)
    assert nodes.said(desk.outbox) == [("w", Fetched("file-s", -1))]
    assert "file-s" not in desk.downloads


def test_without_a_parent_the_question_ends_after_a_while(desk: Desk) -> None:
    desk.ask("file-s", now=1.0)
    assert desk.fetches.deadline() == 1.0 + PARENT_SECONDS
    desk.fetches.tick(0.5 + PARENT_SECONDS)
    assert nodes.said(desk.outbox) == []
    desk.fetches.tick(1.0 + PARENT_SECONDS)
    assert nodes.said(desk.outbox) == [("w", Fetched("file-s", -1))]
    assert desk.fetches.deadline() is None


def test_a_parent_that_comes_is_asked_for_what_is_not_here(desk: Desk) -> None:
    desk.ask("file-s", "file-t")
    desk.downloads.wait(Deferred("other", Fetch("file-t"), [], is_local=True), "other", ["file-t"], 0.0)
    nodes.said(desk.outbox)
    desk.fetches.on_session(nodes.neighbour("dialled", dials=True), 1.0)
    assert nodes.said(desk.outbox) == []
    desk.fetches.on_session(desk.parent, 1.0)
    assert nodes.said(desk.outbox) == [("n", Fetch("file-s")), ("n", Fetch("file-t"))]
    desk.fetches.on_fetched(desk.parent, Fetched("file-t", 5), 1.0)
    assert nodes.said(desk.outbox) == [], "it goes on"
    assert desk.fetches.deadline() is None
    desk.fetches.on_peer_gone(desk.parent, 2.0)
    assert desk.fetches.deadline() == 2.0 + PARENT_SECONDS
    desk.fetches.tick(9.0)
    assert nodes.said(desk.outbox) == [("w", Fetched("file-s", -1))]


def test_who_has_left_is_not_told(child: Desk) -> None:
    child.ask("file-s")
    child.fetches.on_fetch(child.v, Fetch("file-s"), 0.0)
    child.fetches.on_peer_gone(child.w, 0.0)
    del child.peers["v"]
    nodes.said(child.outbox)
    child.fetches.answer("file-s", 0.0)
    assert nodes.said(child.outbox) == []
