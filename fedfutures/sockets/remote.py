"""Encrypted sockets for neighbours on other hosts, open only to those whom the ZAP handler knows (docs/security.rst).

One Broker dials and the other binds a ROUTER for Main messages, a PUB for what it publishes and a SUB, its subscriber.
No message decides who has sent it. At a *bound* socket the sender is whoever holds the key of the connection. libzmq,
not the peer, draws the routing ids of the ROUTER; a neighbour is answered on its newest connection. At a *dialling*
socket the sender is the neighbour that was dialled: each has sockets of its own (:class:`Dialled`).
"""

from __future__ import annotations

from collections import deque

import zmq

from . import options
from .keys import Keys
from .monitor import Monitor
from .sockets import Context, Data, Dealer, Socket, parse_meta
from .zap import ZapHandler

_META_QUEUE_MESSAGES = 1000
_OLDER_CONNECTIONS_KNOWN = 8

Received = tuple[str, bytes, memoryview | None]
"""(neighbour, frame, data behind it). Neighbour "": nobody that is allowed (any more)."""


class _Bound(Socket):
    """A CURVE server at a port that the system chooses; `more` are options of its kind."""

    def __init__(self, owner: Context, kind: int, address: str, keys: Keys, more: dict[int, int | bytes]) -> None:
        super().__init__(owner, kind, options.MAIN_QUEUE_MESSAGES if kind == zmq.ROUTER else _META_QUEUE_MESSAGES)
        self.kind = kind
        for option, value in more.items():
            self.raw.setsockopt(option, value)
        endpoint = options.tcp(address, "*")
        options.limit(self.raw, endpoint, options.MAX_MAIN_BYTES if kind == zmq.ROUTER else options.MAX_META_BYTES)
        options.admit(self.raw, keys)
        try:
            self.raw.bind(endpoint)
        except zmq.ZMQError as error:
            self.raw.close(0)
            raise OSError(f"cannot listen at {address}: {error}") from None
        self.port = options.port_of(self.raw)


class RemoteRouter(_Bound):
    """The Main socket that neighbours on other hosts dial."""

    def __init__(self, owner: Context, address: str, keys: Keys, zap: ZapHandler) -> None:
        super().__init__(owner, zmq.ROUTER, address, keys, {zmq.ROUTER_MANDATORY: 1, zmq.ROUTER_HANDOVER: 0})
        self._zap = zap
        self._newest: dict[str, bytes] = {}  # routing ids by neighbour
        self._older: dict[str, deque[bytes]] = {}

    def receive(self) -> Received | None:
        """Return what has come, or None. A message of more than two frames is given out as an empty one."""
        if not self.is_readable():
            return None
        connection: bytes = self.raw.recv(zmq.NOBLOCK)
        frame = self.raw.recv(zmq.NOBLOCK, copy=False)
        name = self._zap.name_of(_key_of(frame))
        body, data = self.with_data(frame)
        if name is None:
            return "", b"", None
        if self._newest.get(name) != connection:
            self._note(name, connection)
        return name, body, data

    def _note(self, name: str, connection: bytes) -> None:
        """A neighbour speaks over another connection: a new one, or, late, over one that it had before."""
        older = self._older.setdefault(name, deque(maxlen=_OLDER_CONNECTIONS_KNOWN))
        if connection not in older:
            if name in self._newest:
                older.append(self._newest[name])
            self._newest[name] = connection

    def send(self, name: str, frame: bytes, data: Data | None = None) -> None:
        """Send a frame to a neighbour that has dialled, and data behind it."""
        connection = self._newest.get(name)
        if connection is not None:
            self.send_to(connection, frame, data)


class RemotePublisher(_Bound):
    """The Meta socket that neighbours on other hosts listen to."""

    def __init__(self, owner: Context, address: str, keys: Keys) -> None:
        super().__init__(owner, zmq.PUB, address, keys, {})


class RemoteSubscriber(_Bound):
    """The Meta socket that neighbours on other hosts publish to."""

    def __init__(self, owner: Context, address: str, keys: Keys, zap: ZapHandler, topic: str) -> None:
        super().__init__(owner, zmq.SUB, address, keys, {zmq.SUBSCRIBE: topic.encode() + b"\0"})
        self._zap = zap

    def receive(self) -> tuple[str, bytes] | None:
        """Return (neighbour, frame), or None; neighbour "": nobody that is allowed."""
        if not self.is_readable():
            return None
        frame = self.raw.recv(zmq.NOBLOCK, copy=False)
        name, body = self._zap.name_of(_key_of(frame)), frame.bytes
        while frame.more:
            frame = self.raw.recv(zmq.NOBLOCK, copy=False)
        return (name, parse_meta(body)[1]) if name else ("", b"")


class Dialled:
    """All sockets for one neighbour that this Broker dials.

    `server` is the key that the neighbour must hold, `topic` the name under which it speaks to this Broker, and `why`
    what went wrong with earlier sockets for it. Raises OSError for what is no address.
    """

    def __init__(
        self, owner: Context, name: str, addresses: tuple[str, str, str], keys: Keys, server: str, topic: str,
        why: str = "",
    ) -> None:  # fmt: skip
        self.main = Dealer(owner, zmq.DEALER, options.MAIN_QUEUE_MESSAGES)
        self.subscriber = Socket(owner, zmq.SUB, _META_QUEUE_MESSAGES)
        self.subscriber.raw.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        publisher = Socket(owner, zmq.PUB, _META_QUEUE_MESSAGES)
        self.send, self.receive, self.publish = self.main.send, self.main.receive_all, publisher.publish
        self._sockets = (self.main, self.subscriber, publisher)
        self.monitors: list[Monitor] = []
        for socket, address in zip(self._sockets, addresses):
            options.limit(
                socket.raw, address, options.MAX_MAIN_BYTES if socket is self.main else options.MAX_META_BYTES
            )
            options.present(socket.raw, keys, server)
            self.monitors.append(Monitor(socket.raw, address, name, why))
            try:
                socket.connect(address)
            except zmq.ZMQError as error:
                self.close()
                raise OSError(str(error)) from None
        self.monitor = self.monitors[0]

    def hear(self) -> bytes | None:
        """Return what the neighbour has published, or None."""
        frame = self.subscriber.receive_frame()
        return None if frame is None else parse_meta(frame)[1]

    def look(self) -> bool:
        """Note what has happened to the connections; return whether all have to be made anew."""
        for monitor in self.monitors:
            monitor.look()
        return any(monitor.is_dead for monitor in self.monitors)

    @property
    def stands(self) -> bool:
        """Whether all have made their handshakes."""
        return all(monitor.encrypted for monitor in self.monitors)

    def close(self) -> None:
        """Close all; what was not sent is lost: from now on the Broker dials the neighbour elsewhere, or anew."""
        for monitor in self.monitors:
            monitor.close()
        for socket in self._sockets:
            socket.raw.close(0)


def _key_of(frame: zmq.Frame) -> str:
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
