"""The door of a standing Federation for those who come by TCP, with a key that was allowed: an ssh server of its own.

It runs nothing but the bridge that ssh would run (:mod:`fedfutures.standing.bridge`): there is no shell, no forwarding
and no file transfer. Each connection has a thread of paramiko's, and one of :class:`KeyGuest`.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from fedfutures.errors import StartFailed
from fedfutures.standing.bridge import KEY
from fedfutures.standing.places import StandingPlace

from ..ssh.dialling import SILENCE_MILLISECONDS
from ..ssh.known_hosts import fingerprint
from ..ssh.own_keys import AllowedKeys, loaded
from ..ssh.paramiko_client import KEEPALIVE_SECONDS, silence_logging
from ..ssh.texts.command import bridge_command
from .listening import server_key

LOGIN_SECONDS = 10.0
"""Who has not shown a key by then is hung up on."""
GUESTS_AT_MOST = 512
STRANGERS_AT_MOST = 20
"""So many may be about to show a key."""
SESSIONS_AT_MOST = 64
"""Of one connection."""
LOOK_SECONDS = 1.0
AGAIN_SECONDS = 5.0
"""Between two attempts to listen."""
BACKLOG = 64
READ_BYTES = 1 << 16


class KeyDoor:
    """The listening socket, and who has come. `listen` has its address and port, and the place that is recorded.

    It is polled by `poller`. {}: nobody may come, and :meth:`tick` does nothing.
    """

    def __init__(self, listen: Mapping[str, Any], poller: select.poll) -> None:
        self._listen, self._poller = listen, poller
        self._due: float | None = 0.0 if listen else None  # when to listen
        self._socket: socket.socket | None = None
        self._guests: list[KeyGuest] = []

    def tick(self, now: float) -> str:
        """Listen, if it is time to; return why nobody can, "" otherwise. It is tried again after a while."""
        if self._due is None or now < self._due:
            return ""
        address, port = str(self._listen["address"]), int(self._listen["port"])
        self._due = now + AGAIN_SECONDS
        try:
            self._place = StandingPlace.at(self._listen["place"])
            self._key, self._allowed = loaded(server_key(self._place)), AllowedKeys(self._place.path)
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._socket = socket.create_server((address, port), family=family, backlog=BACKLOG)
        except StartFailed as error:
            return error.summary
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            return f"nobody can listen on {address or 'all addresses'} port {port}: {why}"
        self._due = None
        silence_logging()
        self._socket.setblocking(False)
        self._poller.register(self._socket, select.POLLIN)
        return ""

    def serve(self, descriptor: int) -> bool:
        """Let somebody show a key, if it is this door's descriptor; return whether it is."""
        if self._socket is None or descriptor != self._socket.fileno():
            return False
        try:
            connection, peer = self._socket.accept()
        except OSError:
            return True
        self._guests = [guest for guest in self._guests if guest.is_alive()]
        strangers = sum(not guest.is_known for guest in self._guests)
        if len(self._guests) >= GUESTS_AT_MOST or strangers >= STRANGERS_AT_MOST:
            connection.close()
            return True
        try:
            guest = KeyGuest(connection, peer, self._place.name, self._key, self._allowed)
            guest.start()
        except (OSError, RuntimeError) as error:  # it has gone, or the machine has no room for a thread
            connection.close()
            print(f"fedfutures: {peer[0]} is not let in: {error}", file=sys.stderr)
            return True
        self._guests.append(guest)
        return True

    def revoke(self, key: str) -> int:
        """End the connections of a key, by its fingerprint; return how many there were."""
        found = [guest for guest in self._guests if guest.key == key and guest.is_open]
        for guest in found:
            guest.end()
        return len(found)

    def close(self) -> None:
        """End all connections, and listen no more."""
        if self._socket is not None:
            self._socket.close()
        for guest in self._guests:
            guest.end()


class KeyGuest(threading.Thread):
    """One who has come: `key` is the fingerprint of an allowed key that it says it has, "" before that."""

    def __init__(
        self, connection: socket.socket, peer: tuple[Any, ...], name: str, server_key: Any, allowed: AllowedKeys
    ) -> None:  # fmt: skip
        import paramiko

        super().__init__(name=f"guest {peer[0]}", daemon=True)
        self.key = ""
        self._shown = b""  # the key itself
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MILLISECONDS)
        self._connection, self._peer, self._name, self._allowed = connection, peer, name, allowed
        self._transport = paramiko.Transport(connection)
        self._transport.add_server_key(server_key)
        self._transport.set_keepalive(KEEPALIVE_SECONDS)
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self) -> None:
        """Serve until either side ends."""
        deadline = time.monotonic() + LOGIN_SECONDS
        try:
            self._transport.start_server(event=threading.Event(), server=_key_check(self))
            while self.is_open and (self.is_known or time.monotonic() < deadline):
                self._transport.join(LOOK_SECONDS if self.is_known else LOOK_SECONDS / 4)
        except Exception as error:  # the library raises much for what is no ssh
            print(f"fedfutures: {self.name}: {error!r}", file=sys.stderr)
        finally:
            self.end()

    @property
    def is_known(self) -> bool:
        """Whether it has proved that it has the key: anybody may say so of a public one."""
        return bool(self._transport.is_authenticated())

    @property
    def is_open(self) -> bool:
        """Whether the connection is there."""
        return bool(self._transport.is_active())

    def end(self) -> None:
        """End the connection, and what runs for it."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._transport.close()
        for process in self._processes:
            process.kill()

    def admits(self, name: str, key: Any) -> bool:
        """Whether a key is allowed here; if it is, this guest has still to prove that it has it."""
        if name != self._name or not self._allowed.has(key.asbytes()):
            return False
        self.key, self._shown = fingerprint(key.asbytes()), key.asbytes()
        return True

    def begin(self, channel: Any) -> bool:
        """Run the bridge, with a channel as its standard input and output."""
        self._processes = [process for process in self._processes if process.poll() is None]
        if len(self._processes) >= SESSIONS_AT_MOST or not self._allowed.has(self._shown):
            return False
        ours, theirs = socket.socketpair()
        here = self._connection.getsockname()
        environment = {**os.environ, KEY: self.key, "SSH_CONNECTION": " ".join(map(str, (*self._peer[:2], *here[:2])))}
        with theirs:
            try:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", bridge_command([sys.executable], self._name)], stdin=theirs.fileno(),
                    stdout=theirs.fileno(), env=environment, start_new_session=True,
                )  # fmt: skip
            except OSError:
                ours.close()
                return False
        self._processes.append(process)
        threading.Thread(target=_to_process, args=(channel, ours), daemon=True).start()
        threading.Thread(target=_to_channel, args=(ours, channel, process), daemon=True).start()
        return True


def _key_check(guest: KeyGuest) -> Any:
    """Return what says to paramiko what a connection may do: show a key, and have the bridge run; nothing else."""
    import paramiko

    class KeyCheck(paramiko.ServerInterface):  # type: ignore[misc]
        def get_allowed_auths(self, username: str) -> str:
            return "publickey"

        def check_auth_publickey(self, username: str, key: Any) -> Any:
            return paramiko.AUTH_SUCCESSFUL if guest.admits(username, key) else paramiko.AUTH_FAILED

        def check_channel_request(self, kind: str, chanid: int) -> Any:
            refused = paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
            return paramiko.OPEN_SUCCEEDED if kind == "session" and guest.is_known else refused

        def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
            return guest.begin(channel)

    return KeyCheck()


def _to_process(channel: Any, connection: socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := channel.recv(READ_BYTES):
            connection.sendall(data)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


def _to_channel(connection: socket.socket, channel: Any, process: subprocess.Popen[bytes]) -> None:
    with connection, contextlib.suppress(OSError, EOFError):
        while data := connection.recv(READ_BYTES):
            channel.sendall(data)
    code = process.wait()
    with contextlib.suppress(Exception):  # the connection may have ended, in any of the library's ways
        channel.send_exit_status(code if code >= 0 else 128 - code)
        channel.close()
