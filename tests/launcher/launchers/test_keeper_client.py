"""Sessions by the keeper: at the socket of its connector. What is behind it: tests/hosts/test_standing_hosts.py."""

from __future__ import annotations

import os
import select
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedfutures.host.greeting import Greeting, line
from fedfutures.wire.control import ControlFrame, HostStarted, OpenSession, StartRefused
from fedfutures.wire.framing import FrameReader, pack
from fedfutures_launcher.launchers.keeper_client import KeeperClient
from fedfutures_launcher.ssh.session import LoginTarget, Session

pytestmark = pytest.mark.host


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory) / "sessions"


def behind(path: Path, answer: ControlFrame, after: bytes = b"") -> Callable[[], list[ControlFrame]]:
    """Let somebody answer at this socket, and say more; return what hears what was said to him."""
    door, heard = socket.socket(socket.AF_UNIX), list[ControlFrame]()
    door.bind(str(path))
    door.listen()

    def serve() -> None:
        connection, _ = door.accept()
        greeting, reader = Greeting(), FrameReader()
        connection.sendall(line())
        while not heard:
            heard.extend(reader.feed(greeting.feed(connection.recv(1 << 16))))
        connection.sendall(pack(answer) + after)
        connection.close()
        door.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return lambda: (thread.join(10), heard)[1]


def session_at(path: Path) -> Session:
    return KeeperClient(str(path)).start(LoginTarget("h2", "h2", command="run this"))


def read_all(session: Session) -> bytes:
    data = b""
    while select.select([session.read_fd], [], [], 10)[0] and (more := os.read(session.read_fd, 1 << 16)):
        data += more
    return data


def test_a_session_is_a_stream_to_the_host(path: Path) -> None:
    heard = behind(path, HostStarted(0), b"hello from there")
    assert read_all(session_at(path)) == b"hello from there"
    assert heard() == [OpenSession(0, "h2", "run this")]


def test_a_host_that_the_keeper_does_not_reach(path: Path) -> None:
    heard = behind(path, StartRefused("it cannot be reached", 3, {}))
    session = session_at(path)
    assert read_all(session) == b""
    heard()
    assert session.failure is not None
    assert session.failure.kind == "keeper refuses"
    assert "it cannot be reached" in str(session.failure)
