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

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import zmq

from .options import set_heartbeat

_QUEUE_MESSAGES = 100_000  # Demand bounds what is under way; this is the last line of defence
_LINGER_MS = 200
_RECONNECT_MS, _RECONNECT_AT_MOST_MS = 5, 1000  # nodes of one host start together: the Broker is a moment away
_META_QUEUE_MESSAGES = 1000
_READABLE = int(zmq.POLLIN)
_FIRST = int(zmq.NOBLOCK | zmq.SNDMORE)

Context = zmq.Context[zmq.Socket[bytes]]
"""What the sockets of a process belong to."""
R = TypeVar("R")
Data = bytes | memoryview
"""What follows a message as a frame of its own."""


def context() -> Context:
    """Make the ZeroMQ context of a process, after its last fork."""
    return zmq.Context()


class Socket:
    """What all have in common; `raw` is the socket of ZeroMQ, for this folder alone."""

    def __init__(self, owner: Context, kind: int, queue: int = _QUEUE_MESSAGES) -> None:
        self.raw: zmq.Socket[bytes] = owner.socket(kind)
        self.raw.setsockopt(zmq.LINGER, _LINGER_MS)
        self.raw.setsockopt(zmq.SNDHWM, queue)
        self.raw.setsockopt(zmq.RCVHWM, queue)
        self.raw.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        self.raw.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_AT_MOST_MS)

    @property
    def fd(self) -> int:
        """The descriptor to poll for reading; edge-triggered, see the module's text."""
        return int(self.raw.getsockopt(zmq.FD))

    def close(self) -> None:
        """Close; what was sent last is given a moment to leave."""
        self.raw.close()

    def receive_frame(self) -> bytes | None:
        """Return a message of one frame, or None."""
        return self.raw.recv(zmq.NOBLOCK) if self.is_readable() else None

    def is_readable(self) -> bool:
        """Whether a receive would succeed: half the price of the exception that it would raise."""
        return bool(int(self.raw.getsockopt(zmq.EVENTS)) & _READABLE)

    def receive_pair(self) -> tuple[bytes, memoryview | None]:
        """Receive a message, and the data behind it; one of more frames than that is none of ours: empty."""
        socket = self.raw
        frame = socket.recv(zmq.NOBLOCK, copy=False)
        if not frame.more:
            return frame.bytes, None
        data = socket.recv(zmq.NOBLOCK, copy=False)
        if not data.more:
            return frame.bytes, data.buffer
        while data.more:
            data = socket.recv(zmq.NOBLOCK, copy=False)
        return b"", None

    def send_to(self, address: bytes, frame: bytes, data: Data | None) -> None:
        """Send through a ROUTER, and data behind the frame if there are any."""
        try:
            self.raw.send(address, _FIRST)
            if data is None:
                self.raw.send(frame, zmq.NOBLOCK)
            else:
                self.send_pair(frame, data)
        except zmq.ZMQError:
            pass  # gone or clogged: the Channel repeats

    def publish(self, topic: str, sender: str, frame: bytes) -> None:
        """Send a Meta frame to whoever listens to the topic."""
        try:
            self.raw.send(b"\0".join((topic.encode(), sender.encode(), frame)), zmq.NOBLOCK)
        except zmq.Again:
            pass

    def send_pair(self, frame: bytes, data: Data) -> None:
        """Send a frame, and data behind it."""
        self.raw.send(frame, _FIRST)
        self.raw.send(data, zmq.NOBLOCK, copy=False)


class MainRouter(Socket):
    """The Broker's Main socket: every peer is known by the name it gave its own socket.

    A peer that connects again takes over from its own earlier connection, of which this end may not have heard yet
    that it is gone.
    """

    def __init__(self, owner: Context, address: str) -> None:
        super().__init__(owner, zmq.ROUTER)
        self.raw.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.raw.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self.raw.bind(address)

    def receive(self) -> tuple[str, bytes, memoryview | None] | None:
        """Return (peer, frame, data behind it or None), or None."""
        if not self.is_readable():
            return None
        peer = self.raw.recv(zmq.NOBLOCK).decode("utf-8", "replace")
        return peer, *self.receive_pair()

    def send(self, peer: str, frame: bytes, data: Data | None = None) -> None:
        """Send a frame to a peer, if it is there, and data behind it."""
        self.send_to(peer.encode(), frame, data)


class Dealer(Socket):
    """A Main socket that dials."""

    def receive_all(self) -> tuple[bytes, memoryview | None] | None:
        """Return (frame, data behind it or None), or None."""
        return self.receive_pair() if self.is_readable() else None

    def send(self, frame: bytes, data: Data | None = None) -> None:
        """Send a frame to the Broker, and data behind it."""
        try:
            if data is None:
                self.raw.send(frame, zmq.NOBLOCK)
            else:
                self.send_pair(frame, data)
        except zmq.Again:
            pass


class MainDealer(Dealer):
    """The Main socket of a Worker, an Origin, or a Broker. `far`: the other end is a neighbour."""

    def __init__(self, owner: Context, address: str, name: str, *, far: bool = False) -> None:
        super().__init__(owner, zmq.DEALER)
        self.raw.setsockopt(zmq.ROUTING_ID, name.encode())
        if far:
            set_heartbeat(self.raw)
        self.raw.connect(address)

    def receive(self) -> bytes | None:
        """Return a frame or None: for those who are never sent data."""
        return self.receive_frame()


class MetaPublisher(Socket):
    """The Broker's Meta socket for speaking."""

    def __init__(self, owner: Context, address: str) -> None:
        super().__init__(owner, zmq.PUB, queue=_META_QUEUE_MESSAGES)
        self.raw.bind(address)

    def connect(self, ear: str) -> None:
        """Be heard by a neighbour that is dialled, too."""
        self.raw.connect(ear)

    def disconnect(self, ear: str) -> None:
        """Undo :meth:`connect`."""
        self.raw.disconnect(ear)


class MetaSubscriber(Socket):
    """A Worker's Meta socket. Only the newest state matters, so only that is kept."""

    def __init__(self, owner: Context, address: str, topic: str = "") -> None:
        super().__init__(owner, zmq.SUB, queue=_META_QUEUE_MESSAGES)
        self.raw.setsockopt(zmq.CONFLATE, 1)
        self.raw.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        self.raw.connect(address)

    def receive(self) -> bytes | None:
        """Return the newest frame or None."""
        frame = self.receive_frame()
        return None if frame is None else parse_meta(frame)[1]


class MetaEar(Socket):
    """The Broker's Meta socket for hearing its neighbours: those that dial it, and those that it dials."""

    def __init__(self, owner: Context, address: str, topic: str) -> None:
        super().__init__(owner, zmq.SUB, queue=_META_QUEUE_MESSAGES)
        set_heartbeat(self.raw)
        self.raw.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        self.raw.bind(address)

    def connect(self, publisher: str) -> None:
        """Hear a neighbour that is dialled, too."""
        self.raw.connect(publisher)

    def disconnect(self, publisher: str) -> None:
        """Undo :meth:`connect`."""
        self.raw.disconnect(publisher)

    def receive(self) -> tuple[str, bytes] | None:
        """Return (sender, frame) or None."""
        frame = self.receive_frame()
        return None if frame is None else parse_meta(frame)


def parse_meta(frame: bytes) -> tuple[str, bytes]:
    """Return (sender, message) of a Meta frame."""
    _, _, rest = frame.partition(b"\0")
    sender, _, message = rest.partition(b"\0")
    return sender.decode("utf-8", "replace"), message


Readable = Socket


def drained(receive: Callable[[], R | None], most: int) -> Iterator[R]:
    """Receive until nothing is left, but no more than `most` times, so that one socket holds up no other."""
    return islice(iter(receive, None), most)


def wait(
    sockets: Sequence[Readable], descriptors: Sequence[int], seconds: float | None
) -> tuple[list[Readable], list[int]]:
    """Wait until a socket or a descriptor can be read; return those that can. `seconds` None: without limit."""
    interest: list[tuple[Any, int]] = [(socket.raw, zmq.POLLIN) for socket in sockets]
    interest += [(descriptor, zmq.POLLIN) for descriptor in descriptors]
    ready = zmq.zmq_poll(interest, -1 if seconds is None else max(0, int(seconds * 1000 + 0.999)))
    if not ready:
        return [], []
    found = {id(what) for what, _ in ready if not isinstance(what, int)}
    return (
        [socket for socket in sockets if id(socket.raw) in found],
        [what for what, _ in ready if isinstance(what, int)],
    )
