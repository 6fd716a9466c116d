"""The connector of a keeper. Its hosts and sessions are real ones in tests/hosts/test_standing_hosts.py."""

from __future__ import annotations

import dataclasses
import select
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from fedfutures.host.frame_line import FrameLine
from fedfutures.host.greeting import Greeting, line
from fedfutures.wire.control import ControlFrame, HostComes, OpenSession, StartRefused
from fedfutures.wire.framing import FrameReader, pack
from fedfutures_launcher.connector.keeping import KeeperConnector, begin

from .requests import request_of

pytestmark = pytest.mark.host


def test_who_comes_says_who_it_is() -> None:
    """A host that lies about its name, or has no life of its own, gets nothing to run."""
    poller = select.poll()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with tempfile.TemporaryDirectory() as directory:
        value = dataclasses.asdict(request_of()) | {"directory": directory, "may_be_empty": True}
        del value["settings"]
        connector = begin(value, FrameLine(ours.fileno(), ours.fileno(), poller), poller)
        thread = threading.Thread(target=connector.run)
        thread.start()
        for lie in (HostComes("../x", "life", 1, "/py"), HostComes("h", "", 1, "/py")):
            with socket.socket(socket.AF_UNIX) as visitor:
                visitor.settimeout(10)
                visitor.connect(str(Path(directory, "sessions")))
                visitor.sendall(line() + pack(lie))
                assert heard_by(visitor) == [StartRefused(f"{lie.host!r} can be no host", 2, {})]
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(10)
            visitor.connect(str(Path(directory, "sessions")))
            visitor.sendall(line() + pack(HostComes("h", "life", 1, "/py")))
            (order,) = heard_by(visitor)
            assert isinstance(order, OpenSession)
            assert (order.host, order.stream) == ("h", 0)
        theirs.close()
        thread.join(20)
        assert not thread.is_alive()
    ours.close()


def heard_by(visitor: socket.socket) -> list[ControlFrame]:
    greeting, reader, heard = Greeting(), FrameReader(), list[ControlFrame]()
    while not heard:
        heard += reader.feed(greeting.feed(visitor.recv(1 << 16)))
    return heard


def test_it_begins_with_what_a_keeper_asks_for_and_refuses_hosts_that_are_none() -> None:
    poller = select.poll()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with tempfile.TemporaryDirectory() as directory:
        value = dataclasses.asdict(request_of("h1")) | {"directory": directory}
        del value["settings"]
        connector = begin(value, FrameLine(ours.fileno(), ours.fileno(), poller), poller)
        assert isinstance(connector, KeeperConnector)
        assert connector.request.settings.serves
        visitor = socket.socket(socket.AF_UNIX)
        visitor.connect(str(Path(directory, "sessions")))
        visitor.sendall(line() + pack(OpenSession(0, "elsewhere", "x")))
        visitor.settimeout(10)
        thread = threading.Thread(target=connector.run)
        thread.start()
        heard = heard_by(visitor)
        theirs.close()  # the keeper has ended
        thread.join(20)
        assert not thread.is_alive()
        assert heard == [StartRefused("the keeper has no way to host elsewhere: it is none of its hosts", 3, {})]
        visitor.close()
    ours.close()
