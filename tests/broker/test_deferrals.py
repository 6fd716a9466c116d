"""What waits for segments: Futures by what they miss, constants in front of them, results that somebody awaits."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.broker.deferrals import Deferrals, Deferred
from fedfutures.broker.downloads import Downloads
from fedfutures.broker.files import Brought
from fedfutures.broker.ledger import Ledger
from fedfutures.broker.lots import Lot
from fedfutures.broker.outbox import Outbox
from fedfutures.broker.segment_cache import SegmentCache
from fedfutures.errors import RemoteProtocolError
from fedfutures.federation.terms import Terms
from fedfutures.wire.messages import Chunk, Constant, Drop, Fetch, Results

from . import nodes
from .hosts import manifest


class Door:
    """Where things come in from neighbour "n", on a host with one segment, "here"."""

    def __init__(self) -> None:
        self.outbox, self.here, self.n = Outbox(), {"here"}, nodes.neighbour("n")
        self.downloads: Downloads[Deferred] = Downloads(self.outbox, lambda name: True)
        self.cache = SegmentCache(self.outbox, 1000)
        self.ledger, self.came = Ledger(), 0
        self.ledger.open("n")
        self.deferrals = Deferrals(
            self.ledger, self.outbox, self.downloads, self.cache, lambda name: 9 if name in self.here else -1
        )

    def lot(self, *payloads: bytes) -> Lot:
        """Futures come; return what they were admitted as: those that are left in the queue, if any."""
        self.came += 1
        terms = Terms("o", b"f", "o", 0, 1, 0)
        lot = self.ledger.admit("n", self.came, terms, list(range(len(payloads))), list(payloads))
        self.deferrals.defer_futures("n", lot, 0.0)
        return lot

    def parked(self) -> list[list[int]]:
        """The Futures that wait."""
        return [lot.ids for lots in self.ledger.parked.values() for lot in lots]

    def results(self, *outcomes: bytes, awaited: set[int]) -> Results:
        """Results come; return those that need not wait."""
        came = Results(4, 1, list(range(len(outcomes))), list(outcomes), [], 3.0, len(outcomes))
        return self.deferrals.defer_results(self.n, came, lambda: awaited, 0.0)

    def ask_for(self, name: str) -> None:
        """A node needs a segment."""
        self.downloads.wait(Deferred("n", Fetch(name), [], is_local=True), "n", [name], 0.0)

    def store(self, name: str) -> list[Any]:
        """A segment of five bytes comes; return what goes on."""
        assert self.downloads.on_chunk(Brought("n", Chunk(name, 0, 5), b"12345"), 0.0) is None
        ready = self.deferrals.on_stored(name)
        for deferred in ready:
            self.deferrals.strike_out(deferred)
            for lot in list(self.ledger.parked.get(deferred, ())):
                self.ledger.unpark(lot)
        self.check()
        return [deferred.what for deferred in ready]

    def check(self) -> None:
        self.downloads.check()
        self.deferrals.check()
        self.cache.check()


@pytest.fixture
def door() -> Door:
    return Door()


def test_futures_wait_in_groups_by_what_they_miss(door: Door) -> None:
    left = door.lot(manifest("a"), b"plain", manifest("here"), manifest("a", "b"), manifest("a", "here"))
    assert (left.ids, left.payloads) == ([1, 2], [b"plain", manifest("here")])
    assert door.parked() == [[0, 4], [3]]
    assert [lot.ids for lot in door.store("a")] == [[0, 4]]
    assert [lot.ids for lot in door.store("b")] == [[3]]
    assert (door.parked(), door.cache.bytes) == ([], 10)


def test_futures_that_name_no_segments_are_passed_through(door: Door) -> None:
    assert door.deferrals.group("n", ("n", 1), [1], [b"plain"]) == {}


def test_futures_wait_for_constants_that_came_before_them(door: Door) -> None:
    assert not door.deferrals.defer_constant("n", Constant("x", 1, manifest("here")), 0.0)
    constant = Constant("c", 1, manifest("a", "b"))
    assert door.deferrals.defer_constant("n", constant, 0.0)
    door.lot(b"plain")
    assert door.parked() == [[0]]
    assert door.store("a") == []
    first, second = door.store("b")
    assert (first, second.ids) == (constant, [0])
    assert door.lot(b"plain").key is None


def test_results_wait_one_by_one_if_they_are_awaited(door: Door) -> None:
    left = door.results(b"plain", manifest("a"), manifest("late"), awaited={1})
    assert (left.ids, left.seconds) == ([0], 3.0)
    assert ("n", Drop(["late"])) in nodes.said(door.outbox)
    (results,) = door.store("a")
    assert (results.ids, results.outcomes, results.seconds) == ([1], [manifest("a")], 0.0)
    assert "late" not in door.downloads


def test_a_result_names_no_segment_of_others(door: Door) -> None:
    """Whoever opens a result removes its segments."""
    with pytest.raises(RemoteProtocolError, match="not written"):
        door.results(manifest("a", "here"), awaited={0})
    assert len(door.downloads) == 0
    door.results(manifest("a"), awaited={0})
    door.store("a")
    door.here.add("a")
    assert door.results(manifest("a"), awaited={0}).ids == [0], "it has brought this one"


def test_only_segments_for_this_host_are_cached(door: Door) -> None:
    door.results(manifest("result"), awaited={0})
    door.ask_for("asked for")
    door.lot(manifest("argument"))
    nodes.said(door.outbox)
    sizes = []
    for name in ("result", "asked for", "argument"):
        assert len(door.store(name)) == 1
        sizes.append(door.cache.bytes)
    assert sizes == [0, 5, 10]


def test_what_only_futures_miss_that_are_gone_is_not_downloaded(door: Door) -> None:
    assert door.lot(manifest("a"), manifest("a")).ids == []
    ((lot,),) = door.ledger.parked.values()
    assert isinstance(lot.key, Deferred)
    assert (
        door.deferrals.explain(lot.key) == "for 1 segments of its arguments from n; of those begun, 0 bytes are to come"
    )
    door.ledger.settle_waiting(lot, {0})
    door.deferrals.forget_vacated()
    assert (door.parked(), len(door.downloads)) == ([[1]], 1)
    door.ledger.settle_waiting(lot, {1})
    door.deferrals.forget_vacated()
    assert (door.parked(), len(door.downloads)) == ([], 0)
    door.check()


def test_a_new_session_keeps_what_is_for_this_host(door: Door) -> None:
    door.lot(manifest("argument"))
    door.ask_for("asked for")
    door.results(manifest("result"), awaited={0})
    door.deferrals.defer_constant("n", Constant("c", 1, manifest("constant")), 0.0)
    door.deferrals.on_new_session("n")
    there = [name in door.downloads for name in ("argument", "asked for", "result", "constant")]
    assert there == [True, True, False, False]
    assert not any(isinstance(message, Drop) for _, message in nodes.said(door.outbox))
    assert door.store("asked for") == [Fetch("asked for")]
    door.ledger.close("n")
    door.deferrals.forget_vacated()
    door.deferrals.on_peer_gone("n")
    door.downloads.on_peer_gone("n", 0.0)
    assert (len(door.downloads), door.parked()) == (0, [])
    door.check()
