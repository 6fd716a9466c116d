"""A session joined to a socket: bytes both ways, and the end of either."""

from __future__ import annotations

import os
import select
import socket
import time

import pytest

from fedfutures_launcher.launchers.socket_session import join_socket
from fedfutures_launcher.ssh.client import Client
from fedfutures_launcher.ssh.session import LoginTarget, Session

pytestmark = pytest.mark.host
COUNT = 3 << 20


class Joined(Client):
    """Sessions that are joined to one end of a pair of sockets; `ours` is the other one."""

    def __init__(self) -> None:
        super().__init__()
        self.ours, self._theirs = socket.socketpair()

    def serve(self, session: Session) -> None:
        with self._theirs:
            join_socket(session, self._theirs)


def test_more_than_pipes_hold_goes_both_ways_at_once() -> None:
    client = Joined()
    session = client.start(LoginTarget("h", "h"))
    client.ours.setblocking(False)
    sent, got = {"there": 0, "back": 0}, {"there": 0, "back": 0}
    deadline = time.monotonic() + 20
    while min(got.values()) < COUNT and time.monotonic() < deadline:
        ready = select.select([client.ours, session.read_fd], [client.ours, session.write_fd], [], 1)
        if client.ours in ready[0]:
            got["there"] += len(client.ours.recv(1 << 16))
        if session.read_fd in ready[0]:
            got["back"] += len(os.read(session.read_fd, 1 << 16))
        if session.write_fd in ready[1] and sent["there"] < COUNT:
            sent["there"] += os.write(session.write_fd, bytes(1 << 16))
        if client.ours in ready[1] and sent["back"] < COUNT:
            sent["back"] += client.ours.send(bytes(1 << 16))
    assert got == sent
    session.close_input()
    client.ours.setblocking(True)
    client.ours.settimeout(5)
    assert client.ours.recv(1) == b"", "the end of the input ends the connection"
    client.ours.close()
    client.close()


def test_the_end_of_the_socket_ends_the_session() -> None:
    client = Joined()
    session = client.start(LoginTarget("h", "h"))
    client.ours.close()
    assert select.select([session.read_fd], [], [], 5)[0]
    assert os.read(session.read_fd, 1) == b""
    client.close()
