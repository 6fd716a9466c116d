"""From a route to what carries the connection: a socket, a channel through an access host, or a command.

With each carrier comes a function that ends it in any state; any thread may call it, and it never blocks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from .configuration import Route, Unusable
from .session import Closable
from .texts import failures
from .texts.failures import Failure

HOP_WINDOW_BYTES = 4 << 20
LOOK_SECONDS = 0.2
SILENCE_MILLISECONDS = 15_000  # the kernel gives up a connection on which nothing is acknowledged for so long


class Carrier:
    """A channel through an access host, in the place of a socket.

    It reads all that has come at once: a transport reads a few bytes at a time, and after each read a channel copies
    the rest.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._read = memoryview(b"")
        self.settimeout = channel.settimeout
        self.send = channel.send

    def recv(self, count: int) -> bytes:
        """Read, as from a socket."""
        if not self._read:
            self._read = memoryview(self._channel.recv(HOP_WINDOW_BYTES))
        data, self._read = self._read[:count], self._read[count:]
        return bytes(data)

    def shut_down(self) -> None:
        """Give readers the end, and send nothing to the access host, which may hang."""
        self._channel.in_buffer.close()

    def close(self) -> None:
        """Close the channel."""
        with contextlib.suppress(OSError, EOFError):
            self._channel.close()

    @property
    def _closed(self) -> bool:
        return bool(self._channel.closed)


def dial(route: Route, through: Any, life: Closable, deadline: float) -> tuple[Any, Callable[[], None]]:
    """Return the carrier and what ends it; `through` is the transport to an access host. Raises Unusable."""
    if through is not None:
        carrier = Carrier(_dial_through(route, through, deadline))
        return carrier, carrier.shut_down
    if route.proxy_command is not None:
        return _dial_by_command(route.proxy_command)
    connection = _dial_directly(route, life, deadline)
    return connection, lambda: _shut_down(connection)


def _dial_directly(route: Route, life: Closable, deadline: float) -> socket.socket:
    seconds = deadline - time.monotonic()
    try:
        places = _resolve(route, life, deadline)
    except OSError as error:
        raise Unusable(failures.UNRESOLVED(route, error.strerror or str(error))) from None
    last: Failure = failures.timeout(route, seconds)
    for number, (family, kind, protocol, _, address) in enumerate(places):
        # An address that drops packets leaves time for the next one.
        share = max(2.0, seconds / len(places)) if number + 1 < len(places) else seconds
        until = min(deadline, time.monotonic() + share)
        connection = socket.socket(family, kind, protocol)
        try:
            failed = _connect(connection, address, life, until)
            if not failed:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MILLISECONDS)
                return connection
            last = _dial_failure(route, failed, seconds)
        except OSError as error:
            last = _dial_failure(route, error.errno or 0, seconds)
        connection.close()
        if life.closed:
            break
    raise Unusable(last)


def _resolve(route: Route, life: Closable, deadline: float) -> list[Any]:
    """Return the addresses of a name. Nothing can interrupt the lookup, so a thread of its own does it."""
    found: list[Any] = []

    def look_up(flags: int = 0) -> None:
        try:
            found.append(socket.getaddrinfo(route.address, route.port, type=socket.SOCK_STREAM, flags=flags))
        except (OSError, UnicodeError) as error:
            found.append(error if isinstance(error, OSError) else OSError(0, str(error)))

    look_up(socket.AI_NUMERICHOST)
    if isinstance(found[0], OSError):
        found.clear()
        thread = threading.Thread(target=look_up, daemon=True, name=f"name {route.address}")
        thread.start()
        while thread.is_alive() and not life.closed and time.monotonic() < deadline:
            thread.join(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
    result: Any = found[0] if found else OSError(0, "the name servers do not answer")
    if isinstance(result, OSError):
        raise result
    addresses: list[Any] = result
    return addresses


def _connect(connection: socket.socket, address: Any, life: Closable, deadline: float) -> int:
    """Connect until the deadline; return the error number, 0 for none."""
    connection.setblocking(False)
    number = connection.connect_ex(address)
    if number not in (0, errno.EINPROGRESS):
        return number
    poller = select.poll()
    poller.register(connection, select.POLLOUT)
    poller.register(life.wake, select.POLLIN)
    ready = dict(poller.poll(max(0.0, deadline - time.monotonic()) * 1000))
    if connection.fileno() not in ready:
        return errno.ETIMEDOUT
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _dial_failure(route: Route, number: int, seconds: float) -> Failure:
    detail = os.strerror(number) if number else ""
    if number == errno.ECONNREFUSED:
        return failures.REFUSED(route, detail)
    if number == errno.ETIMEDOUT:
        return failures.timeout(route, seconds)
    return failures.UNREACHABLE(route, detail)


def _dial_through(route: Route, transport: Any, deadline: float) -> Any:
    seconds = max(0.1, deadline - time.monotonic())
    try:
        return transport.open_channel(
            "direct-tcpip", (route.address, route.port), ("127.0.0.1", 0), window_size=HOP_WINDOW_BYTES, timeout=seconds
        )
    except Exception as error:
        words = said(transport, error)
    low = words.lower()
    if "timeout" in low or "timed out" in low:
        raise Unusable(failures.timeout(route, seconds))
    if "refused" in low:
        raise Unusable(failures.REFUSED(route, words))
    if "name" in low or "resol" in low:
        raise Unusable(failures.UNRESOLVED(route, words))
    raise Unusable(failures.UNREACHABLE(route, f"{route.via and route.via.host} says: {words}"))


def _dial_by_command(command: str) -> tuple[socket.socket, Callable[[], None]]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end() -> None:
        _shut_down(ours)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    return ours, end


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def said(transport: Any, error: Exception) -> str:
    """Return what the server said when it opened no channel, otherwise paramiko's message."""
    refusal: str = transport.refusal if type(error).__name__ == "ChannelException" else ""
    return refusal or str(error) or type(error).__name__
