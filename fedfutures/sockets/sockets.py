"""Main (ROUTER-DEALER) and Meta (PUB-SUB) sockets with the options that this product relies on.

``send`` never blocks and never fails for a peer's reason: what cannot be handed over is dropped, as it is when a peer
dies with frames in its queue, and the link's Channel repeats it. ``receive`` never blocks either; waiting is done on
the file descriptor (:attr:`fd`) or with :func:`wait`.

The descriptor of a ZeroMQ socket is edge-triggered: it speaks once per change, and any use of the socket may eat the
change. So whoever has used a socket calls ``receive`` until it returns None before anyone waits on ``fd`` again.

A Meta frame is a topic, who says it, and a message: ``topic \\0 sender \\0 message``. PUB and SUB compare prefixes, so
the zero byte is part of what is subscribed to, and ``h1`` does not hear what is meant for ``h10``. Topic "" is for the
Broker's own Workers, any other is the name of the neighbour that is meant. Of two Brokers only one dials, and PUB and
SUB do not care which: the dialling Broker connects its publisher to the other's ear, and its ear to the other's
publisher.

Between Brokers a message may be followed by *data*, a frame of its own: bulk that nobody packs or unpacks. It is sent
from where it lies and given out as ZeroMQ has received it, so it is not copied on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

_QUEUE_MESSAGES = 100_000  # Demand bounds what is under way; this is the last line of defence
_LINGER_MS = 200
_RECONNECT_MS, _RECONNECT_AT_MOST_MS = 5, 1000  # nodes of one host start together: the Broker is a moment away
_BEAT_MS, _SILENCE_MS = 1000, 3000  # between Brokers: a cut connection is given up, and made again, this soon
_META_QUEUE_MESSAGES = 1000
_READABLE = int(zmq.POLLIN)
_FIRST = int(zmq.NOBLOCK | zmq.SNDMORE)

Context = zmq.Context[zmq.Socket[bytes]]
"""What the sockets of a process belong to."""
Data = bytes | memoryview
"""What follows a message as a frame of its own."""


def context() -> zmq.Context[zmq.Socket[bytes]]:
    """Make the ZeroMQ context of a process, after its last fork."""
    return zmq.Context()


class _Socket:
    """What all have in common."""

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], kind: int, queue: int = _QUEUE_MESSAGES) -> None:
        self._socket: zmq.Socket[bytes] = owner.socket(kind)
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._socket.setsockopt(zmq.SNDHWM, queue)
        self._socket.setsockopt(zmq.RCVHWM, queue)
        self._socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_AT_MOST_MS)

    @property
    def fd(self) -> int:
        """The descriptor to poll for reading; edge-triggered, see the module's text."""
        return int(self._socket.getsockopt(zmq.FD))

    def close(self) -> None:
        """Close; what was sent last is given a moment to leave."""
        self._socket.close()

    def _receive(self) -> bytes | None:
        return self._socket.recv(zmq.NOBLOCK) if self._readable() else None

    def _readable(self) -> bool:
        """Whether a receive would succeed: half the price of the exception that it would raise."""
        return bool(int(self._socket.getsockopt(zmq.EVENTS)) & _READABLE)

    def _receive_rest(self) -> tuple[bytes, memoryview | None]:
        """Receive a message, and the data behind it; one of more frames than that is none of ours: empty."""
        socket = self._socket
        frame = socket.recv(zmq.NOBLOCK, copy=False)
        if not frame.more:
            return frame.bytes, None
        data = socket.recv(zmq.NOBLOCK, copy=False)
        if not data.more:
            return frame.bytes, data.buffer
        while data.more:
            data = socket.recv(zmq.NOBLOCK, copy=False)
        return b"", None

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            pass

    def _send_to(self, address: bytes, frame: bytes, data: Data | None) -> None:
        """Send through a ROUTER, and data behind the frame if there are any."""
        try:
            self._socket.send(address, _FIRST)
            if data is None:
                self._socket.send(frame, zmq.NOBLOCK)
            else:
                self._send_with(frame, data)
        except zmq.ZMQError:
            pass  # gone or clogged: the Channel repeats

    def _publish(self, topic: str, sender: str, frame: bytes) -> None:
        """Send a Meta frame."""
        self._send(b"\0".join((topic.encode(), sender.encode(), frame)))

    def _send_with(self, frame: bytes, data: Data) -> None:
        self._socket.send(frame, _FIRST)
        self._socket.send(data, zmq.NOBLOCK, copy=False)


class MainRouter(_Socket):
    """The Broker's Main socket: every peer is known by the name it gave its own socket.

    A peer that connects again takes over from its own earlier connection, of which this end may not have heard yet
    that it is gone.
    """

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        super().__init__(owner, zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.bind(address)

    def receive(self) -> tuple[str, bytes, memoryview | None] | None:
        """Return (peer, frame, data behind it or None), or None."""
        if not self._readable():
            return None
        peer = self._socket.recv(zmq.NOBLOCK).decode("utf-8", "replace")
        return peer, *self._receive_rest()

    def send(self, peer: str, frame: bytes, data: Data | None = None) -> None:
        """Send a frame to a peer, if it is there, and data behind it."""
        self._send_to(peer.encode(), frame, data)


class MainDealer(_Socket):
    """The Main socket of who dials: a Worker, an Origin, or a Broker. `far`: the other end is a neighbour."""

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], address: str, name: str, *, far: bool = False) -> None:
        super().__init__(owner, zmq.DEALER)
        self._socket.setsockopt(zmq.ROUTING_ID, name.encode())
        if far:
            _beat(self._socket)
        self._socket.connect(address)

    def receive(self) -> bytes | None:
        """Return a frame or None: for those who are never sent data."""
        return self._receive()

    def receive_all(self) -> tuple[bytes, memoryview | None] | None:
        """Return (frame, data behind it or None), or None."""
        return self._receive_rest() if self._readable() else None

    def send(self, frame: bytes, data: Data | None = None) -> None:
        """Send a frame to the Broker, and data behind it."""
        if data is None:
            self._send(frame)
            return
        try:
            self._send_with(frame, data)
        except zmq.Again:
            pass


def _beat(socket: zmq.Socket[bytes]) -> None:
    """Have both ends of each connection watch it: the other one is told how long to wait for a beat."""
    socket.setsockopt(zmq.HEARTBEAT_IVL, _BEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _SILENCE_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, _SILENCE_MS)


class MetaPublisher(_Socket):
    """The Broker's Meta socket for speaking."""

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        super().__init__(owner, zmq.PUB, queue=_META_QUEUE_MESSAGES)
        self._socket.bind(address)

    def connect(self, ear: str) -> None:
        """Be heard by a neighbour that is dialled, too."""
        self._socket.connect(ear)

    def disconnect(self, ear: str) -> None:
        """Undo :meth:`connect`."""
        self._socket.disconnect(ear)

    def publish(self, topic: str, sender: str, frame: bytes) -> None:
        """Send a frame to whoever listens to the topic."""
        self._publish(topic, sender, frame)


class MetaSubscriber(_Socket):
    """A Worker's Meta socket. Only the newest state matters, so only that is kept."""

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], address: str, topic: str = "") -> None:
        super().__init__(owner, zmq.SUB, queue=_META_QUEUE_MESSAGES)
        self._socket.setsockopt(zmq.CONFLATE, 1)
        self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        self._socket.connect(address)

    def receive(self) -> bytes | None:
        """Return the newest frame or None."""
        frame = self._receive()
        return None if frame is None else _opened(frame)[1]


class MetaEar(_Socket):
    """The Broker's Meta socket for hearing its neighbours: those that dial it, and those that it dials."""

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], address: str, topic: str) -> None:
        super().__init__(owner, zmq.SUB, queue=_META_QUEUE_MESSAGES)
        _beat(self._socket)
        self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        self._socket.bind(address)

    def connect(self, publisher: str) -> None:
        """Hear a neighbour that is dialled, too."""
        self._socket.connect(publisher)

    def disconnect(self, publisher: str) -> None:
        """Undo :meth:`connect`."""
        self._socket.disconnect(publisher)

    def receive(self) -> tuple[str, bytes] | None:
        """Return (sender, frame) or None."""
        frame = self._receive()
        return None if frame is None else _opened(frame)


def _opened(frame: bytes) -> tuple[str, bytes]:
    """Return (sender, message) of a Meta frame."""
    _, _, rest = frame.partition(b"\0")
    sender, _, message = rest.partition(b"\0")
    return sender.decode("utf-8", "replace"), message


Readable = _Socket


def wait(
    sockets: Sequence[Readable], descriptors: Sequence[int], seconds: float | None
) -> tuple[list[Readable], list[int]]:
    """Wait until a socket or a descriptor can be read; return those that can. `seconds` None: without limit."""
    interest: list[tuple[Any, int]] = [(socket._socket, zmq.POLLIN) for socket in sockets]
    interest += [(descriptor, zmq.POLLIN) for descriptor in descriptors]
    ready = zmq.zmq_poll(interest, -1 if seconds is None else max(0, int(seconds * 1000 + 0.999)))
    if not ready:
        return [], []
    found = {id(what) for what, _ in ready if not isinstance(what, int)}
    return (
        [socket for socket in sockets if id(socket._socket) in found],
        [what for what, _ in ready if isinstance(what, int)],
    )
