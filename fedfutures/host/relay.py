"""Links between Brokers that go through the ssh connections: the host's end.

Where a Broker's port cannot be reached, its neighbour dials a socket in its own host's private directory. Each
connection there is a *stream*: its bytes travel as frames to the launching side and on to the dialled Broker's host,
whose host process connects to the port. So links need no port forwarding, which many clusters forbid, and CURVE
encrypts from end to end. Host processes give odd numbers to the streams that they open, the launching side even ones
(:mod:`.local_streams`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
from collections.abc import Callable, Mapping

from ..wire.control import (
    SOCKETS,
    BrokerBound,
    CloseStream,
    DialBroker,
    OpenStream,
    RelayBroker,
    StreamFrame,
)
from .local_streams import LocalStreams


class Relay:
    """The streams of one host. `send` sends a frame to the launching side; `poller` is the host process's."""

    def __init__(self, directory: str, send: Callable[[StreamFrame], None], poller: select.poll) -> None:
        self._directory, self._send, self._poller = directory, send, poller
        self._numbers = itertools.count(1, 2)
        self._listeners: dict[int, tuple[socket.socket, str, str]] = {}  # by descriptor: (socket, name, kind)
        self._streams = LocalStreams(send, poller)
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
        else:
            self._streams.on_frame(frame)

    def reset(self) -> None:
        """Drop all streams: their bytes were lost with the connection to the launching side."""
        self._streams.reset()

    def ends(self) -> list[tuple[str, int]]:
        """Return the addresses and ports from which this relay has connected to Brokers of this host."""
        return [tuple(each.getsockname()[:2]) for each in self._streams.opened_there()]

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
        self._streams.add(frame.stream, connection, connecting=True)

    # -- events of descriptors ---------------------------------------------------------------------------------------

    def serve(self, descriptor: int, events: int) -> bool:
        """Read or write a descriptor that is ready; return whether it is one of the relay's."""
        if descriptor in self._listeners:
            self._accept(*self._listeners[descriptor])
            return True
        return self._streams.serve(descriptor, events)

    def _accept(self, listener: socket.socket, name: str, kind: str) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            number = next(self._numbers)
            self._streams.add(number, connection)
            self._send(OpenStream(number, name, kind))
