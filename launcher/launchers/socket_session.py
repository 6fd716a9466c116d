"""Joins a session to a socket: what comes from either goes to the other, until one of them ends."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading

from fedfutures.host.system import write_all

from ..ssh.session import Session

CHUNK_BYTES = 1 << 16


def join(session: Session, connection: socket.socket) -> None:
    """Pass bytes both ways until either side ends; either direction may have to wait for the other side."""
    connection.settimeout(None)
    source = os.dup(session.input)  # before this thread may end, and close that
    threading.Thread(target=_send, args=(source, connection), name=f"to {session.target.name}", daemon=True).start()
    with contextlib.suppress(OSError):
        while data := connection.recv(CHUNK_BYTES):
            write_all(session.output, data)


def _send(source: int, connection: socket.socket) -> None:
    """Pass on what comes from `source`, and close that."""
    poller = select.poll()
    poller.register(source, select.POLLIN)
    with contextlib.suppress(OSError):
        while poller.poll() and (data := os.read(source, CHUNK_BYTES)):
            connection.sendall(data)
    os.close(source)
    hang_up(connection)


def hang_up(connection: socket.socket) -> None:
    """End the connection for both directions; whoever waits for it goes on."""
    with contextlib.suppress(OSError):  # it has ended
        connection.shutdown(socket.SHUT_RDWR)
