"""Encrypted sockets alone: whose frames they are, which connection answers go to, what is cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from launching import eventually

from fedfutures.sockets.keys import Keys, make_keys
from fedfutures.sockets.options import tcp
from fedfutures.sockets.remote import Dialled, RemotePublisher, RemoteRouter, RemoteSubscriber
from fedfutures.sockets.sockets import context
from fedfutures.sockets.zap import ZapHandler

pytestmark = pytest.mark.host
ADDRESS = "127.0.0.1"
SECONDS = 5.0


class Door:
    """Bound sockets of Broker "down"; the ZAP handler is served while the test waits."""

    def __init__(self) -> None:
        self.owner, self.keys, self.dialled = context(), make_keys(), list[Dialled]()
        self.zap = ZapHandler(self.owner)
        self.zap.open()
        self.router = RemoteRouter(self.owner, ADDRESS, self.keys, self.zap)
        self.publisher = RemotePublisher(self.owner, ADDRESS, self.keys)
        self.subscriber = RemoteSubscriber(self.owner, ADDRESS, self.keys, self.zap, "down")
        self.others = context()

    def dial(self, keys: Keys, name: str = "up", server: str | None = None) -> Dialled:
        bound = (self.router, self.publisher, self.subscriber)
        addresses = [tcp(ADDRESS, socket.port) for socket in bound]
        made = Dialled(
            self.others, "down", (addresses[0], addresses[1], addresses[2]), keys, server or self.keys.public, name
        )
        self.dialled.append(made)
        return made

    def until(self, condition: Callable[[], bool]) -> bool:
        def holds() -> bool:
            self.zap.serve()
            return condition()

        return eventually(holds, SECONDS)

    def next(self, receive: Callable[[], Any]) -> Any:
        """Return what comes next."""
        found: list[Any] = []

        def came() -> bool:
            found.append(receive())
            return found[-1] is not None

        assert self.until(came), "nothing comes"
        return found[-1]


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    for dialled in made.dialled:
        dialled.close()
    for owner in (made.others, made.owner):
        owner.destroy(linger=0)


def test_the_sender_is_whoever_holds_the_key(door: Door) -> None:
    for name in ("a", "b"):
        keys = make_keys()
        door.zap.allow(name, keys.public)
        door.dial(keys, name="whatever it calls itself").send(name.encode())
    came = sorted(bytes(part) if name else b"" for name, part, _ in (door.next(door.router.receive) for _ in range(2)))
    assert came == [b"a", b"b"]


def test_frames_of_a_key_that_is_no_longer_allowed_are_nobodys(door: Door) -> None:
    keys = make_keys()
    door.zap.allow("up", keys.public)
    up = door.dial(keys)
    up.send(b"first")
    assert door.next(door.router.receive) == ("up", b"first", None)
    door.zap.forbid("up")
    up.send(b"second")
    assert door.next(door.router.receive) == ("", b"", None)


def test_data_go_behind_a_frame_both_ways(door: Door) -> None:
    keys = make_keys()
    door.zap.allow("up", keys.public)
    up = door.dial(keys)
    up.send(b"frame", b"data")
    name, frame, data = door.next(door.router.receive)
    assert (name, frame, bytes(data)) == ("up", b"frame", b"data")
    door.router.send("up", b"answer", b"more")
    frame, data = door.next(up.receive)
    assert (frame, bytes(data)) == (b"answer", b"more")


def test_answers_go_to_the_newest_connection_also_where_an_older_one_speaks_late(door: Door) -> None:
    keys = make_keys()
    door.zap.allow("up", keys.public)
    older, newer = door.dial(keys), door.dial(keys)
    for each, text in ((older, b"1"), (newer, b"2"), (older, b"late")):
        each.send(text)
        assert door.next(door.router.receive) == ("up", text, None)
    door.router.send("up", b"answer")
    assert door.next(newer.receive) == (b"answer", None)
    assert older.receive() is None


def test_to_a_neighbour_that_has_not_dialled_nothing_is_sent(door: Door) -> None:
    door.zap.allow("up", make_keys().public)
    door.router.send("up", b"nobody hears this")
    assert door.router.receive() is None


def test_states_are_heard_under_their_topics_alone(door: Door) -> None:
    keys = make_keys()
    door.zap.allow("up", keys.public)
    up = door.dial(keys, name="up")

    def said_down() -> Any:
        for topic in ("other", "down"):
            up.publish(topic, "liar", b"to " + topic.encode())
        return door.subscriber.receive()

    def said_up() -> Any:
        for topic in ("other", "up"):
            door.publisher.publish(topic, "down", b"to " + topic.encode())
        return up.hear()

    assert door.next(said_down) == ("up", b"to down"), "its key says who it is, not its frame"
    assert door.next(said_up) == b"to up"


def test_one_that_is_not_allowed_or_meets_another_key_is_not_heard(door: Door) -> None:
    stranger, friend = make_keys(), make_keys()
    door.zap.allow("friend", friend.public)
    door.dial(stranger).send(b"from a stranger")
    door.dial(friend, server=stranger.public).send(b"to another server")
    door.dial(friend).send(b"from a friend")
    assert door.next(door.router.receive) == ("friend", b"from a friend", None)
    assert door.until(lambda: door.zap.refused > 0)
    assert door.router.receive() is None


def test_an_address_of_another_machine_cannot_be_bound() -> None:
    owner = context()
    with pytest.raises(OSError, match=r"^cannot listen at 192\.0\.2\.1: "):
        RemotePublisher(owner, "192.0.2.1", make_keys())
    owner.term()
