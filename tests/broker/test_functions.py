"""Definitions and constants: who is told, who is asked, and what is returned to go on."""

from __future__ import annotations

import pytest

from fedfutures.broker import functions
from fedfutures.broker.files import HandOver
from fedfutures.broker.functions import Functions
from fedfutures.broker.ledger import Ledger
from fedfutures.broker.lots import Lot
from fedfutures.broker.outbox import Outbox
from fedfutures.errors import RemoteProtocolError
from fedfutures.federation.terms import Terms
from fedfutures.wire.messages import Constant, Function, Want

from . import nodes
from .hosts import manifest

F, G = Function(b"f", "f", b"body"), Function(b"g", "g", b"other body")
MODULE, NO_MODULE = Function(b"import m", "m", b"text"), Function(b"import m", "m", b"")


class Desk:
    """Functions of a Broker with Workers "v" and "w", Origin "o" and neighbours: "n" dials, "below" is dialled."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.v, self.w, self.o = nodes.worker("v"), nodes.worker("w"), nodes.origin("o")
        self.n, self.below = nodes.neighbour("n"), nodes.neighbour("below", dials=True)
        self.peers = nodes.table(self.v, self.w, self.o, self.n, self.below)
        self.ledger = Ledger()
        for name in self.peers:
            self.ledger.open(name)
        self.functions = Functions(self.outbox, self.peers, self.ledger)

    def lot(self, giver: str, *ids: int, function: bytes = b"f", root: str = "o") -> Lot:
        """Futures come."""
        number = len(self.ledger.accounts[giver].intakes) + 1
        return self.ledger.admit(giver, number, Terms("o", function, root, 0, 1, 0), list(ids), [b"p"] * len(ids))

    def wanted(self, peer: nodes.Peer, digest: bytes) -> list[str]:
        """A peer wants a definition; return who is asked for it."""
        self.functions.on_want(peer, digest, 0.0)
        return [name for name, message in self.said() if message == Want(digest)]

    def said(self) -> list[tuple[str, object]]:
        return nodes.said(self.outbox)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_lots_go_on_with_their_function(desk: Desk) -> None:
    for each in (desk.lot("o", 1), desk.lot("o", 2), desk.lot("n", 3)):
        desk.functions.defer(each, 0.0)
    assert desk.said() == [("o", Want(b"f")), ("n", Want(b"f"))], "each giver is asked once"
    assert desk.ledger.queue.count == 0
    desk.functions.on_function(desk.o, F, 0.0)
    assert [lot.ids for lot in desk.ledger.queue] == [[1], [2], [3]]
    assert desk.ledger.parked == {}
    assert (b"f" in desk.o.knows, b"f" in desk.w.knows) == (True, False)


def test_who_wants_a_function_is_told_when_it_comes(desk: Desk) -> None:
    desk.w.knows.add(b"f")
    for giver, ids in (("n", [1, 2]), ("o", [3])):
        lot = desk.lot(giver, *ids)
        desk.ledger.give(lot, 1, "w", 0.0)
    assert desk.wanted(desk.w, b"f") == ["n", "o"], "where its Futures came from"
    assert b"f" not in desk.w.knows
    assert desk.wanted(desk.v, b"f") == [], "it holds none"
    desk.functions.on_function(desk.o, F, 0.0)
    assert desk.said() == [("v", F), ("w", F)]
    desk.functions.on_want(desk.w, b"f", 0.0)
    assert desk.said() == [("w", F)]


def test_a_worker_that_wants_what_it_has_submitted_is_told(desk: Desk) -> None:
    """It has forgotten the function where it runs Futures, is given its own one back, and the Broker asks it, too."""
    desk.ledger.give(desk.lot("w", 1), 1, "w", 0.0)
    assert desk.wanted(desk.w, b"f") == ["w"]
    desk.functions.on_function(desk.w, F, 0.0)
    assert desk.said() == [("w", F)]
    assert b"f" not in desk.w.wants
    desk.functions.on_want(desk.n, b"g", 0.0)
    desk.functions.on_function(desk.n, G, 0.0)
    assert desk.said() == [], "a neighbour that sends a function knows it"


def test_a_module_is_asked_for_once(desk: Desk) -> None:
    assert desk.wanted(desk.w, b"import m") == ["o"]
    assert desk.wanted(desk.v, b"import m") == []
    desk.functions.on_function(desk.o, NO_MODULE, 0.0)
    assert desk.said() == [("v", NO_MODULE), ("w", NO_MODULE)]
    assert desk.wanted(desk.w, b"import m") == ["o"], "that there is none is not kept"
    desk.functions.on_function(desk.n, MODULE, 0.0)
    assert desk.said() == [("w", MODULE)]
    assert b"import m" not in desk.w.knows, "modules are not given unasked"


@pytest.mark.parametrize("whose", ["w", "below"])
def test_modules_come_from_towards_the_origin(desk: Desk, whose: str) -> None:
    with pytest.raises(RemoteProtocolError, match=whose):
        desk.functions.on_function(getattr(desk, whose), MODULE, 0.0)
    assert desk.functions.definitions == {}


def test_the_oldest_definitions_are_dropped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "FUNCTIONS_AT_MOST", 1)
    for function in (F, G):
        desk.functions.on_function(desk.o, function, 0.0)
    assert (list(desk.functions.definitions), desk.functions.bytes) == ([b"g"], len(G.body))
    assert desk.o.knows == {b"g"}  # else it would grow with all that a program ever made


def test_one_definition_is_kept_however_large(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "FUNCTION_BYTES_AT_MOST", 1)
    for function in (F, G):
        desk.functions.on_function(desk.o, function, 0.0)
        assert list(desk.functions.definitions) == [function.digest]


def test_a_peer_is_told_the_function_of_what_it_is_given(desk: Desk) -> None:
    desk.functions.on_function(desk.o, F, 0.0)
    desk.functions.send_function(desk.w, b"f", 0.0)
    assert desk.said() == [("w", F)]
    assert desk.w.knows == {b"f"}


def test_who_joins_hears_constants_and_is_asked_for_modules(desk: Desk) -> None:
    constant = Constant("c", 1, b"value")
    desk.functions.on_constant(desk.o, constant, 0.0)
    assert desk.said() == [(name, constant) for name in ("v", "w", "n", "below")]
    for digest in (b"f", b"import m"):
        desk.functions.on_want(desk.w, digest, 0.0)
    desk.said()
    desk.functions.on_join(desk.o, 0.0)
    assert desk.said() == [("o", constant), ("o", Want(b"import m"))]
    desk.functions.on_join(desk.n, 0.0)
    assert desk.said() == [("n", constant)], "an Origin is here"


def test_in_a_new_session_a_peer_is_asked_again(desk: Desk) -> None:
    desk.functions.defer(desk.lot("n", 1), 0.0)
    desk.functions.defer(desk.lot("o", 2, function=b"g"), 0.0)
    desk.functions.on_want(desk.w, b"import m", 0.0)
    desk.functions.on_want(desk.n, b"its own wish", 0.0)
    desk.said()
    desk.functions.on_new_session(desk.n, 0.0)
    assert desk.said() == [("n", Want(b"f"))], "modules are asked of the Origin"
    desk.peers.leave(desk.o)
    desk.functions.on_new_session(desk.n, 0.0)
    assert desk.said() == [("n", Want(b"f")), ("n", Want(b"import m"))]


def test_segments_of_a_constant_outlive_the_worker_that_made_them(desk: Desk) -> None:
    for peer in (desk.v, desk.n):
        desk.functions.on_constant(peer, Constant(peer.name, 1, manifest(f"{peer.name}-7")), 0.0)
    assert [each for each in desk.outbox.take() if isinstance(each, HandOver)] == [HandOver(["v-7"])]


def test_the_newest_constant_wins(desk: Desk) -> None:
    def told(peer: nodes.Peer, version: int, body: bytes) -> list[tuple[str, bytes]]:
        desk.functions.on_constant(peer, Constant("c", version, body), 0.0)
        return [(name, message.body) for name, message in nodes.said(desk.outbox)]

    assert len(told(desk.n, 2, b"m")) == 4
    assert told(desk.n, 2, b"m") == told(desk.below, 1, b"z") == told(desk.below, 2, b"a") == []
    assert len(told(desk.below, 2, b"z")) == 4, "of two equally new ones the greater"
    assert len(told(desk.o, 1, b"own")) == 5, "an Origin that did not know better is told, too"
    assert desk.functions.constants["c"] == Constant("c", 3, b"own")
