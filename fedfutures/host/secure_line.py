"""A connection under TLS, and what joins it to two descriptors, each way with an end of its own. Source: RFC 8446.

Python's TLS connections cannot end one way only. So each piece of bytes has its length in front, and a piece of none is
the end of that way.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
from collections.abc import Callable

CHUNK_BYTES = 1 << 16
WAITING_AT_MOST_BYTES = 1 << 18
"""So much waits on either side at most: then the other side is not read."""
_LENGTH = struct.Struct(">I")
_KEPT_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


class SecureLine:
    """A connection under TLS that never blocks. `shaken`: the handshake is over; `ended`: so is the connection."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, *, listens: bool) -> None:
        connection.setblocking(False)
        _keep_alive(connection)
        self._connection = connection
        self._arriving, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arriving, self._leaving, server_side=listens)
        self._rest = b""
        self.shaken = self.ended = False

    @property
    def number(self) -> int:
        """The descriptor to wait for."""
        return self._connection.fileno()

    @property
    def unsent(self) -> int:
        """How many bytes wait for the other side to take them."""
        return len(self._rest) + self._leaving.pending

    @property
    def events(self) -> int:
        """What to wait for, if all that comes is wanted."""
        return select.POLLIN | (select.POLLOUT if self.unsent else 0)

    def receive(self, at_most: int = 0) -> bytes:
        """Return what has come, all of it or so many bytes. The rest then comes by the next call, not by waiting.

        The handshake goes on by this as well; the one who dials calls it first.
        """
        self._take_in()
        found = bytearray()
        try:
            if not self.shaken:
                self._tls.do_handshake()
                self.shaken = True
            while data := self._tls.read(at_most or CHUNK_BYTES):
                found += data
                if at_most:
                    return bytes(found)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:  # the other one is not who it should be, or its connection was cut
            self.flush()  # it is told so
            self.ended = True
        self.flush()
        return bytes(found)

    def send(self, data: bytes) -> None:
        """Send bytes, now or by :meth:`flush`."""
        if not self.ended:
            self._tls.write(data)
            self.flush()

    def flush(self) -> None:
        """Send what is unsent, as far as the other side takes it."""
        while not self.ended and self.unsent:
            self._rest = self._rest or self._leaving.read(CHUNK_BYTES)
            try:
                self._rest = self._rest[self._connection.send(self._rest) :]
            except BlockingIOError:
                return
            except OSError:
                self.ended = True

    def close(self) -> None:
        """End the connection."""
        self.ended = True
        self._connection.close()

    def _take_in(self) -> None:
        try:
            data = self._connection.recv(WAITING_AT_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._arriving.write(data)
        else:
            self._arriving.write_eof()


class Joint:
    """Joins a line to two descriptors, neither of which blocks: what can be read from `source` goes to the other side.

    What comes from there goes to `sink`; `on_end` is called when it was the last, or the line is lost.
    """

    def __init__(self, line: SecureLine, source: int, sink: int, on_end: Callable[[], None]) -> None:
        self._line, self._source, self._sink, self._on_end = line, source, sink, on_end
        self._parcel = bytearray()  # what has come, as it came
        self._waiting = bytearray()  # for the sink
        self._all_came = False
        self.source_ended = self.sink_ended = False
        self._take(line.receive())  # it may have read more than who greeted has asked for

    def turn(self, seconds: float, *others: int) -> list[int]:
        """Pass on what can be passed on, or wait for it; return which of `others` can be read or have ended."""
        poller = select.poll()
        for descriptor in others:
            poller.register(descriptor, select.POLLIN)
        if not self._line.ended:
            takes = len(self._waiting) < WAITING_AT_MOST_BYTES
            poller.register(self._line.number, self._line.events & (-1 if takes else ~select.POLLIN))
            if not self.source_ended and self._line.unsent < WAITING_AT_MOST_BYTES:
                poller.register(self._source, select.POLLIN)
        if self._waiting:
            poller.register(self._sink, select.POLLOUT)
        ready = dict(poller.poll(max(0.0, seconds) * 1000))
        if not self._line.ended and self._line.number in ready:
            self._line.flush()
            if ready[self._line.number] & ~select.POLLOUT:
                self._take(self._line.receive())
        if self._source in ready and not self.source_ended:
            self._pass_on()
        self._fill_sink()
        return [descriptor for descriptor in others if descriptor in ready]

    def _pass_on(self) -> None:
        try:
            data = os.read(self._source, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.source_ended = not data
        self._line.send(_LENGTH.pack(len(data)) + data)

    def _take(self, data: bytes) -> None:
        self._parcel += data
        while len(self._parcel) >= _LENGTH.size and not self._all_came:
            (length,) = _LENGTH.unpack_from(self._parcel)
            if length > CHUNK_BYTES:  # no piece is that long
                self._line.close()
                return
            end = _LENGTH.size + length
            if len(self._parcel) < end:
                return
            self._all_came = not length
            self._waiting += self._parcel[_LENGTH.size : end]
            del self._parcel[:end]

    def _fill_sink(self) -> None:
        try:
            while self._waiting and not self.sink_ended:
                del self._waiting[: os.write(self._sink, self._waiting)]
        except BlockingIOError:
            return
        except OSError:  # nobody reads any more
            self._end_sink()
        if self.sink_ended:
            self._waiting.clear()
        elif self._all_came or self._line.ended:
            self._end_sink()

    def _end_sink(self) -> None:
        self.sink_ended = True
        self._waiting.clear()
        self._on_end()


def _keep_alive(connection: socket.socket) -> None:
    """Have the kernel end the connection within a minute when the other host is gone."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEPT_ALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
