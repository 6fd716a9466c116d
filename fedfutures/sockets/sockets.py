"""Main (ROUTER-DEALER) and Meta (PUB-SUB) sockets with the options that this product relies on.

``send`` never blocks and never fails because of a peer: it drops what it cannot hand over, and the link's Channel
repeats that, as it does when a peer dies with frames in its queue. ``receive`` never blocks either; wait on the file
descriptor (:attr:`Socket.fd`) or with :func:`wait`.

The descriptor of a ZeroMQ socket is edge-triggered: it becomes readable once per change, and any use of the socket may
consume the change. So whoever has used a socket calls ``receive`` until it returns None before anyone waits again. Each
look costs a system call. A socket knows whether it was used since the last look (:attr:`Socket.is_quiet`), and
:func:`wait` looks only at those that were.

A Meta frame is a topic, its sender, and a message: ``topic \\0 sender \\0 message``. PUB and SUB compare prefixes, so
the subscribed prefix includes the zero byte, and ``h1`` does not hear what is meant for ``h10``. Topic "" is for the
Broker's own Workers, any other names a neighbour. Of two Brokers only one dials, and it connects its publisher to the
other's subscriber and its subscriber to the other's publisher: PUB and SUB do not care which of them dials.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import zmq

from .. import failpoints
from ..limits import check_room
from .options import set_heartbeat

_QUEUE_MESSAGES = 100_000  # Demand bounds what is under way; this is the last line of defence
_LINGER_MS = 200
_RECONNECT_MS, _RECONNECT_AT_MOST_MS = 5, 1000  # nodes of one host start together: the Broker is a moment away
_RECONNECT_NEAR_AT_MOST_MS = 50  # on the same host an attempt costs next to nothing
_META_QUEUE_MESSAGES = 1000
WAIT_AT_MOST_SECONDS = 3600.0
_READABLE = int(zmq.POLLIN)
_FIRST = int(zmq.NOBLOCK | zmq.SNDMORE)

Context = zmq.Context[zmq.Socket[bytes]]
"""What the sockets of a process belong to."""
R = TypeVar("R")
Data = bytes | memoryview
"""Bulk that follows a message as a frame of its own, between Brokers: nobody packs, unpacks or copies it."""


def context() -> Context:
    """Make the ZeroMQ context of a process, after its last fork.

    Raises OSError or RuntimeError where there are too few descriptors or threads (:func:`..limits.reached`).
    """
    check_room()
    return zmq.Context()


class Socket:
    """What all sockets have in common; `raw` is ZeroMQ's own, for this folder alone."""

    is_quiet = False
    """Whether nothing was there at the last look, and it was not used since: its descriptor tells what comes."""
    _descriptor = -1

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
        if self._descriptor < 0:
            self._descriptor = int(self.raw.getsockopt(zmq.FD))
        return self._descriptor

    def close(self) -> None:
        """Close; what was sent last is given a moment to leave."""
        self.raw.close()

    def receive_frame(self) -> bytes | None:
        """Return a message of one frame, or None."""
        return self.raw.recv(zmq.NOBLOCK) if self.is_readable() else None

    def is_readable(self) -> bool:
        """Whether a receive would succeed: half the price of the exception that it would raise."""
        found = bool(int(self.raw.getsockopt(zmq.EVENTS)) & _READABLE)
        self.is_quiet = not found
        return found

    def with_data(self, frame: zmq.Frame) -> tuple[bytes, memoryview | None]:
        """Return the message that begins with this frame: (frame, data). One of more frames is none of ours: empty."""
        if not frame.more:
            return frame.bytes, None
        data = self.raw.recv(zmq.NOBLOCK, copy=False)
        if not data.more:
            return frame.bytes, data.buffer
        while data.more:
            data = self.raw.recv(zmq.NOBLOCK, copy=False)
        return b"", None

    def send_to(self, address: bytes, frame: bytes, data: Data | None) -> None:
        """Send a frame through a ROUTER, and data behind it."""
        self.is_quiet = False
        try:
            self.raw.send(address, _FIRST)
            if data is None:
                self.raw.send(frame, zmq.NOBLOCK)
            else:
                self.send_pair(frame, data)
        except zmq.ZMQError:
            pass  # gone or clogged: the Channel repeats

    @failpoints.lost("meta.publish")
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

    def connect(self, address: str) -> None:
        """Speak with a socket that a neighbour has bound, too."""
        self.is_quiet = False
        self.raw.connect(address)

    def disconnect(self, address: str) -> None:
        """Undo :meth:`connect`."""
        self.is_quiet = False
        self.raw.disconnect(address)


class MainRouter(Socket):
    """The Broker's Main socket: every peer is known by the name it gave its own socket.

    A peer that connects again replaces its earlier connection, which this end may not know to be gone.
    """

    def __init__(self, owner: Context, address: str) -> None:
        super().__init__(owner, zmq.ROUTER)
        self.raw.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.raw.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self.raw.bind(address)

    @failpoints.delayed("router.receive")
    def receive(self) -> tuple[str, bytes, memoryview | None] | None:
        """Return (peer, frame, data behind it or None), or None."""
        if not self.is_readable():
            return None
        peer = self.raw.recv(zmq.NOBLOCK).decode("utf-8", "replace")
        return peer, *self.with_data(self.raw.recv(zmq.NOBLOCK, copy=False))

    @failpoints.lost("router.send")
    def send(self, peer: str, frame: bytes, data: Data | None = None) -> None:
        """Send a frame to a peer, if it is there, and data behind it."""
        self.send_to(peer.encode(), frame, data)


class Dealer(Socket):
    """A Main socket that dials."""

    def receive_all(self) -> tuple[bytes, memoryview | None] | None:
        """Return (frame, data behind it or None), or None."""
        return self.with_data(self.raw.recv(zmq.NOBLOCK, copy=False)) if self.is_readable() else None

    @failpoints.repeated("dealer.send.twice")
    @failpoints.lost("dealer.send")
    def send(self, frame: bytes, data: Data | None = None) -> None:
        """Send a frame to the Broker, and data behind it."""
        self.is_quiet = False
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
        else:
            self.raw.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_NEAR_AT_MOST_MS)
        self.raw.connect(address)

    receive = Socket.receive_frame  # for those who are never sent data


class MetaPublisher(Socket):
    """The Broker's Meta socket that speaks to Workers and neighbours."""

    def __init__(self, owner: Context, address: str) -> None:
        super().__init__(owner, zmq.PUB, queue=_META_QUEUE_MESSAGES)
        self.raw.bind(address)


class MetaSubscriber(Socket):
    """A Worker's Meta socket. Only the newest state matters, so the socket keeps only that."""

    def __init__(self, owner: Context, address: str, topic: str = "") -> None:
        super().__init__(owner, zmq.SUB, queue=_META_QUEUE_MESSAGES)
        self.raw.setsockopt(zmq.CONFLATE, 1)
        self.raw.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        self.raw.connect(address)

    @failpoints.delayed("meta.receive")
    def receive(self) -> bytes | None:
        """Return the newest frame or None."""
        frame = self.receive_frame()
        return None if frame is None else parse_meta(frame)[1]


class NeighbourSubscriber(Socket):
    """The Broker's Meta socket that hears its neighbours: those that dial it, and those that it dials."""

    def __init__(self, owner: Context, address: str, topic: str) -> None:
        super().__init__(owner, zmq.SUB, queue=_META_QUEUE_MESSAGES)
        set_heartbeat(self.raw)
        self.raw.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        self.raw.bind(address)

    def receive(self) -> tuple[str, bytes] | None:
        """Return (sender, frame) or None."""
        frame = self.receive_frame()
        return None if frame is None else parse_meta(frame)


def parse_meta(frame: bytes) -> tuple[str, bytes]:
    """Return (sender, message) of a Meta frame."""
    _, _, rest = frame.partition(b"\0")
    sender, _, message = rest.partition(b"\0")
    return sender.decode("utf-8", "replace"), message


def drained(receive: Callable[[], R | None], most: int) -> Iterator[R]:
    """Receive until nothing is left, but no more than `most` times, so that one socket holds up no other."""
    return islice(iter(receive, None), most)


def wait(
    sockets: Sequence[Socket], descriptors: Sequence[int], seconds: float | None
) -> tuple[list[Socket], list[int]]:
    """Wait until a socket or a descriptor can be read; return those that may. `seconds` None: without limit.

    Of a socket that is returned there may be nothing to receive: its descriptor also tells of connections.
    """
    readable: list[Socket] = []
    pipes: list[int] = []
    quiet: dict[int, Socket] = {}
    poller = select.poll()
    for socket in sockets:
        if socket.is_quiet or not socket.is_readable():
            quiet[socket.fd] = socket
            poller.register(socket.fd, select.POLLIN)
        else:
            readable.append(socket)
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    if readable:
        seconds = 0.0
    milliseconds = None if seconds is None else max(0, int(min(seconds, WAIT_AT_MOST_SECONDS) * 1000 + 0.999))
    for descriptor, _ in poller.poll(milliseconds):
        found = quiet.get(descriptor)
        if found is not None:
            readable.append(found)
        else:
            pipes.append(descriptor)
    return readable, pipes
