"""The ends of streams in one process: each is a connection, whose bytes travel as frames to the other end.

:data:`WINDOW_BYTES` of credit bound what waits on the way.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable

from .. import failpoints
from ..wire.control import CloseStream, StreamCredit, StreamData, StreamFrame

WINDOW_BYTES = 1 << 20
READ_BYTES = failpoints.size("relay.size", 1 << 16)


class _Stream:
    """One connection that is relayed."""

    __slots__ = ("connecting", "credit", "ended", "granted", "number", "socket", "unsent")

    def __init__(self, number: int, connection: socket.socket, *, connecting: bool) -> None:
        self.number, self.socket, self.connecting = number, connection, connecting
        self.credit = WINDOW_BYTES  # bytes that may still be sent to the other end
        self.granted = 0  # bytes written here for which the other end has no new credit yet
        self.unsent = bytearray()  # came from the other end
        self.ended = False  # the other end has closed: what is unsent goes out first


class LocalStreams:
    """The streams that end here. `send` sends a frame towards their other ends; `poller` is the process's."""

    def __init__(self, send: Callable[[StreamFrame], None], poller: select.poll) -> None:
        self._send, self._poller = send, poller
        self._streams: dict[int, _Stream] = {}  # by number
        self._by_descriptor: dict[int, _Stream] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._streams

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, number: int, connection: socket.socket, *, connecting: bool = False) -> None:
        """A connection, which does not block, is this stream from now on; `connecting`: it is not there yet."""
        stream = _Stream(number, connection, connecting=connecting)
        self._streams[number] = self._by_descriptor[connection.fileno()] = stream
        self._watch(stream)

    def on_frame(self, frame: StreamData | StreamCredit | CloseStream) -> None:
        """Take in a frame about a stream."""
        stream = self._streams.get(frame.stream)
        if stream is None:
            return  # closed here meanwhile
        if isinstance(frame, StreamData):
            if len(stream.unsent) + len(frame.data) > WINDOW_BYTES:  # more than the other end has credit for
                self._drop(stream, tell=True)
                return
            stream.unsent += frame.data
            self._write(stream)
        elif isinstance(frame, StreamCredit):
            stream.credit = min(stream.credit + frame.count, WINDOW_BYTES)
            self._watch(stream)
        else:
            stream.ended = True
            if not stream.unsent:
                self._drop(stream)

    def reset(self) -> None:
        """Drop all streams: their bytes were lost on the way."""
        for stream in list(self._streams.values()):
            self._drop(stream)

    def opened_there(self) -> list[socket.socket]:
        """Return the connections of streams with an even number, which the other end has opened."""
        return [stream.socket for stream in self._streams.values() if not stream.number % 2]

    def let_go(self) -> None:
        """Close the connections in a process that this one has forked."""
        for stream in self._streams.values():
            stream.socket.close()

    # -- events of descriptors ---------------------------------------------------------------------------------------

    def serve(self, descriptor: int, events: int) -> bool:
        """Read or write a descriptor that is ready; return whether it is one of these."""
        stream = self._by_descriptor.get(descriptor)
        if stream is None:
            return False
        if stream.connecting and events & (select.POLLOUT | select.POLLERR | select.POLLHUP):
            stream.connecting = False
            if stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._drop(stream, tell=True)
                return True
        if stream.unsent:
            self._write(stream)
        if stream.number in self._streams and events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            self._read(stream)
        if stream.number in self._streams:
            self._watch(stream)
        return True

    def _watch(self, stream: _Stream) -> None:
        events = select.POLLOUT if stream.connecting or stream.unsent else 0
        if stream.credit > 0 and not stream.connecting:
            events |= select.POLLIN
        self._poller.register(stream.socket.fileno(), events)

    @failpoints.delayed("relay.read")
    def _read(self, stream: _Stream) -> None:
        if stream.credit <= 0:
            return
        try:
            data = stream.socket.recv(min(READ_BYTES, stream.credit))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(stream, tell=True)
            return
        stream.credit -= len(data)
        self._send(StreamData(stream.number, data))

    def _write(self, stream: _Stream) -> None:
        if stream.connecting:
            return
        try:
            count = stream.socket.send(stream.unsent)
        except BlockingIOError:
            count = 0
        except OSError:
            self._drop(stream, tell=True)
            return
        del stream.unsent[:count]
        stream.granted += count
        if stream.ended and not stream.unsent:
            self._drop(stream)
            return
        if stream.granted >= WINDOW_BYTES // 4:
            self._send(StreamCredit(stream.number, stream.granted))
            stream.granted = 0
        self._watch(stream)

    def _drop(self, stream: _Stream, *, tell: bool = False) -> None:
        del self._streams[stream.number], self._by_descriptor[stream.socket.fileno()]
        with contextlib.suppress(KeyError):
            self._poller.unregister(stream.socket.fileno())
        stream.socket.close()
        if tell and not stream.ended:
            self._send(CloseStream(stream.number))
