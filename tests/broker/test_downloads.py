"""Downloads of opaque keys: what is asked for, what is ready, and what fails."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.broker import congestion, files
from fedfutures.broker.congestion import TIMEOUT_SECONDS
from fedfutures.broker.downloads import LATER_SECONDS, Download, Downloads
from fedfutures.broker.outbox import Outbox
from fedfutures.wire.messages import LATER, Chunk, Get

from .hosts import bytes_of


class Net:
    """Neighbours that have every segment, and a host that stores what comes."""

    def __init__(self) -> None:
        self.outbox, self.reachable, self.now = Outbox(), {"n", "m"}, 0.0
        self.downloads: Downloads[str] = Downloads(self.outbox, self.reachable.__contains__)
        self.asked: list[tuple[str, Get]] = []  # and not answered yet
        self.files: dict[str, bytearray] = {}  # coming
        self.stored: dict[str, bytes] = {}
        self.ready: list[str] = []

    def act(self) -> None:
        """Do what the downloads want done."""
        for action in self.outbox.take():
            if isinstance(action, files.Begin):
                self.files[action.name] = bytearray(action.size)
            elif isinstance(action, files.Write):
                self.files[action.name][action.offset : action.offset + len(action.data)] = action.data
            elif isinstance(action, files.Abandon):
                del self.files[action.name]
            elif isinstance(action, files.Finish):
                self.stored[action.name] = bytes(self.files.pop(action.name))
                self.ready += self.downloads.on_stored(action.name)[2]
            else:
                message: Any = action
                self.asked.append((message.peer, message.message))
        self.downloads.check()

    def wait(self, key: str, peer: str, *segments: str) -> None:
        self.downloads.wait(key, peer, segments, self.now)
        self.act()

    def answer(self, index: int = 0, *, size: int | None = None, most: int = 1 << 20) -> list[str]:
        """Answer one of the questions; return the keys that fail."""
        peer, get = self.asked.pop(index)
        data = bytes_of(get.name)
        chunk = Chunk(get.name, get.offset, len(data) if size is None else size)
        event = files.Brought(peer, chunk, data[get.offset :][: min(most, get.count)])
        failed = self.downloads.on_chunk(event, self.now)
        for key in failed.keys if failed else ():
            self.downloads.forget(key)
        self.downloads.pump(peer, self.now)
        self.act()
        return failed.keys if failed else []


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of a hundred bytes travel in several chunks."""
    for name, value in (("CHUNK_LEAST", 32), ("WINDOW_LEAST", 32), ("WINDOW_FIRST", 64)):
        monkeypatch.setattr(congestion, name, value)


@pytest.fixture
def net() -> Net:
    return Net()


def test_a_key_is_ready_when_all_its_segments_are_stored(net: Net) -> None:
    net.wait("both", "n", "a", "b")
    net.wait("one", "n", "b")
    assert net.downloads.missing("both") == {"a", "b"}
    while net.asked:
        net.answer()
    assert sorted(net.ready) == ["both", "one"]
    assert net.stored == {"a": bytes_of("a"), "b": bytes_of("b")}
    assert (len(net.downloads), net.downloads.is_waiting("both")) == (0, False)
    assert net.downloads.bytes_fetched == len(bytes_of("a") + bytes_of("b"))


def test_each_segment_is_asked_of_one_neighbour(net: Net) -> None:
    net.wait("k", "n", "a")
    net.wait("l", "m", "a")
    assert [peer for peer, _ in net.asked] == ["n"]
    assert (net.downloads.keys_of("n"), net.downloads.keys_of("m")) == (["k"], ["l"])


def test_the_next_neighbour_is_asked_when_one_lacks_it(net: Net) -> None:
    net.wait("k", "n", "a")
    net.wait("l", "m", "a")
    assert net.answer(size=-1) == ["k"]
    assert [peer for peer, _ in net.asked] == ["m"]
    while net.asked:
        net.answer()
    assert net.ready == ["l"]


def test_what_only_a_forgotten_key_missed_is_abandoned(net: Net) -> None:
    net.wait("k", "n", "a", "b")
    net.wait("l", "n", "b")
    net.answer()
    assert net.downloads.bytes_left("k") == len(bytes_of("a")) - 32
    net.downloads.forget("k")
    net.downloads.forget("k")
    net.act()
    assert ("a" in net.downloads, "b" in net.downloads, net.files) == (False, True, {})


def test_nothing_is_asked_of_who_does_not_hear(net: Net) -> None:
    net.reachable.clear()
    net.wait("k", "n", "a")
    assert net.asked == []
    net.reachable.add("n")
    net.downloads.on_session("n", net.now)
    net.act()
    assert [get.name for _, get in net.asked] == ["a"]


def test_what_is_lost_is_asked_for_again(net: Net) -> None:
    net.wait("k", "n", "a")
    ((_, lost),) = net.asked
    net.asked.clear()
    assert net.downloads.deadline() == TIMEOUT_SECONDS
    net.now = TIMEOUT_SECONDS
    net.downloads.tick(net.now)
    net.act()
    assert net.asked == [("n", lost)]


def test_what_is_to_come_later_is_asked_for_again_and_others_take_their_turn(net: Net) -> None:
    net.wait("k", "n", "a")
    net.wait("l", "n", "b")
    net.answer(size=LATER)
    while net.asked:
        net.answer()
    assert net.ready == ["l"]
    assert net.downloads.deadline() == LATER_SECONDS
    net.now = LATER_SECONDS
    net.downloads.tick(net.now)
    net.act()
    while net.asked:
        net.answer()
    assert net.ready == ["l", "k"]


def test_a_neighbour_that_is_gone_takes_its_keys_along(net: Net) -> None:
    net.wait("k", "n", "a", "b")
    net.wait("l", "m", "b")
    net.answer()
    net.downloads.on_peer_gone("n", net.now)
    net.asked.clear()
    net.act()
    assert (net.downloads.is_waiting("k"), "a" in net.downloads, net.files) == (False, False, {})
    assert [(peer, get.name) for peer, get in net.asked] == [("m", "b")]


def test_a_full_disk_fails_a_key_for_good(net: Net) -> None:
    net.wait("k", "n", "a")
    assert net.downloads.on_unwritable(files.Unwritable("b", "full"), "here", net.now) is None
    failed = net.downloads.on_unwritable(files.Unwritable("a", "full"), "here", net.now)
    assert failed is not None
    assert (failed.segment, failed.gone, failed.keys) == ("a", False, ["k"])
    assert failed.why == "cannot be stored on host here: full"


@given(st.integers(0, 1 << 30))
def test_all_comes_whatever_is_lost_or_cut_short(seed: int) -> None:
    dice, net = random.Random(seed), Net()
    for number in range(dice.randint(1, 5)):
        net.wait(f"k{number}", dice.choice("nm"), *dice.sample("abcde", dice.randint(1, 4)))
    for _ in range(2000):
        if not len(net.downloads):
            break
        if net.asked and dice.random() < 0.8:
            net.answer(dice.randrange(len(net.asked)), most=dice.choice((1, 7, 1 << 20)))
        else:
            net.asked = net.asked[1:]
            net.now += 40.0
            net.downloads.tick(net.now)
            net.act()
    assert not len(net.downloads)
    assert all(stored == bytes_of(name) for name, stored in net.stored.items())


def test_the_first_answer_tells_how_much_there_is() -> None:
    download = Download("a", "n")
    assert (download.next_request(100), download.next_request(100)) == ((0, 100), None)
    download.set_size(250)
    assert download.on_bytes(0, 60)
    assert [download.next_request(100) for _ in range(4)] == [(60, 40), (100, 100), (200, 50), None]
    assert download.left == 190


def test_a_segment_may_be_smaller_than_the_first_question() -> None:
    download = Download("a", "n")
    download.next_request(100)
    download.set_size(30)
    assert not download.on_bytes(0, 30)
    assert (download.left, download.next_request(100)) == (0, None)
