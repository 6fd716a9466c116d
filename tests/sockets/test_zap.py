"""The ZAP handler: who is let in by its answers, and that nobody is without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from fedfutures.sockets.keys import Keys, make_keys
from fedfutures.sockets.options import present, tcp
from fedfutures.sockets.remote import RemoteRouter
from fedfutures.sockets.sockets import context
from fedfutures.sockets.zap import ZapHandler

pytestmark = pytest.mark.host
ADDRESS = "127.0.0.1"


class House:
    """A router with a handler, which knows one key, and a socket that knocks with that key."""

    def __init__(self) -> None:
        self.contexts = [context(), context()]
        self.own, self.guest = make_keys(), make_keys()
        self.knocking: list[zmq.Socket[bytes]] = []

    def begin(self, *, elsewhere: bool = False) -> None:
        """`elsewhere`: the handler is of another context."""
        self.zap = ZapHandler(self.contexts[elsewhere])
        self.zap.allow("guest", self.guest.public)
        self.zap.open()
        self.router = RemoteRouter(self.contexts[0], ADDRESS, self.own, self.zap)

    def knock(self, keys: Keys) -> None:
        socket = self.contexts[0].socket(zmq.DEALER)
        self.knocking.append(socket)
        present(socket, keys, self.own.public)
        socket.connect(tcp(ADDRESS, self.router.port))
        socket.send(b"x")

    def received(self) -> Any:
        """Return what comes in while the handler is served."""
        for _ in range(100):
            self.zap.serve()
            if self.router.raw.poll(10):
                return self.router.receive()
        return None


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.zap.close()
    made.router.close()
    for socket in made.knocking:
        socket.close(0)
    for each in made.contexts:
        each.destroy(linger=0)


def test_who_holds_an_allowed_key_is_known_by_its_name(house: House) -> None:
    house.begin()
    house.knock(house.guest)
    assert house.received() == ("guest", b"x", None)
    assert (house.zap.admitted, house.zap.refused) == (1, 0)


def test_who_holds_another_key_is_refused(house: House) -> None:
    house.begin()
    house.knock(make_keys())
    assert house.received() is None
    assert (house.zap.admitted, house.zap.refused) == (0, 1)


def test_a_name_has_one_key_at_a_time(house: House) -> None:
    house.begin()
    house.zap.allow("guest", "another key")
    assert (house.zap.name_of(house.guest.public), house.zap.name_of("another key")) == (None, "guest")
    house.zap.forbid("guest")
    house.zap.forbid("nobody")
    assert house.zap.name_of("another key") is None


def test_a_handler_that_hangs_lets_nobody_in(house: House) -> None:
    house.begin()
    house.knock(house.guest)
    assert not house.router.raw.poll(300)
    assert house.received() == ("guest", b"x", None), "it goes on, and so does its neighbour"


def test_a_handler_that_is_gone_lets_nobody_in(house: House) -> None:
    house.begin()
    house.zap.close()
    house.knock(house.guest)
    assert not house.router.raw.poll(300)


def test_a_handler_of_another_context_lets_nobody_in(house: House) -> None:
    house.begin(elsewhere=True)
    house.knock(house.guest)
    assert house.received() is None
    assert house.zap.admitted == 0
