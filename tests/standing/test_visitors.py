"""One connection at the door."""

from __future__ import annotations

import os
import select
import socket

import pytest

from fedfutures.errors import RemoteProtocolError
from fedfutures.host.greeting import line
from fedfutures.standing.visitors import DoorVisitor
from fedfutures.wire.control import Heartbeat, StatusWanted
from fedfutures.wire.framing import pack


def test_frames_come_behind_the_greeting_and_bring_descriptors() -> None:
    here, there = socket.socketpair()
    visitor = DoorVisitor(here, select.poll(), 0.0)
    assert there.recv(1000) == line()
    assert visitor.pid == os.getpid()
    assert visitor.receive() == []
    there.send(line()[:5])
    assert visitor.receive() == []
    socket.send_fds(there, [line()[5:] + pack(StatusWanted())], [0, 1])
    assert visitor.receive() == [StatusWanted()]
    streams = visitor.take_streams()
    assert len(streams) == 2
    assert visitor.take_streams() == []
    for stream in streams:
        os.close(stream)
    visitor.send(Heartbeat())
    visitor.flush()
    assert not visitor.has_unsent
    assert there.recv(1000) == pack(Heartbeat())
    there.close()
    assert visitor.receive() is None
    visitor.close()


def test_what_is_no_fedfutures() -> None:
    here, there = socket.socketpair()
    visitor = DoorVisitor(here, select.poll(), 0.0)
    there.send(b"SSH-2.0\r\n")
    with pytest.raises(RemoteProtocolError, match="no fedfutures"):
        visitor.receive()
    visitor.close()
    there.close()
