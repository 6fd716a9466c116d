"""Sessions on hosts that come by themselves: to the keeper of a standing Federation, from a batch job for instance.

Such a host runs ``fedfutures join``: it has come to the keeper's connector, which hands its connection over. A session
begins when the host is there, and what it is to run is said on the connection: this is ssh the other way round.
"""

from __future__ import annotations

import contextlib
import socket
import threading

from fedfutures.wire.control import OpenSession
from fedfutures.wire.framing import pack

from ..ssh.client import Client
from ..ssh.session import Session
from .client import look_up
from .socket_session import hang_up, join_socket
from .table import JOIN

BEGIN, COME_BACK = 0, 2
"""What a session is for, in the frame that begins it (:class:`~fedfutures.wire.control.OpenSession`)."""


class JoinClient(Client):
    """The hosts that have come, and for which no session has begun; sessions that wait for hosts."""

    name = JOIN

    def __init__(self) -> None:
        super().__init__()
        self._connections: dict[str, socket.socket] = {}  # by host
        self._changed = threading.Condition()

    def arrive(self, host: str, connection: socket.socket) -> None:
        """A host has come; a connection of the same host that nobody has taken is closed."""
        with self._changed:
            if (former := self._connections.pop(host, None)) is not None:
                former.close()
            self._connections[host] = connection
            self._changed.notify_all()

    def serve(self, session: Session) -> None:
        """As that of :class:`Client`."""
        session.on_close(self._wake)
        connection = self._wait_for(session)
        if connection is None:
            return
        with connection, contextlib.suppress(OSError):
            session.on_close(lambda: hang_up(connection))
            stream = COME_BACK if session.target.returns else BEGIN
            connection.settimeout(None)
            connection.sendall(pack(OpenSession(stream, session.target.name, session.target.command)))
            session.on_connected()
            threading.Thread(target=look_up, args=(session, session.target.host), daemon=True).start()
            join_socket(session, connection)

    def close(self) -> None:
        """As that of :class:`Client`."""
        super().close()
        with self._changed:
            while self._connections:
                self._connections.popitem()[1].close()

    def _wait_for(self, session: Session) -> socket.socket | None:
        """Wait until the session's host has come; None: the session is closed."""
        with self._changed:
            self._changed.wait_for(lambda: session.closed or session.target.name in self._connections)
            return None if session.closed else self._connections.pop(session.target.name)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
