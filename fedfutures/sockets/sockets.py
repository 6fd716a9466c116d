"""Main (ROUTER-DEALER) and Meta (PUB-SUB) sockets with the options that this product relies on.

``send`` never blocks and never fails for a peer's reason: what cannot be handed over is dropped, as it is when a peer
dies with frames in its queue, and the link's Channel repeats it. ``receive`` never blocks either; waiting is done on
the file descriptor (:attr:`fd`) or with :func:`wait`.

The descriptor of a ZeroMQ socket is edge-triggered: it speaks once per change, and any use of the socket may eat the
change. So whoever has used a socket calls ``receive`` until it returns None before anyone waits on ``fd`` again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

_QUEUE_MESSAGES = 100_000  # Demand bounds what is under way; this is the last line of defence
_LINGER_MS = 200
_RECONNECT_MS, _RECONNECT_AT_MOST_MS = 5, 1000  # nodes of one host start together: the Broker is a moment away
_READABLE = int(zmq.POLLIN)
_FIRST = int(zmq.NOBLOCK | zmq.SNDMORE)


def context() -> zmq.Context[zmq.Socket[bytes]]:
    """Make the ZeroMQ context of a process, after its last fork."""
    return zmq.Context()


class _Socket:
    """What the four have in common."""

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

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            pass


class MainRouter(_Socket):
    """The Broker's Main socket: every peer is known by the name it gave its own socket."""

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        super().__init__(owner, zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.bind(address)

    def receive(self) -> tuple[str, bytes] | None:
        """Return (peer, frame) or None."""
        socket = self._socket
        if not self._readable():
            return None
        peer = socket.recv(zmq.NOBLOCK).decode("utf-8", "replace")
        frame = socket.recv(zmq.NOBLOCK, copy=False)
        if not frame.more:
            return peer, frame.bytes
        while frame.more:  # no message of ours has more frames
            frame = socket.recv(zmq.NOBLOCK, copy=False)
        return peer, b""

    def send(self, peer: str, frame: bytes) -> None:
        """Send a frame to a peer, if it is there."""
        try:
            self._socket.send(peer.encode(), _FIRST)
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.ZMQError:
            pass  # gone or clogged: the Channel repeats


class MainDealer(_Socket):
    """A Worker's or Origin's Main socket."""

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], address: str, name: str) -> None:
        super().__init__(owner, zmq.DEALER)
        self._socket.setsockopt(zmq.ROUTING_ID, name.encode())
        self._socket.connect(address)

    def receive(self) -> bytes | None:
        """Return a frame or None."""
        return self._receive()

    def send(self, frame: bytes) -> None:
        """Send a frame to the Broker."""
        self._send(frame)


class MetaPublisher(_Socket):
    """The Broker's Meta socket."""

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        super().__init__(owner, zmq.PUB, queue=1000)
        self._socket.bind(address)

    def publish(self, frame: bytes) -> None:
        """Send a frame to whoever listens."""
        self._send(frame)


class MetaSubscriber(_Socket):
    """A Worker's Meta socket. Only the newest state matters, so only that is kept."""

    def __init__(self, owner: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        super().__init__(owner, zmq.SUB)
        self._socket.setsockopt(zmq.CONFLATE, 1)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._socket.connect(address)

    def receive(self) -> bytes | None:
        """Return the newest frame or None."""
        return self._receive()


def wait(sockets: Sequence[MainRouter], descriptors: Sequence[int], seconds: float | None) -> list[int]:
    """Wait until a socket or a descriptor can be read; return the readable descriptors. None: without limit."""
    interest: list[tuple[Any, int]] = [(socket._socket, zmq.POLLIN) for socket in sockets]
    interest += [(descriptor, zmq.POLLIN) for descriptor in descriptors]
    ready = zmq.zmq_poll(interest, -1 if seconds is None else max(0, int(seconds * 1000 + 0.999)))
    return [what for what, _ in ready if isinstance(what, int)]
