"""Real sockets, between threads of one process: who hears whom, and who comes through after a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import eventually

from fedfutures.sockets.sockets import (
    MainDealer,
    MainRouter,
    MetaPublisher,
    MetaSubscriber,
    NeighbourSubscriber,
    context,
    drained,
    wait,
)

pytestmark = pytest.mark.host
SECONDS = 5.0


class Place:
    """A directory for sockets, and all that is to be closed."""

    def __init__(self, path: Path) -> None:
        self.path, self.owner, self.made = path, context(), list[Any]()

    def address(self, name: str) -> str:
        return f"ipc://{self.path}/{name}"

    def make(self, kind: Callable[..., Any], name: str, *more: Any, **named: Any) -> Any:
        self.made.append(kind(self.owner, self.address(name), *more, **named))
        return self.made[-1]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    here = Place(tmp_path)
    yield here
    for socket in here.made:
        socket.close()
    here.owner.term()


def hears(listener: Any, speak: Callable[[], None], expected: Any) -> bool:
    """Whether what is said again and again is heard: a subscription takes a moment to arrive."""
    found = []

    def said() -> bool:
        speak()
        found.append(listener.receive())
        return found[-1] is not None

    assert eventually(said, SECONDS)
    return bool(found[-1] == expected)


def test_workers_hear_what_is_for_them_and_nothing_else(place: Place) -> None:
    publisher = place.make(MetaPublisher, "meta")
    worker = place.make(MetaSubscriber, "meta")
    assert hears(worker, lambda: publisher.publish("", "b", b"for workers\0"), b"for workers\0")
    while wait_for(worker):
        pass
    publisher.publish("h1", "b", b"for a neighbour")
    publisher.publish("", "b", b"last")
    assert eventually(lambda: worker.receive() == b"last", SECONDS)
    assert worker.receive() is None


def wait_for(subscriber: Any) -> bool:
    """Whether something still comes within a moment."""
    return eventually(lambda: subscriber.receive() is not None, 0.05)


def test_a_topic_is_no_prefix_of_another(place: Place) -> None:
    publisher = place.make(MetaPublisher, "meta")
    one = place.make(MetaSubscriber, "meta", "h1")
    ten = place.make(MetaSubscriber, "meta", "h10")
    assert hears(ten, lambda: publisher.publish("h10", "b", b"ten"), b"ten")
    assert hears(one, lambda: publisher.publish("h1", "b", b"one"), b"one")
    while wait_for(one) or wait_for(ten):
        pass
    publisher.publish("h10", "b", b"more")
    assert eventually(lambda: ten.receive() == b"more", SECONDS)
    assert one.receive() is None


def test_either_end_hears_the_other_though_only_one_dials(place: Place) -> None:
    up, down = place.make(MetaPublisher, "up.meta"), place.make(MetaPublisher, "down.meta")
    up_subscriber, down_subscriber = (
        place.make(NeighbourSubscriber, "up.subscriber", "up"),
        place.make(NeighbourSubscriber, "down.subscriber", "down"),
    )
    up.connect(place.address("down.subscriber"))
    up_subscriber.connect(place.address("down.meta"))
    assert hears(down_subscriber, lambda: up.publish("down", "up", b"\0d"), ("up", b"\0d"))
    assert hears(up_subscriber, lambda: down.publish("up", "down", b"u\0"), ("down", b"u\0"))
    up.disconnect(place.address("down.subscriber"))
    up_subscriber.disconnect(place.address("down.meta"))
    while wait_for(up_subscriber) or wait_for(down_subscriber):
        pass
    down.publish("up", "down", b"nobody is there")
    assert not wait_for(up_subscriber)


def test_a_peer_that_connects_again_takes_over_its_name(place: Place) -> None:
    router = place.make(MainRouter, "main")
    first = place.make(MainDealer, "main", "peer", far=True)
    first.send(b"1")
    assert eventually(lambda: router.receive() == ("peer", b"1", None), SECONDS)
    second = place.make(MainDealer, "main", "peer", far=True)
    second.send(b"2")
    assert eventually(lambda: router.receive() == ("peer", b"2", None), SECONDS)
    router.send("peer", b"3")
    assert eventually(lambda: second.receive() == b"3", SECONDS)
    assert first.receive() is None
    router.send("nobody", b"4")


def test_a_dealer_finds_a_router_that_was_bound_again(place: Place) -> None:
    dealer = place.make(MainDealer, "main", "peer")
    for word in (b"1", b"2"):
        router = MainRouter(place.owner, place.address("main"))
        heard = []

        def arrives(router: MainRouter = router, heard: list[Any] = heard, word: bytes = word) -> bool:
            dealer.send(word)
            heard.append(router.receive())
            return heard[-1] is not None

        assert eventually(arrives, SECONDS)
        assert heard[-1][0] == "peer"
        router.close()


def test_waiting_says_what_can_be_read(place: Place) -> None:
    router, other = place.make(MainRouter, "main"), place.make(MainRouter, "other")
    assert wait([router, other], [], 0.0) == ([], [])
    place.make(MainDealer, "main", "peer").send(b"x")
    assert eventually(lambda: wait([router, other], [], SECONDS) == ([router], []) and router.receive(), SECONDS)
    assert router.receive() is None
    assert wait([router, other], [], 0.001) == ([], [])


def test_what_comes_while_a_socket_is_used_is_not_waited_for(place: Place) -> None:
    """Sending may eat the sign of an arrival, and so may a receive that is not the last one."""
    router, dealer = place.make(MainRouter, "main"), place.make(MainDealer, "main", "peer")
    dealer.send(b"0")
    assert eventually(lambda: router.receive() is not None, SECONDS)
    for number in range(200):
        assert router.receive() is None
        dealer.send(b"1")
        for _ in range(number % 7):
            router.send("peer", b"answer")
        dealer.send(b"2")
        heard = 0
        while heard < 2:
            assert wait([router], [], SECONDS)[0] == [router]
            heard += sum(1 for _ in drained(router.receive, 1 + number % 2))
        while dealer.receive() is not None:
            pass


def test_a_quiet_socket_is_not_looked_at(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    router, looks = place.make(MainRouter, "main"), []
    assert router.receive() is None
    monkeypatch.setattr(MainRouter, "is_readable", lambda self: looks.append(self))
    wait([router], [], 0.0)
    assert looks == []
    router.send("nobody", b"x")
    wait([router], [], 0.0)
    assert looks == [router]


@pytest.mark.parametrize("size", [0, 10, 1 << 20])
def test_data_travels_behind_a_message(place: Place, size: int) -> None:
    router = place.make(MainRouter, "main")
    dealer = place.make(MainDealer, "main", "peer", far=True)
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    dealer.send(b"up", memoryview(data))
    found: list[Any] = []
    assert eventually(lambda: found.append(router.receive()) or found[-1] is not None, SECONDS)
    assert (found[-1][:2], bytes(found[-1][2])) == (("peer", b"up"), data)
    router.send("peer", b"down", data)
    router.send("nobody", b"down", data)
    assert eventually(lambda: found.append(dealer.receive_all()) or found[-1] is not None, SECONDS)
    assert (found[-1][0], bytes(found[-1][1])) == (b"down", data)
    router.send("peer", b"alone")
    assert eventually(lambda: found.append(dealer.receive_all()) or found[-1] is not None, SECONDS)
    assert (found[-1], dealer.receive_all()) == ((b"alone", None), None)


def test_more_frames_than_that_are_no_message(place: Place) -> None:
    router = place.make(MainRouter, "main")
    dealer = place.make(MainDealer, "main", "peer")
    dealer.raw.send_multipart([b"a"] * 5)
    dealer.send(b"b")
    found: list[Any] = []
    assert eventually(lambda: found.append(router.receive()) or len(list(filter(None, found))) == 2, SECONDS)
    assert list(filter(None, found)) == [("peer", b"", None), ("peer", b"b", None)]
