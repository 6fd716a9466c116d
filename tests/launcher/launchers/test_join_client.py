"""Hosts that come by themselves, and the sessions that wait for them."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator

import pytest

from fedfutures.wire.control import ControlFrame, OpenSession
from fedfutures.wire.framing import FrameReader
from fedfutures_launcher.launchers.join_client import BEGIN, COME_BACK, JoinClient
from fedfutures_launcher.ssh.session import LoginTarget, Session

pytestmark = pytest.mark.host


@pytest.fixture
def arrivals() -> Iterator[JoinClient]:
    made = JoinClient()
    yield made
    made.close()


class Coming:
    """A host that has come."""

    def __init__(self, arrivals: JoinClient, name: str) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(5)
        arrivals.arrive(name, theirs)

    def hear(self) -> list[ControlFrame]:
        reader, frames = FrameReader(), list[ControlFrame]()
        while not frames:
            frames = reader.feed(self.socket.recv(1 << 16))
        return frames


def read(session: Session, count: int) -> bytes:
    data = b""
    while len(data) < count and select.select([session.read_fd], [], [], 5)[0]:
        data += os.read(session.read_fd, count - len(data)) or b"the end"
    return data


@pytest.mark.parametrize("is_first", [True, False], ids=["the host", "the session"])
def test_a_session_has_the_streams_of_a_host_whoever_is_there_first(arrivals: JoinClient, *, is_first: bool) -> None:
    target = LoginTarget("n2", "n2.invalid", command="run this")
    if is_first:
        host, session = Coming(arrivals, "n2"), arrivals.start(target)
    else:
        session, host = arrivals.start(target), Coming(arrivals, "n2")
    with host.socket:
        assert host.hear() == [OpenSession(BEGIN, "n2", "run this")]
        host.socket.sendall(b"hello from there")
        assert read(session, 16) == b"hello from there"
        os.write(session.write_fd, b"and back")
        assert host.socket.recv(8) == b"and back"
        assert session.connected
    assert read(session, 7) == b"the end"


def test_a_host_comes_back(arrivals: JoinClient) -> None:
    session = arrivals.start(LoginTarget("n2", "n2.invalid", command="attach", returns=True))
    host = Coming(arrivals, "n2")
    with host.socket:
        assert host.hear() == [OpenSession(COME_BACK, "n2", "attach")]
        session.close()
        assert host.socket.recv(1) == b""


def test_of_two_connections_the_later_one_counts(arrivals: JoinClient) -> None:
    first, second, other = Coming(arrivals, "n2"), Coming(arrivals, "n2"), Coming(arrivals, "n3")
    with first.socket, second.socket, other.socket:
        assert first.socket.recv(1) == b""
        arrivals.start(LoginTarget("n2", "n2.invalid", command="x"))
        assert second.hear() == [OpenSession(BEGIN, "n2", "x")]


def test_what_nobody_has_come_for_ends_when_it_is_closed() -> None:
    arrivals = JoinClient()
    session, host = arrivals.start(LoginTarget("n2", "n2.invalid")), Coming(arrivals, "n3")
    began = time.monotonic()
    arrivals.close()
    assert time.monotonic() < began + 1.0
    assert session.over
    with host.socket:
        assert host.socket.recv(1) == b""
