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
from fedfutures.wire.control import ControlFrame, OpenSession, StartRefused
from fedfutures.wire.framing import FrameReader, pack
from fedfutures_launcher.connector.keeping import KeeperConnector, begin

from .requests import request_of

pytestmark = pytest.mark.host


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
        greeting, reader, heard = Greeting(), FrameReader(), list[ControlFrame]()
        while not heard:
            heard += reader.feed(greeting.feed(visitor.recv(1 << 16)))
        theirs.close()  # the keeper has ended
        thread.join(20)
        assert not thread.is_alive()
        assert heard == [StartRefused("the keeper has no way to host elsewhere: it is none of its hosts", 3, {})]
        visitor.close()
    ours.close()
