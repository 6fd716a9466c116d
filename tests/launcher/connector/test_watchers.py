"""The programs that hear which hosts there are."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

import pytest

from fedfutures.host.greeting import Greeting
from fedfutures.standing.visitors import DoorVisitor
from fedfutures.wire.control import HostsThere
from fedfutures.wire.framing import FrameReader
from fedfutures_launcher.connector.watchers import Watchers


@pytest.fixture
def pairs() -> Iterator[list[tuple[DoorVisitor, socket.socket]]]:
    made = []
    for _ in range(2):
        ours, theirs = socket.socketpair()
        theirs.settimeout(5)
        made.append((DoorVisitor(ours, select.poll(), time.monotonic() + 5), theirs))
    yield made
    for visitor, theirs in made:
        visitor.close()
        theirs.close()


def test_they_hear_and_say_how_much_they_want(pairs: list[tuple[DoorVisitor, socket.socket]]) -> None:
    watchers = Watchers()
    assert watchers.news() == 0, "whoever has listened to another connector hears that nobody is here"
    assert watchers.news() is None
    (one, its_end), (other, _) = pairs
    watchers.add(one)
    watchers.add(other)
    assert watchers.news() is None
    watchers.want(one, 3)
    watchers.want(other, 4)
    assert watchers.news() == 7
    watchers.tell(HostsThere({}))
    greeting = Greeting()
    assert FrameReader().feed(greeting.feed(its_end.recv(1 << 16))) == [HostsThere({})]
    watchers.discard(other)
    watchers.discard(other)
    assert (watchers.news(), one in watchers, other in watchers) == (3, True, False)
