"""Joins a session to a connection: what comes from either goes to the other, until one of them ends."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable

from fedfutures.host.system import write_all

from ..ssh.session import Session

CHUNK_BYTES = 1 << 16


def join(session: Session, read: int, write: int, hang_up: Callable[[], object]) -> None:
    """Pass bytes both ways until either side ends; either direction may have to wait for the other side.

    `read` and `write` are the connection's descriptors, which block; `hang_up` ends it.
    """
    source, sink = os.dup(session.input), os.dup(write)  # before this thread may end, and close them
    threading.Thread(target=_send, args=(source, sink, hang_up), name=f"to {session.target.name}", daemon=True).start()
    with contextlib.suppress(OSError):
        while data := os.read(read, CHUNK_BYTES):
            write_all(session.output, memoryview(data))


def join_socket(session: Session, connection: socket.socket) -> None:
    """The same for a socket."""
    connection.settimeout(None)
    join(session, connection.fileno(), connection.fileno(), lambda: hang_up(connection))


def _send(source: int, sink: int, hang_up: Callable[[], object]) -> None:
    """Pass on what comes from `source` to `sink`, and close both."""
    poller = select.poll()
    poller.register(source, select.POLLIN)
    with contextlib.suppress(OSError):
        while poller.poll() and (data := os.read(source, CHUNK_BYTES)):
            write_all(sink, memoryview(data))
    os.close(source)
    os.close(sink)
    hang_up()


def hang_up(connection: socket.socket) -> None:
    """End the connection for both directions; whoever waits for it goes on."""
    with contextlib.suppress(OSError):  # it has ended
        connection.shutdown(socket.SHUT_RDWR)
