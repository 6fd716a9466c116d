"""Segments are fetched from neighbours on other hosts, once, and nothing that needs them goes on without them."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from fedfutures.broker import congestion, files, given
from fedfutures.broker.claims import RECOVERY_SECONDS
from fedfutures.broker.congestion import TIMEOUT_SECONDS
from fedfutures.broker.events import Expect
from fedfutures.broker.fetches import PARENT_SECONDS
from fedfutures.broker.files import Brought, Remove, Unwritable
from fedfutures.broker.transfers import ATTEMPTS_AT_MOST
from fedfutures.wire.messages import (
    GONE,
    LATER,
    LOST,
    MAX_CHUNK_BYTES,
    Batch,
    Cancel,
    Chunk,
    Constant,
    Demand,
    Drop,
    Fetch,
    Fetched,
    Get,
    Holding,
    Ping,
    Results,
    Return,
)
from fedfutures.wire.seal import proof_of

from .bench import BODY, Bench
from .hosts import bytes_of, manifest


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of a hundred bytes travel in several chunks."""
    for name, value in (("CHUNK_LEAST", 32), ("WINDOW_LEAST", 32), ("WINDOW_FIRST", 64)):
        monkeypatch.setattr(congestion, name, value)


@pytest.fixture
def bench() -> Bench:
    """A Broker with a Worker, and a neighbour on another host that dials it."""
    bench = Bench()
    bench.join("w", demand=9)
    bench.neighbour("n.broker", Demand(9, 1, 1))
    bench.say("n.broker", BODY)
    bench.tick()
    return bench


def give(bench: Bench, *payloads: bytes, peer: str = "n.broker", piece: int = 1) -> None:
    """A neighbour gives Futures."""
    ids = list(range(10 * piece, 10 * piece + len(payloads)))
    bench.say(peer, Batch(piece, "o", b"f", 1, 0, 0, False, ids, list(payloads)))
    bench.tick()


def bring(bench: Bench, get: Get, peer: str = "n.broker", size: int | None = None) -> None:
    """A neighbour answers."""
    data = bytes_of(get.name)
    chunk = Chunk(get.name, get.offset, len(data) if size is None else size)
    bench.step(Brought(peer, chunk, data[get.offset :][: get.count]))


def bring_all(bench: Bench, peer: str = "n.broker") -> list[str]:
    """Answer until nothing more is asked; return which segments were asked for."""
    names: dict[str, None] = {}
    while gets := bench.heard_by(peer, Get):
        for get in gets:
            names[get.name] = None
            bring(bench, get, peer)
    bench.tick()
    return list(names)


def more(bench: Bench) -> list[list[int]]:
    """The Worker can use more; return what it is given."""
    bench.say("w", Demand(9, 1))
    bench.tick()
    return bench.given_to("w")


def lent(bench: Bench, *outcomes: bytes, **more: Any) -> Batch:
    """Futures of an Origin here are run by the neighbour, and these are the outcomes."""
    bench.lose("w", blame=False)
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.submit(ids=range(1, 1 + len(outcomes)))
    bench.tick()
    (batch,) = bench.heard_by("n.broker", Batch)
    bench.say("n.broker", Results(batch.piece, 1, batch.ids, list(outcomes), **more))
    return batch


def test_futures_wait_for_their_segments(bench: Bench) -> None:
    give(bench, manifest("a"), b"small", manifest("a", "b"))
    assert bench.given_to("w") == [[11]]
    assert "2 segments" in bench.broker.explain("o", 12)
    assert bring_all(bench) == ["a", "b"]
    assert more(bench) + more(bench) == [[10], [12]]
    assert (bench.host.segments["a"], bench.host.segments["b"]) == (bytes_of("a"), bytes_of("b"))
    assert bench.broker.statistics()["fetched_bytes"] == len(bytes_of("a") + bytes_of("b"))


def test_what_is_here_is_not_fetched_again(bench: Bench) -> None:
    give(bench, manifest("a"))
    bring_all(bench)
    give(bench, manifest("a"), manifest("a"), piece=2)
    assert bench.heard_by("n.broker", Get) == []
    assert bench.given_to("w") == [[10]]
    assert more(bench) + more(bench) == [[20], [21]]


def test_a_window_of_bytes_is_asked_for_at_a_time(bench: Bench) -> None:
    give(bench, *(manifest(f"s{number}") for number in range(8)))
    gets = bench.heard_by("n.broker", Get)
    assert [(get.name, get.offset, get.count) for get in gets] == [("s0", 0, 32), ("s1", 0, 32)]
    bring(bench, gets[0])
    gets = bench.heard_by("n.broker", Get)
    assert [(get.name, get.offset) for get in gets[:2]] == [("s0", 32), ("s0", 64)], "what was begun comes first"


@pytest.mark.parametrize("peer", ["b.broker2", "w"])
def test_of_neighbours_on_this_host_nothing_is_fetched(peer: str) -> None:
    bench = Bench()
    bench.broker.name = "b.broker"
    if peer != "w":
        bench.neighbour(peer, Demand(9, 1, 1))
    bench.join("w", demand=9)
    bench.say(peer, BODY)
    give(bench, manifest("a"), peer=peer)
    assert bench.heard_by(peer, Get) == []
    assert bench.given_to("w") == [[10]]


def test_what_is_lost_is_asked_for_again(bench: Bench) -> None:
    give(bench, manifest("a"))
    (get,) = bench.heard_by("n.broker", Get)
    bench.tick(TIMEOUT_SECONDS - 0.1)
    assert bench.heard_by("n.broker", Get) == []
    bench.tick(0.2)
    assert bench.heard_by("n.broker", Get) == [get]
    bring(bench, get)
    bring(bench, get)
    bring_all(bench)
    assert bench.given_to("w") == [[10]]


def test_of_a_silent_neighbour_nothing_is_asked(bench: Bench) -> None:
    give(bench, manifest("a"))
    bench.heard_by("n.broker", Get)
    bench.tick(0.9)
    bench.tick(2.5)
    bench.tick(3.0)
    assert bench.broker.peers["n.broker"].silent
    bench.heard_by("n.broker", Get)
    bench.tick(8.0)
    assert bench.heard_by("n.broker", Get) == []
    bench.say("n.broker", Ping(1, bench.said["n.broker"]))
    bench.tick()
    assert bring_all(bench) == ["a"]


def test_chunks_keep_a_link_alive(bench: Bench) -> None:
    give(bench, *(manifest(f"s{number}") for number in range(9)))
    for _ in range(5):
        bench.tick(0.9)
        bring(bench, bench.heard_by("n.broker", Get)[0])
    assert not bench.broker.peers["n.broker"].silent


def test_answers_of_other_sizes_count_as_far_as_they_go(bench: Bench) -> None:
    """An earlier question may have been for more or for less."""
    give(bench, manifest("a"))
    (get,) = bench.heard_by("n.broker", Get)
    bring(bench, Get("a", 0, 5))
    bench.tick()
    bring(bench, Get("a", 5, 500))
    bring(bench, get)
    bring_all(bench)
    assert bench.given_to("w") == [[10]]


@pytest.mark.parametrize("how", ["gone", "gone later", "another size", "nothing in it", "no space"])
def test_a_segment_that_cannot_be_had_fails_what_needs_it(bench: Bench, how: str) -> None:
    bench.host.full = how == "no space"
    give(bench, manifest("a", "b"), manifest("b"))
    gets = bench.heard_by("n.broker", Get)
    assert [get.name for get in gets] == ["a", "b"]
    if how not in ("gone", "nothing in it"):
        bring(bench, gets[0])
    if how == "gone" or how == "gone later":
        bench.say("n.broker", Chunk("a", 32, -1) if how == "gone later" else Chunk("a", 0, -1))
    elif how == "another size":
        bring(bench, Get("a", 32, 32), size=7)
    elif how == "nothing in it":
        bench.say("n.broker", Chunk("a", 0, 50))
    bench.host.full = False
    assert bench.host.coming == {}
    bench.tick(0.1)
    (failed,) = bench.heard_by("n.broker", Results)
    assert (failed.ids, failed.odd) == ([10], [(10, LOST)])
    reason = msgpack.unpackb(failed.outcomes[0])
    assert reason.startswith("segment a, which it needs, ")
    assert ("no space" if how == "no space" else "n.broker") in reason
    bring(bench, gets[1])
    bring_all(bench)
    assert bench.given_to("w") == [[11]]
    assert bench.broker.statistics()["fetching"] == 0


def test_who_else_gave_it_is_asked_when_one_neighbour_does_not_have_it(bench: Bench) -> None:
    bench.neighbour("m.broker", incarnation=4)
    give(bench, manifest("a"))
    give(bench, manifest("a"), peer="m.broker")
    bench.heard_by("n.broker", Get)
    assert bench.heard_by("m.broker", Get) == []
    bench.say("n.broker", Chunk("a", 0, -1))
    assert bring_all(bench, "m.broker") == ["a"]
    assert bench.given_to("w") == [[10]]
    bench.tick(0.1)
    assert [failed.odd for failed in bench.heard_by("n.broker", Results)] == [[(10, LOST)]]


def test_what_nobody_needs_any_more_is_not_fetched(bench: Bench) -> None:
    give(bench, manifest("a"), manifest("a", "b"))
    gets = bench.heard_by("n.broker", Get)
    for get in gets:
        bring(bench, get)
    bench.say("n.broker", Cancel(1, [11]))
    assert "a" in bench.broker.downloads
    assert len(bench.broker.downloads) == 1
    bench.say("n.broker", Cancel(1, [10]))
    assert (bench.broker.statistics()["fetching"], bench.host.coming) == (0, {})
    assert files.Abandon("a") in bench.wants


def test_a_neighbour_is_forgotten_with_what_it_gave(bench: Bench) -> None:
    give(bench, manifest("a"))
    bench.tick(3.5)
    bench.tick(60.5)
    assert "n.broker" not in bench.broker.peers
    assert (bench.broker.statistics()["fetching"], bench.broker.ledger.intakes) == (0, [])


def test_arguments_stay_as_long_as_there_is_space() -> None:
    bench = Bench(space=len(bytes_of("s1")) * 2)
    bench.join("w", demand=9)
    bench.neighbour("n.broker", Demand(9, 1, 1))
    bench.say("n.broker", BODY)
    for piece in (1, 2, 3):
        give(bench, manifest(f"s{piece}"), piece=piece)
        bring_all(bench)
        bench.say("w", Demand(9, 1))
        bench.tick()
    assert bench.host.segments.keys() == {"s1", "s2", "s3"}, "open Futures need them"
    given = bench.heard_by("w", Batch)
    for batch in given[:2]:
        bench.say("w", Results(batch.piece, 1, batch.ids, [b"r"] * len(batch.ids)))
    give(bench, manifest("s1"), piece=4)  # used again: s2 is the one that was used longest ago
    bench.tick(1.5)
    assert bench.host.segments.keys() == {"s1", "s3"}


def test_what_no_other_future_needs_goes_at_once(bench: Bench) -> None:
    bench.join("w", demand=9)
    bench.neighbour("n.broker", Demand(9, 1, 1))
    bench.say("n.broker", BODY)
    give(bench, manifest("a", alone=True))
    bring_all(bench)
    (batch,) = bench.heard_by("w", Batch)
    assert bench.host.segments.keys() == {"a"}
    bench.say("w", Results(batch.piece, 1, batch.ids, [b"r"]))
    assert bench.host.segments.keys() == set()
    assert Remove(["a"], reuse=True) in bench.wants


def test_segments_of_constants_stay() -> None:
    bench = Bench(space=0)
    bench.join("w", demand=9)
    bench.neighbour("n.broker", Demand(9, 1, 1))
    bench.say("n.broker", BODY)
    give(bench, manifest("a"))
    bench.say("n.broker", Constant("c", 1, manifest("a")))
    bring_all(bench)
    (batch,) = bench.heard_by("w", Batch)
    bench.say("w", Results(batch.piece, 1, batch.ids, [b"r"]))
    bench.tick(1.5)
    assert bench.host.segments.keys() == {"a"}


def test_a_constant_comes_before_futures_that_came_behind_it(bench: Bench) -> None:
    bench.say("n.broker", Constant("c", 1, manifest("big")))
    give(bench, b"small")
    assert bench.given_to("w") == []
    assert bench.heard_by("w", Constant) == []
    assert bring_all(bench) == ["big"]
    kinds = [type(message) for message in bench.boxes["w"]]
    assert kinds.index(Constant) < kinds.index(Batch)


def test_a_constant_that_cannot_be_had_holds_nothing_up(bench: Bench) -> None:
    bench.say("n.broker", Constant("c", 1, manifest("big")))
    give(bench, b"small")
    bench.say("n.broker", Chunk("big", 0, -1))
    bench.tick()
    assert bench.given_to("w") == [[10]]
    assert bench.broker.functions.constants == {}


def test_results_wait_for_their_segments(bench: Bench) -> None:
    batch = lent(bench, b"small", manifest("r"), seconds=3.0, count=2)
    assert [(results.ids, results.seconds) for results in bench.heard_by("o", Results)] == [([1], 3.0)]
    bring_all(bench)
    assert [(results.ids, results.outcomes) for results in bench.heard_by("o", Results)] == [([2], [manifest("r")])]
    assert bench.heard_by("n.broker", Drop) == [Drop(["r"])]
    assert bench.host.segments["r"] == bytes_of("r")
    assert batch.ids == [1, 2]


def test_a_future_whose_result_is_gone_runs_again(bench: Bench) -> None:
    batch = lent(bench, manifest("r"))
    bench.say("n.broker", Chunk("r", 0, -1), Demand(9, 1, 1))
    bench.tick()
    assert [(again.ids, again.attempt) for again in bench.heard_by("n.broker", Batch)] == [([1], 2)]
    assert bench.heard_by("o", Results) == []
    assert (bench.broker.statistics()["fetching"], batch.attempt) == (0, 1)


@pytest.mark.parametrize("how", ["too often", "no space"])
def test_a_future_whose_result_will_not_be_had_is_lost(bench: Bench, how: str) -> None:
    bench.host.full = how == "no space"
    bench.lose("w", blame=False)
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.submit(attempt=ATTEMPTS_AT_MOST if how == "too often" else 1)
    bench.tick()
    (batch,) = bench.heard_by("n.broker", Batch)
    bench.say("n.broker", Results(batch.piece, batch.attempt, batch.ids, [manifest("r")]))
    if how == "too often":
        bench.say("n.broker", Chunk("r", 0, -1))
    else:
        bring(bench, bench.heard_by("n.broker", Get)[0])
    (failed,) = bench.heard_by("o", Results)
    assert failed.odd == [(1, LOST)]
    assert "segment r" in msgpack.unpackb(failed.outcomes[0])


def test_results_that_nobody_awaits_are_dropped_unseen(bench: Bench) -> None:
    batch = lent(bench, b"r")
    bench.say("n.broker", Results(batch.piece, 1, batch.ids, [manifest("late")]))
    assert bench.heard_by("n.broker", Get) == []
    assert bench.heard_by("n.broker", Drop) == [Drop(["late"])]


def test_results_that_came_too_late_do_not_stay(bench: Bench) -> None:
    batch = lent(bench, manifest("r"))
    bench.say("n.broker", Return(batch.piece, batch.ids))
    bring_all(bench)
    assert "r" not in bench.host.segments
    assert bench.heard_by("n.broker", Drop) == [Drop(["r"])]


def test_a_new_session_begins_without_old_results(bench: Bench) -> None:
    lent(bench, manifest("r"))
    bench.neighbour("n.broker", Demand(9, 1, 1), incarnation=8)
    assert bench.broker.statistics()["fetching"] == 0
    assert bench.heard_by("n.broker", Drop) == [], "it may come again"
    bench.tick()
    assert [batch.ids for batch in bench.heard_by("n.broker", Batch)] == [[1]], "it runs again"


def test_a_new_session_asks_again_for_arguments(bench: Bench) -> None:
    give(bench, manifest("a"))
    (get,) = bench.heard_by("n.broker", Get)
    bench.neighbour("n.broker", Demand(9, 1, 1), incarnation=8)
    assert bench.heard_by("n.broker", Get) == [get]


# -- for neighbours ----------------------------------------------------------------------------------------------------


def done(bench: Bench) -> list[files.Action]:
    """What was read and removed."""
    return [action for action in bench.wants if isinstance(action, (files.Read, Remove))]


def test_parts_are_read_for_neighbours_only(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", Constant("c", 1, manifest("a")))
    bench.say("n.broker", Get("a", 5, 100))
    assert done(bench) == [files.Read("n.broker", "a", 5, 100)]
    for peer, get in (
        ("n.broker", Get("../a", 0, 1)),
        ("n.broker", Get(".part", 0, 1)),
        ("n.broker", Get("a", 0, MAX_CHUNK_BYTES + 1)),
        ("w", Get("a", 0, 1)),
        ("stranger", Get("a", 0, 1)),
    ):
        bench.say(peer, get)
    assert len(done(bench)) == 1


def test_segments_of_results_go_when_they_were_fetched(bench: Bench) -> None:
    give(bench, b"small")
    (batch,) = bench.heard_by("w", Batch)
    bench.say("w", Results(batch.piece, 1, batch.ids, [manifest("r")]))
    bench.tick(1.0)
    bench.say("n.broker", Drop(["r", "../x", "file-1", "free-r"]))
    assert done(bench) == [Remove(["r"])]
    assert bench.broker.statistics()["violations"] == 1
    bench.say("n.broker", Drop(["r"]))
    assert done(bench) == [Remove(["r"])]


def test_a_neighbour_reads_what_it_was_told_of_and_nothing_else(bench: Bench) -> None:
    """It may know the names of others: they are easy to guess."""
    bench.host.write("theirs")
    bench.host.write("o-1")
    bench.lose("w", blame=False)
    bench.join("o", "origin")
    bench.say("o", BODY, Batch(1, "o", b"f", 1, 0, 0, False, [1], [manifest("o-1")]))
    bench.tick()
    assert bench.given_to("n.broker") == [[1]]
    for name in ("o-1", "theirs"):
        bench.say("n.broker", Get(name, 0, 9))
    assert done(bench) == [files.Read("n.broker", "o-1", 0, 9)]
    assert bench.heard_by("n.broker", Chunk) == [Chunk("theirs", 0, -1)]
    bench.say("n.broker", Drop(["o-1"]))
    assert done(bench)[1:] == [], "an argument is not its to remove"
    assert bench.broker.statistics()["violations"] == 2


def test_what_a_neighbour_holds_it_may_read_however_long_ago_it_was_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "ARGUMENTS_REMEMBERED", 0)
    bench.lose("w", blame=False)
    bench.join("o", "origin")
    bench.say("o", BODY, Batch(1, "o", b"f", 1, 0, 0, False, [1], [manifest("o-1")]))
    bench.tick()
    (batch,) = bench.heard_by("n.broker", Batch)
    bench.say("n.broker", Get("o-1", 0, 9))
    assert done(bench) == [files.Read("n.broker", "o-1", 0, 9)]
    bench.say("n.broker", Results(batch.piece, 1, [1], [b"r"]), Get("o-1", 0, 9))
    assert done(bench) == [files.Read("n.broker", "o-1", 0, 9)]
    assert bench.heard_by("n.broker", Chunk) == [Chunk("o-1", 0, -1)]


def test_a_broker_that_was_started_again_does_not_say_that_a_segment_is_gone(bench: Bench) -> None:
    bench.step(Expect([]))
    bench.say("n.broker", Get("o-1", 0, 9))
    assert done(bench) == []
    assert bench.heard_by("n.broker", Chunk) == [Chunk("o-1", 0, LATER)]
    bench.tick(RECOVERY_SECONDS)
    bench.say("n.broker", Get("o-1", 0, 9))
    assert bench.heard_by("n.broker", Chunk) == [Chunk("o-1", 0, -1)]


@pytest.fixture
def middle(bench: Bench) -> Bench:
    """The host of a Broker was started again, and has nothing that a neighbour needs which holds Futures of another."""
    bench.lose("w", blame=False)
    bench.step(Expect([]))
    bench.neighbour("m.broker", dialled=True, session=800)
    bench.say("m.broker", Demand(1, 1, 1))
    bench.say("m.broker", Holding(5, "o", b"f", 1, 0, [1], [proof_of(manifest("o-1"))]))
    bench.say("n.broker", Batch(1, "o", b"f", 1, 0, 0, False, [1], [manifest("o-1")]))
    bench.tick()
    return bench


def test_what_a_host_lent_that_was_started_again_is_brought_once_more(middle: Bench) -> None:
    middle.say("m.broker", Get("o-1", 0, 9), Get("o-1", 0, 9))
    assert middle.heard_by("m.broker", Chunk) == [Chunk("o-1", 0, LATER)] * 2
    assert bring_all(middle) == ["o-1"]
    middle.say("m.broker", Get("o-1", 0, 9))
    assert done(middle) == [files.Read("m.broker", "o-1", 0, 9)]


def test_what_cannot_be_brought_once_more_is_gone(middle: Bench) -> None:
    middle.say("m.broker", Get("o-1", 0, 9))
    (get,) = middle.heard_by("n.broker", Get)
    bring(middle, get, size=GONE)
    assert done(middle) == []
    middle.say("m.broker", Get("o-1", 0, 9))
    assert done(middle) == [files.Read("m.broker", "o-1", 0, 9)], "whose answer is that it is not here"


def test_what_a_neighbour_was_told_of_outlives_the_session(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", Constant("c", 1, manifest("old")), Constant("c", 2, manifest("new")))
    bench.neighbour("n.broker", incarnation=9)
    bench.say("n.broker", Get("old", 0, 9))
    assert done(bench) == [files.Read("n.broker", "old", 0, 9)]


def test_chunks_that_nobody_asked_for_are_nothing(bench: Bench) -> None:
    bench.step(Brought("n.broker", Chunk("x", 0, 5), b"12345"))
    bench.step(Brought("stranger", Chunk("x", 0, 5), b"12345"))
    give(bench, manifest("a"))
    bench.step(Brought("n.broker", Chunk("a", 64, 70), b"123456"))
    bench.step(Unwritable("x", "full"))
    bench.step(files.Stored("x"))
    assert bench.wants == []
    assert bring_all(bench) == ["a"]


# -- by name -----------------------------------------------------------------------------------------------------------


def test_a_node_asks_for_a_segment_that_is_here(bench: Bench) -> None:
    bench.host.write("file-1")
    bench.say("w", Fetch("file-1"))
    bench.say("w", Fetch("../file"))
    assert bench.heard_by("w", Fetched) == [Fetched("file-1", len(bytes_of("file-1"))), Fetched("../file", -1)]


def test_a_segment_comes_from_the_neighbour_that_dials(bench: Bench) -> None:
    bench.neighbour("below.broker", dialled=True, session=700)
    bench.join("v")
    for node in ("w", "v"):
        bench.say(node, Fetch("file-1"))
    assert bench.heard_by("n.broker", Fetch) == [Fetch("file-1")]
    assert bench.heard_by("below.broker", Fetch) == []
    bench.say("n.broker", Fetched("file-1", len(bytes_of("file-1"))))
    assert bring_all(bench) == ["file-1"]
    for node in ("w", "v"):
        assert bench.heard_by(node, Fetched) == [Fetched("file-1", len(bytes_of("file-1")))]
    bench.say("w", Fetch("file-1"))
    assert bench.heard_by("n.broker", Fetch) == []


def test_a_file_that_was_asked_for_stays_though_there_is_no_space() -> None:
    bench = Bench(space=0)
    bench.neighbour("n.broker")
    bench.join("w")
    bench.say("w", Fetch("file-a"))
    bench.say("n.broker", Fetched("file-a", len(bytes_of("file-a"))))
    assert bring_all(bench) == ["file-a"]
    bench.tick()
    assert bench.host.segments.keys() == {"file-a"}
    bench.tick(1.5)
    assert bench.host.segments.keys() == {"file-a"}


@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_segment_that_is_nowhere(bench: Bench, when: str) -> None:
    bench.say("w", Fetch("file-1"))
    bench.say("n.broker", Fetched("file-1", -1 if when == "at once" else 9))
    if when == "later":
        bench.say("n.broker", Chunk("file-1", 0, -1))
    assert bench.heard_by("w", Fetched) == [Fetched("file-1", -1)]


def test_on_one_host_the_neighbour_that_dials_has_it_brought() -> None:
    bench = Bench()
    bench.broker.name = "b.broker2"
    bench.neighbour("b.broker")
    bench.join("w")
    bench.say("w", Fetch("file-1"))
    assert bench.heard_by("b.broker", Fetch) == [Fetch("file-1")]
    bench.host.write("file-1")
    bench.say("b.broker", Fetched("file-1", 5))
    assert bench.heard_by("w", Fetched) == [Fetched("file-1", len(bytes_of("file-1")))]
    bench.say("b.broker", Fetched("file-1", 5))


def test_at_the_root_there_is_nobody_to_ask() -> None:
    bench = Bench()
    bench.join("w")
    bench.say("w", Fetch("file-1"))
    assert bench.heard_by("w", Fetched) == []
    bench.tick(PARENT_SECONDS + 0.01)
    assert bench.heard_by("w", Fetched) == [Fetched("file-1", -1)]


def test_a_neighbour_that_dials_a_little_later_is_asked() -> None:
    bench = Bench()
    bench.join("w")
    bench.say("w", Fetch("file-1"))
    bench.neighbour("n.broker")
    assert bench.heard_by("n.broker", Fetch) == [Fetch("file-1")]
    bench.tick(0.5 + PARENT_SECONDS)
    bench.neighbour("n.broker", incarnation=9)
    assert bench.heard_by("n.broker", Fetch) == [Fetch("file-1")]
    bench.say("n.broker", Fetched("file-1", 9))
    bring_all(bench)
    assert [fetched.size > 0 for fetched in bench.heard_by("w", Fetched)] == [True]


def test_who_has_asked_may_leave(bench: Bench) -> None:
    bench.say("w", Fetch("file-1"))
    bench.lose("w")
    bench.say("n.broker", Fetched("file-1", 9))
    bring_all(bench)
    assert bench.host.segments.keys() == {"file-1"}
