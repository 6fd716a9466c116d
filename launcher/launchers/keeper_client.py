"""Sessions by the keeper of a standing Federation: its connector leads to the host servers.

Nothing is started for that, and nobody logs in: a session is a connection to the socket of the keeper's connector. It
says first which host is meant, and what is to run there. Without a host it is a watch
(:mod:`fedfutures_launcher.connector.watch`).
"""

from __future__ import annotations

import socket
import time

from fedfutures.errors import RemoteProtocolError
from fedfutures.host.greeting import Greeting, line
from fedfutures.wire.control import ControlFrame, HostStarted, OpenSession, StartRefused, WatchHosts
from fedfutures.wire.framing import decode, pack

from ..ssh.client import Client
from ..ssh.configuration import Unusable
from ..ssh.session import Session
from ..ssh.texts import failures
from .socket_session import hang_up, join_socket
from .table import KEEPER

ANSWER_SECONDS = 8.0
COME_SECONDS = 5.0
AGAIN_SECONDS = 0.1


class KeeperClient(Client):
    """Starts sessions at the socket of a keeper's connector."""

    name = KEEPER

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def serve(self, session: Session) -> None:
        """As that of :class:`Client`."""
        host = session.target.name
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            session.on_close(lambda: hang_up(connection))
            try:
                self._come(session, connection)
                wanted = OpenSession(0, host, session.target.command) if host else WatchHosts()
                connection.sendall(line() + pack(wanted))
                answer = _answer(connection)
            except (OSError, RemoteProtocolError) as error:
                raise Unusable(failures.KEEPER_AWAY(host, str(error))) from None
            if not isinstance(answer, HostStarted):
                why = answer.reason if isinstance(answer, StartRefused) else f"{type(answer).__name__} has come"
                raise Unusable(failures.KEEPER_REFUSES(host, why))
            session.on_connected()
            join_socket(session, connection)

    def _come(self, session: Session, connection: socket.socket) -> None:
        """Connect; the connector may have been killed, and be there again in a moment."""
        deadline = time.monotonic() + COME_SECONDS
        while True:
            try:
                return connection.connect(self._path)
            except (ConnectionRefusedError, FileNotFoundError):
                if session.closed or time.monotonic() > deadline:
                    raise
                session.pause(AGAIN_SECONDS)


def _answer(connection: socket.socket) -> ControlFrame:
    """Return the frame that answers, and read nothing of what follows it."""
    greeting = Greeting()
    while not greeting.is_over:
        greeting.feed(_exactly(connection, 1))
    return decode(_exactly(connection, int.from_bytes(_exactly(connection, 4), "big")))


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionResetError("it has hung up")
        data += more
    return data
