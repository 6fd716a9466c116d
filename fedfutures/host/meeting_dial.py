"""Dialling the launching side that a host was invited to meet (:mod:`.meeting`)."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import time
from collections.abc import Iterable

from .invitation import WELCOME, Invitation
from .secure_line import SecureLine

ADDRESS_SECONDS = 4.0
"""So long the addresses are tried, before the names are."""
GREETING_SECONDS = 3.0


def dial(invitation: Invitation, deadline: float, tried: list[str]) -> SecureLine | None:
    """Return a line to who invites; None: nobody answers who shows the certificate. `tried` gets the reasons."""
    line = _first(invitation, invitation.addresses, min(deadline, time.monotonic() + ADDRESS_SECONDS), tried)
    for name in invitation.names:
        if line is not None:
            break
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            tried.append(f"{name}: {getattr(error, 'strerror', None) or error}")
            continue
        new = sorted({str(place[4][0]) for place in found} - set(invitation.addresses))
        line = _first(invitation, new, deadline, tried)
    return line


def _first(invitation: Invitation, addresses: Iterable[str], deadline: float, tried: list[str]) -> SecureLine | None:
    """Dial all addresses at the same time; return a line to the first one that is right.

    Several hosts may have the same private address, so that one that answers may be another.
    """
    dialled = {}
    poller = select.poll()
    for address in addresses:
        try:
            connection = _begin(address, invitation.port)
        except OSError as error:
            tried.append(f"{address}: {error.strerror}")
            continue
        dialled[connection.fileno()] = connection, address
        poller.register(connection, select.POLLOUT)
    line = None
    while dialled and line is None and (rest := deadline - time.monotonic()) > 0:
        for number, _ in poller.poll(rest * 1000)[:1]:
            connection, address = dialled.pop(number)
            poller.unregister(number)
            code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            line = None if code else _greet(invitation, connection, deadline)
            if line is None:
                tried.append(f"{address}: {os.strerror(code) if code else 'somebody else answers there'}")
                connection.close()
    for connection, address in dialled.values():
        tried.append(f"{address}: no answer")
        connection.close()
    return line


def _begin(address: str, port: int) -> socket.socket:
    """Begin to connect. Raises OSError, as where there is no IPv6."""
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        with contextlib.suppress(BlockingIOError):
            connection.connect((address, port))
    except OSError:
        connection.close()
        raise
    return connection


def _greet(invitation: Invitation, connection: socket.socket, deadline: float) -> SecureLine | None:
    """Check the certificate, say the secret and hear the welcome; None if any of it fails."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # this very certificate is meant, whatever its name
    context.load_verify_locations(cadata=invitation.certificate)
    line, has_said = SecureLine(connection, context, listens=False), False
    deadline = min(deadline, time.monotonic() + GREETING_SECONDS)
    while (rest := deadline - time.monotonic()) > 0:
        answer = line.receive(len(WELCOME))
        if line.shaken and not has_said:
            line.send(invitation.secret.encode())
            has_said = True
        if answer or line.ended:
            return line if answer == WELCOME and not line.ended else None
        poller = select.poll()
        poller.register(connection, line.events)
        poller.poll(rest * 1000)
    return None
