"""The door for those who come by TCP with a key, and the client that comes to it."""

from __future__ import annotations

import re
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from launching import free_port

from fedfutures.errors import StartFailed
from fedfutures.standing.places import StandingPlace
from fedfutures.wire.control import StartRefused, StatusWanted
from fedfutures_launcher.connector import key_door
from fedfutures_launcher.connector.access import client_to
from fedfutures_launcher.connector.key_door import KeyDoor
from fedfutures_launcher.connector.listening import listen_of
from fedfutures_launcher.hosts.spec import UNSAID
from fedfutures_launcher.launchers.keeper_visit import KeeperVisit, far_place
from fedfutures_launcher.ssh.known_hosts import fingerprint
from fedfutures_launcher.ssh.own_keys import AllowedKeys, loaded, made, public_line, usual_path

pytestmark = pytest.mark.host


class Doorway:
    """A door on loopback of a Federation that does not stand; a thread lets in who comes."""

    def __init__(self) -> None:
        self.place = StandingPlace("lab")
        self.port = free_port()
        self.listen = listen_of(self.place, f"127.0.0.1:{self.port}")
        self.word = f"tcp://127.0.0.1:{self.port}/lab#{self.listen['key']}"
        self.allowed = AllowedKeys(self.place.path)
        self._poller, self._over = select.poll(), False
        self.door = KeyDoor(self.listen, self._poller)
        assert self.door.tick(0.0) == ""
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while not self._over:
            for descriptor, _ in self._poller.poll(20):
                assert self.door.serve(descriptor)

    def close(self) -> None:
        """End it; also twice."""
        self._over = True
        self._thread.join()
        self.door.close()

    def ask(self, word: str = "") -> Any:
        """Return what is answered to one who comes with this user's key."""
        place = far_place(word or self.word)
        client = client_to(place, UNSAID, 5.0)
        try:
            visit = KeeperVisit(client, place, 10.0)
            try:
                return visit.ask(StatusWanted())
            finally:
                visit.session.close()
        finally:
            client.close()


@pytest.fixture
def doorway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doorway]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    made = Doorway()
    yield made
    made.close()


def own_line() -> str:
    made(usual_path())
    return public_line(loaded(usual_path()))


def test_only_a_key_that_is_allowed_comes_to_the_bridge(doorway: Doorway) -> None:
    with pytest.raises(StartFailed, match="there is no key"):
        doorway.ask()
    line = own_line()
    with pytest.raises(
        StartFailed, match=f"lab does not let this key in.*fedfutures allow lab '{re.escape(line[:40])}"
    ):
        doorway.ask()
    doorway.allowed.add(line)
    answer = doorway.ask()
    assert isinstance(answer, StartRefused), answer
    assert "no Federation named lab stands" in answer.reason, "the bridge has said so"
    with pytest.raises(StartFailed, match="does not let this key in"):
        doorway.ask(doorway.word.replace("/lab#", "/other#"))
    doorway.allowed.remove(line)
    with pytest.raises(StartFailed, match="does not let this key in"):
        doorway.ask()


def test_the_address_says_which_key_the_server_has(doorway: Doorway) -> None:
    doorway.allowed.add(own_line())
    wrong = "SHA256:" + "A" * 43
    with pytest.raises(StartFailed, match=re.escape(f"{doorway.listen['key']}, and not {wrong}")):
        doorway.ask(doorway.word.partition("#")[0] + "#" + wrong)


def logged_in(doorway: Doorway) -> paramiko.Transport:
    """Return a connection as any ssh client makes it."""
    transport = paramiko.Transport(("127.0.0.1", doorway.port))
    transport.connect(username="lab", pkey=loaded(usual_path()))
    return transport


def test_there_is_no_shell_no_forwarding_and_no_file_transfer(doorway: Doorway) -> None:
    doorway.allowed.add(own_line())
    transport = logged_in(doorway)
    try:
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1), timeout=5)
        with pytest.raises(paramiko.SSHException):
            transport.request_port_forward("127.0.0.1", 0)
        for ask in ("invoke_shell", "get_pty"):
            with pytest.raises(paramiko.SSHException):
                getattr(transport.open_session(timeout=5), ask)()
        with pytest.raises(paramiko.SSHException):
            transport.open_session(timeout=5).invoke_subsystem("sftp")
        channel = transport.open_session(timeout=5)
        channel.exec_command("touch /tmp/elsewhere; echo mine")
        assert b"fedfutures" in channel.recv(1 << 16), "whatever is asked for, the bridge runs"
    finally:
        transport.close()


def test_a_key_that_is_revoked_loses_its_connections_and_begins_no_session(doorway: Doorway) -> None:
    line = own_line()
    doorway.allowed.add(line)
    transport, other = logged_in(doorway), logged_in(doorway)
    channel = transport.open_session(timeout=5)
    channel.exec_command("")
    assert channel.recv(1)
    (key,) = doorway.allowed.remove(line)
    session = other.open_session(timeout=5)
    with pytest.raises(paramiko.SSHException):
        session.exec_command("")
    assert doorway.door.revoke("SHA256:another") == 0
    assert doorway.door.revoke(key) == 2
    for one in (transport, other):
        one.join(5)
        assert not one.is_alive()
    assert doorway.door.revoke(key) == 0
    assert key == fingerprint(loaded(usual_path()).asbytes())


def test_strangers_cost_nothing_and_no_time(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_door, "LOGIN_SECONDS", 1.0)
    doorway.allowed.add(own_line())
    strangers = [socket.create_connection(("127.0.0.1", doorway.port)) for _ in range(key_door.STRANGERS_AT_MOST - 1)]
    strangers[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
    strangers[1].sendall(b"SSH-2.0-x\r\n" + bytes(range(256)) * 64)
    assert isinstance(doorway.ask(), StartRefused), "others do not wait for them"
    strangers += [socket.create_connection(("127.0.0.1", doorway.port)) for _ in range(5)]
    for stranger in strangers:
        stranger.settimeout(10)
        with stranger:
            try:
                while stranger.recv(1 << 16):
                    pass
            except ConnectionError:
                pass
    assert isinstance(doorway.ask(), StartRefused)


def test_one_who_knows_a_public_key_alone_is_a_stranger(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_door, "LOGIN_SECONDS", 1.0)
    doorway.allowed.add(own_line())
    made("other")

    class Liar(paramiko.Ed25519Key):  # type: ignore[misc]
        """Shows the key that is allowed, and signs with another one."""

        def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> Any:
            return loaded("other").sign_ssh_data(data, algorithm)

    transport = paramiko.Transport(("127.0.0.1", doorway.port))
    transport.start_client(timeout=5)
    with pytest.raises(paramiko.AuthenticationException):
        transport.auth_publickey("lab", Liar.from_private_key_file(usual_path()))
    with pytest.raises(paramiko.SSHException):
        transport.open_session(timeout=0.5)
    transport.join(5)
    assert not transport.is_alive(), "it was hung up on as all others who prove nothing"


def test_a_port_that_is_taken_is_said(doorway: Doorway) -> None:
    second = KeyDoor(doorway.listen, select.poll())
    problem = f"nobody can listen on 127.0.0.1 port {doorway.port}: Address already in use"
    assert [second.tick(at) for at in (0.0, 1.0, 6.0, 7.0)] == [problem, "", problem, ""]
    doorway.close()
    assert second.tick(12.0) == ""
    assert not second.serve(0)
    second.close()


def test_where_nobody_may_come_nobody_listens() -> None:
    door = KeyDoor({}, select.poll())
    assert door.tick(1.0) == ""
    assert not door.serve(0)
    assert door.revoke("SHA256:x") == 0
    door.close()
