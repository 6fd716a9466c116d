"""From a route to what carries the connection: a socket, a channel through an access host, or a command.

With each carrier comes a function that ends it in any state; any thread may call it, and it never blocks. What a
``ProxyCommand`` prints on its standard error is kept: it is the reason if no server answers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fedfutures.supervision.attempts import how_ended, status_of

from .configuration import Route, Unusable
from .diagnosis import DROPPED
from .session import Closable
from .texts import failures
from .texts.failures import Failure

HOP_WINDOW_BYTES = 4 << 20
LOOK_SECONDS = 0.2
ENDING_SECONDS = 0.5  # what has closed its output ends within so long
SAID_AT_MOST_BYTES = 1 << 16
FORBIDDEN = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, section 5.1)
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


@dataclass(slots=True)
class Carried:
    """A carrier, what ends it, and the ProxyCommand that carries it."""

    carrier: Any
    end: Callable[[], None]
    command: ProxyCommand | None = None

    def raise_why(self, route: Route) -> None:
        """The connection was dropped: raise Unusable if the ProxyCommand has failed."""
        if self.command is not None:
            self.command.raise_why(route)


def dial(route: Route, through: Any, life: Closable, deadline: float) -> Carried:
    """Return the carrier and what ends it; `through` is the transport to an access host. Raises Unusable."""
    if through is not None:
        carrier = Carrier(_dial_through(route, through, deadline))
        return Carried(carrier, carrier.shut_down)
    if route.proxy_command is not None:
        command = ProxyCommand(route.proxy_command)
        return Carried(command.carrier, command.end, command)
    connection = _dial_directly(route, life, deadline)
    return Carried(connection, lambda: _shut_down(connection))


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
        words, code = said(transport, error), getattr(error, "code", 0)
    low = words.lower()
    if "timeout" in low or "timed out" in low:
        raise Unusable(failures.timeout(route, seconds))
    if "refused" in low:
        raise Unusable(failures.REFUSED(route, words))
    if "name" in low or "resol" in low:
        raise Unusable(failures.UNRESOLVED(route, words))
    via = route.via.host if route.via is not None else ""
    if code == FORBIDDEN:
        raise Unusable(failures.NOT_LET_THROUGH(route, words, via=via))
    raise Unusable(failures.UNREACHABLE(route, f"{via} says: {words}"))


class ProxyCommand:
    """A command that carries a connection over its standard input and output."""

    def __init__(self, command: str) -> None:
        self._command = command
        self.carrier, theirs = socket.socketpair()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it stays as long as the command
        with theirs:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"], stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._said,
                start_new_session=True,
            )  # fmt: skip

    def end(self) -> None:
        """End it, in whatever state it is."""
        _shut_down(self.carrier)
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._said.close()

    def raise_why(self, route: Route) -> None:
        """Nobody answers: raise Unusable if the command itself has failed; a server that is busy is no failure."""
        try:
            code = self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            return
        text = os.pread(self._said.fileno(), SAID_AT_MOST_BYTES, 0).decode("utf-8", "replace")
        words = " / ".join(failures.last_lines(text))
        if code and not DROPPED.search(words):
            ended = how_ended(status_of(code))
            raise Unusable(failures.PROXY_FAILED(route, words, ended=ended, command=self._command))


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def said(transport: Any, error: Exception) -> str:
    """Return what the server said when it opened no channel, otherwise paramiko's message."""
    refusal: str = transport.refusal if type(error).__name__ == "ChannelException" else ""
    return refusal or str(error) or type(error).__name__
