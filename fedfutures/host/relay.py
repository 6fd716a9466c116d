"""Links between Brokers that go through the ssh connections: the host's end.

Where a Broker's port cannot be reached, its neighbour dials a socket in its own host's private directory. Each
connection there is a *stream*: its bytes travel as frames to the launching side and on to the dialled Broker's host,
whose host process connects to the port. So links need no port forwarding, which many clusters forbid, and CURVE
encrypts from end to end. :data:`WINDOW_BYTES` of credit bound what waits on the way. Host processes give odd numbers
to the streams that they open, the launching side even ones.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
from collections.abc import Callable, Mapping

from .. import failpoints
from ..wire.control import (
    SOCKETS,
    BrokerBound,
    CloseStream,
    DialBroker,
    OpenStream,
    RelayBroker,
    StreamCredit,
    StreamData,
    StreamFrame,
)

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


class Relay:
    """The streams of one host. `send` sends a frame to the launching side; `poller` is the host process's."""

    def __init__(self, directory: str, send: Callable[[StreamFrame], None], poller: select.poll) -> None:
        self._directory, self._send, self._poller = directory, send, poller
        self._numbers = itertools.count(1, 2)
        self._listeners: dict[int, tuple[socket.socket, str, str]] = {}  # by descriptor: (socket, name, kind)
        self._streams: dict[int, _Stream] = {}  # by number
        self._by_descriptor: dict[int, _Stream] = {}
        self._addresses: dict[str, list[str]] = {}  # of the sockets at which a neighbour is dialled

    def dialled(self, frame: RelayBroker) -> DialBroker:
        """Return the frame by which a Broker dials a neighbour through this relay, whose sockets this makes."""
        if frame.name not in self._addresses:
            number, addresses = len(self._addresses) + 1, []
            for kind in SOCKETS:
                path = os.path.join(self._directory, f"relay{number}{kind}")
                listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                listener.bind(path)
                listener.listen(16)
                self._listeners[listener.fileno()] = (listener, frame.name, kind)
                self._poller.register(listener.fileno(), select.POLLIN)
                addresses.append(f"ipc://{path}")
            self._addresses[frame.name] = addresses
        main, meta, subscriber = self._addresses[frame.name]
        return DialBroker(frame.broker, frame.name, main, meta, subscriber, frame.key)

    def close(self) -> None:
        """Close all streams and listening sockets."""
        self.reset()
        for descriptor, (listener, _, _) in self._listeners.items():
            self._poller.unregister(descriptor)
            listener.close()
        self._listeners.clear()

    # -- frames of the launching side --------------------------------------------------------------------------------

    def on_frame(self, frame: StreamFrame, bound: Mapping[str, BrokerBound]) -> None:
        """Take in a frame about a stream; `bound` has the ports of this host's Brokers, by name."""
        if isinstance(frame, OpenStream):
            self._open(frame, bound.get(frame.broker))
            return
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
        """Drop all streams: their bytes were lost with the connection to the launching side."""
        for stream in list(self._streams.values()):
            self._drop(stream)

    def ends(self) -> list[tuple[str, int]]:
        """Return the addresses and ports from which this relay has connected to Brokers of this host."""
        inwards = (stream.socket for stream in self._streams.values() if not stream.number % 2)
        return [tuple(each.getsockname()[:2]) for each in inwards]

    def _open(self, frame: OpenStream, bound: BrokerBound | None) -> None:
        is_open = frame.stream in self._streams
        if is_open or frame.stream % 2 or bound is None or not (port := getattr(bound, frame.socket)):
            self._send(CloseStream(frame.stream))
            return
        family = socket.AF_INET6 if ":" in bound.address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with contextlib.suppress(BlockingIOError):
                connection.connect((bound.address, port))
        except (OSError, ValueError, TypeError):  # the last two: for what is no name of a host
            connection.close()
            self._send(CloseStream(frame.stream))
            return
        self._add(_Stream(frame.stream, connection, connecting=True))

    # -- events of descriptors ---------------------------------------------------------------------------------------

    def serve(self, descriptor: int, events: int) -> bool:
        """Read or write a descriptor that is ready; return whether it is one of the relay's."""
        if descriptor in self._listeners:
            self._accept(*self._listeners[descriptor])
            return True
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

    def _accept(self, listener: socket.socket, name: str, kind: str) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            stream = _Stream(next(self._numbers), connection, connecting=False)
            self._add(stream)
            self._send(OpenStream(stream.number, name, kind))

    def _add(self, stream: _Stream) -> None:
        self._streams[stream.number] = self._by_descriptor[stream.socket.fileno()] = stream
        self._watch(stream)

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
        self._poller.unregister(stream.socket.fileno())
        stream.socket.close()
        if tell and not stream.ended:
            self._send(CloseStream(stream.number))
