"""The line of a joined run to its host server, which may come and go."""

from __future__ import annotations

import os
import select
import socket
import tempfile
from collections.abc import Iterator

import pytest

from fedfutures.host.greeting import line
from fedfutures.host.server_line import AGAIN_SECONDS, ServerLine
from fedfutures.wire.control import ControlFrame, ResizeHost, RunReport
from fedfutures.wire.framing import FrameReader, pack


@pytest.fixture
def door() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        yield os.path.join(directory, "door")


def listener(door: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    found.bind(door)
    found.listen(4)
    return found


def frames_of(connection: socket.socket) -> list[ControlFrame]:
    data = connection.recv(1 << 16)
    return FrameReader().feed(data.removeprefix(line()))


def test_a_run_that_has_joined_nothing_says_nothing() -> None:
    server = ServerLine("", "r", "p.py", select.poll())
    server.report(1, 1, 0.0)
    assert server.next_deadline() is None
    assert server.serve(0, select.POLLIN, 0.0) is None


def test_it_says_what_is_news_and_comes_again(door: str) -> None:
    poller = select.poll()
    server = ServerLine(door, "r", "p.py", poller)
    server.report(2, 0, 0.0)
    assert server.next_deadline() == AGAIN_SECONDS
    with listener(door) as host:
        server.report(2, 0, 0.1)  # too early
        server.report(2, 0, AGAIN_SECONDS)
        connection, _ = host.accept()
        assert frames_of(connection) == [RunReport("r", 2, 0, 0, "p.py")]
        server.report(2, 0, 1.0)
        server.report(3, 1, 1.0)
        connection.sendall(line() + pack(ResizeHost(2)))
        [(descriptor, events)] = poller.poll(1000)
        assert server.serve(descriptor, events, 1.0) == [ResizeHost(2)]
        server.report(3, 1, 1.1)  # how many it was told is news
        data = connection.recv(1 << 16)
        assert FrameReader().feed(data) == [RunReport("r", 3, 1, 0, "p.py"), RunReport("r", 3, 1, 1, "p.py")]
        connection.close()
        [(descriptor, events)] = poller.poll(1000)
        assert server.serve(descriptor, events, 2.0) == []
        assert server.next_deadline() == 2.0 + AGAIN_SECONDS
        server.report(3, 1, 3.0)
        connection, _ = host.accept()
        assert frames_of(connection) == [RunReport("r", 3, 1, 0, "p.py")]
        connection.sendall(b"nonsense\n")
        [(descriptor, events)] = poller.poll(1000)
        assert server.serve(descriptor, events, 4.0) == []
        assert server.next_deadline() == 4.0 + AGAIN_SECONDS
        connection.close()
        server.let_go()
