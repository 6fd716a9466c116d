"""Sockets for neighbours on other hosts: encrypted, and open to those alone whom the ZAP handler knows.

As between Brokers of one host, one Broker dials and the other is bound, on a ROUTER for Main messages, a PUB for what
it publishes and a SUB, its ear. Here the bound one is the CURVE server on all three.

No message decides who has sent it. At a *bound* socket the sender is whoever's key the connection has shown: the ZAP
handler attaches the key to each frame (:mod:`.zap`). libzmq, not the peer, draws the routing ids of the ROUTER; a
neighbour is answered on its newest connection. At a *dialling* socket the sender is the neighbour that was dialled:
each has sockets of its own (:class:`Dialled`), which speak to nobody who does not hold its secret key.
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
    """A CURVE server at a port that the system chooses."""

    def __init__(
        self, owner: Context, kind: int, address: str, keys: Keys, largest: int, queue: int
    ) -> None:  # fmt: skip
        super().__init__(owner, kind, queue)
        self.kind = kind
        self._prepare()
        endpoint = options.tcp(address, "*")
        options.limit(self.raw, endpoint, largest)
        options.admit(self.raw, keys)
        try:
            self.raw.bind(endpoint)
        except zmq.ZMQError as error:
            self.raw.close(0)
            raise OSError(f"cannot listen at {address}: {error}") from None
        self.port = options.port_of(self.raw)

    def _prepare(self) -> None:
        """Set what is to be set before it is bound."""


class RemoteRouter(_Bound):
    """The Main socket that neighbours on other hosts dial."""

    def __init__(self, owner: Context, address: str, keys: Keys, zap: ZapHandler) -> None:
        super().__init__(owner, zmq.ROUTER, address, keys, options.MAX_MAIN_BYTES, options.MAIN_QUEUE_MESSAGES)
        self._zap = zap
        self._newest: dict[str, bytes] = {}  # routing ids by neighbour
        self._older: dict[str, deque[bytes]] = {}

    def _prepare(self) -> None:
        self.raw.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.raw.setsockopt(zmq.ROUTER_HANDOVER, 0)

    def receive(self) -> Received | None:
        """Return what has come, or None. A message of more than two frames is given out as an empty one."""
        if not self.is_readable():
            return None
        connection: bytes = self.raw.recv(zmq.NOBLOCK)
        frame = self.raw.recv(zmq.NOBLOCK, copy=False)
        name, body, data = self._zap.name_of(_key_of(frame)), frame.bytes, None
        if frame.more:
            frame = self.raw.recv(zmq.NOBLOCK, copy=False)
            data = frame.buffer
            if frame.more:
                body, data = b"", None
            while frame.more:
                frame = self.raw.recv(zmq.NOBLOCK, copy=False)
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
        super().__init__(owner, zmq.PUB, address, keys, options.MAX_META_BYTES, _META_QUEUE_MESSAGES)


class RemoteEar(_Bound):
    """The Meta socket that neighbours on other hosts publish to."""

    def __init__(
        self, owner: Context, address: str, keys: Keys, zap: ZapHandler, topic: str
    ) -> None:  # fmt: skip
        self._topic, self._zap = topic, zap
        super().__init__(owner, zmq.SUB, address, keys, options.MAX_META_BYTES, _META_QUEUE_MESSAGES)

    def _prepare(self) -> None:
        self.raw.setsockopt(zmq.SUBSCRIBE, self._topic.encode() + b"\0")

    def receive(self) -> tuple[str, bytes] | None:
        """Return (neighbour, frame), or None; neighbour "": nobody that is allowed."""
        if not self.is_readable():
            return None
        frame = self.raw.recv(zmq.NOBLOCK, copy=False)
        name, body = self._zap.name_of(_key_of(frame)), frame.bytes
        while frame.more:
            frame = self.raw.recv(zmq.NOBLOCK, copy=False)
        return (name, parse_meta(body)[1]) if name else ("", b"")


class _Dealer(Dealer):
    def __init__(self, owner: Context, address: str, keys: Keys, server: str) -> None:
        super().__init__(owner, zmq.DEALER, options.MAIN_QUEUE_MESSAGES)
        options.limit(self.raw, address, options.MAX_MAIN_BYTES)
        options.present(self.raw, keys, server)


class _Meta(Socket):
    def __init__(
        self, owner: Context, kind: int, address: str, keys: Keys, server: str
    ) -> None:  # fmt: skip
        super().__init__(owner, kind, _META_QUEUE_MESSAGES)
        options.limit(self.raw, address, options.MAX_META_BYTES)
        options.present(self.raw, keys, server)


class Dialled:
    """All sockets for one neighbour that this Broker dials.

    `server` is the key that the neighbour must hold, `topic` the name under which it speaks to this Broker, and `why`
    what went wrong with earlier sockets for it.
    """

    def __init__(
        self, owner: Context, name: str, addresses: tuple[str, str, str], keys: Keys, server: str, topic: str,
        why: str = "",
    ) -> None:  # fmt: skip
        main, meta, ear = addresses
        self.main = _Dealer(owner, main, keys, server)
        self.ear = _Meta(owner, zmq.SUB, meta, keys, server)
        self._publisher = _Meta(owner, zmq.PUB, ear, keys, server)
        self.monitor = Monitor(self.main.raw, main, name, why)
        self._monitors = [self.monitor, Monitor(self.ear.raw, meta, name), Monitor(self._publisher.raw, ear, name)]
        self.ear.raw.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        self.main.raw.connect(main)
        self.ear.raw.connect(meta)
        self._publisher.raw.connect(ear)

    def receive(self) -> tuple[bytes, memoryview | None] | None:
        """Return (frame, data behind it), or None."""
        return self.main.receive_all()

    def hear(self) -> bytes | None:
        """Return what the neighbour has published, or None."""
        frame = self.ear.receive_frame()
        return None if frame is None else parse_meta(frame)[1]

    def send(self, frame: bytes, data: Data | None = None) -> None:
        """Send a frame, and data behind it."""
        self.main.send(frame, data)

    def publish(self, topic: str, sender: str, frame: bytes) -> None:
        """Send a state, if the neighbour listens."""
        self._publisher.publish(topic, sender, frame)

    def look(self) -> bool:
        """Take in what has happened to the connections; return whether all have to be made anew."""
        for monitor in self._monitors:
            monitor.look()
        return any(monitor.is_dead for monitor in self._monitors)

    def close(self) -> None:
        """Close all; what was not sent is lost, since the neighbour is dialled elsewhere from now on, or anew."""
        for monitor in self._monitors:
            monitor.close()
        for socket in (self.main, self.ear, self._publisher):
            socket.raw.close(0)


def _key_of(frame: zmq.Frame) -> str:
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
