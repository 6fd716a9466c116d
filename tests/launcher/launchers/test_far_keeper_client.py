"""Sessions by a keeper on another machine. What is behind it is real in tests/hosts/test_coming_hosts.py."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest

from fedfutures.wire.control import ControlFrame, HostStarted, OpenSession, StartRefused, WatchHosts
from fedfutures_launcher.launchers.far_keeper_client import FarKeeperClient
from fedfutures_launcher.launchers.keeper_visit import far_place
from fedfutures_launcher.ssh.session import LoginTarget, Session

from ..connector.far_hosts import FarHosts

pytestmark = pytest.mark.host


@pytest.fixture
def far() -> Iterator[FarHosts]:
    made = FarHosts()
    made.before = lambda host: host.say_hello()
    yield made
    for host in made.sessions:
        if host.session is not None:
            host.end()
    made.close()


def read(session: Session, count: int) -> bytes:
    data = b""
    while len(data) < count and select.select([session.read_fd], [], [], 5)[0]:
        data += os.read(session.read_fd, count - len(data)) or b"the end"
    return data


def heard(far: FarHosts) -> list[ControlFrame]:
    frames: list[ControlFrame] = []
    while not frames:
        frames = far.last.heard() if far.sessions else []
    return frames


def test_a_session_is_one_at_the_keeper(far: FarHosts) -> None:
    client = FarKeeperClient(far, far_place("ann@login:lab"))
    session = client.start(LoginTarget("h2", "h2", command="run this"))
    assert heard(far) == [OpenSession(0, "h2", "run this")]
    assert (far.last.target.user, far.last.target.host) == ("ann", "login")
    far.last.say(HostStarted(0))
    far.last.write(b"hello from there")
    assert read(session, 16) == b"hello from there"
    assert session.connected
    far.last.end()
    assert read(session, 7) == b"the end"
    client.close()


def test_one_without_a_host_is_a_watch_and_a_refusal_is_said(far: FarHosts) -> None:
    client = FarKeeperClient(far, far_place("login:lab"))
    session = client.start(LoginTarget("", ""))
    assert heard(far) == [WatchHosts()]
    far.last.say(StartRefused("it was taken down", 2, {}))
    assert read(session, 7) == b"the end"
    assert session.failure is not None
    assert "it was taken down" in session.failure.text
    client.close()
