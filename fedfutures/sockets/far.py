"""Sockets for neighbours on other hosts: encrypted, and open to those alone whom the gate knows.

As between Brokers of one host, one Broker dials and the other is bound, on a ROUTER for Main messages, a PUB for what
it publishes and a SUB, its ear. Here the bound one is the CURVE server on all three.

Who is speaking is never what a message says. At a *bound* socket it is whose key the connection has shown: the gate
attaches the key to each frame (:mod:`.gate`). The routing ids of the ROUTER are drawn by libzmq, not chosen by peers;
the newest connection of a neighbour is the one that it is answered on. At a *dialling* socket it is the one that is
dialled: each neighbour has sockets of its own (:class:`Dialled`), which speak to nobody who does not hold its secret
key.
"""

from __future__ import annotations

from collections import deque

import zmq

from . import options
from .gate import Gate
from .keys import Keys
from .sockets import Context, Data, _opened, _Socket
from .watch import Watch

_META_QUEUE_MESSAGES = 1000
_OLDER_CONNECTIONS_KNOWN = 8

Received = tuple[str, bytes, memoryview | None]
"""(neighbour, frame, data behind it). Neighbour "": nobody that is allowed (any more)."""


class _Bound(_Socket):
    """A CURVE server at a port that the system chooses."""

    def __init__(
        self, owner: Context, kind: int, address: str, keys: Keys, largest: int, queue: int
    ) -> None:  # fmt: skip
        super().__init__(owner, kind, queue)
        self.kind = kind
        self._prepare()
        endpoint = options.tcp(address, "*")
        options.limit(self._socket, endpoint, largest)
        options.admit(self._socket, keys)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._socket.close(0)
            raise OSError(f"cannot listen at {address}: {error}") from None
        self.port = options.port_of(self._socket)

    def _prepare(self) -> None:
        """Set what is to be set before it is bound."""


class FarRouter(_Bound):
    """The Main socket that neighbours on other hosts dial."""

    def __init__(self, owner: Context, address: str, keys: Keys, gate: Gate) -> None:
        super().__init__(owner, zmq.ROUTER, address, keys, options.MAX_MAIN_BYTES, options.MAIN_QUEUE_MESSAGES)
        self._gate = gate
        self._newest: dict[str, bytes] = {}  # routing ids by neighbour
        self._older: dict[str, deque[bytes]] = {}

    def _prepare(self) -> None:
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 0)

    def receive(self) -> Received | None:
        """Return what has come, or None. A message of more than two frames is given out as an empty one."""
        if not self._readable():
            return None
        connection: bytes = self._socket.recv(zmq.NOBLOCK)
        frame = self._socket.recv(zmq.NOBLOCK, copy=False)
        name, body, data = self._gate.name_of(_key_of(frame)), frame.bytes, None
        if frame.more:
            frame = self._socket.recv(zmq.NOBLOCK, copy=False)
            data = frame.buffer
            if frame.more:
                body, data = b"", None
            while frame.more:
                frame = self._socket.recv(zmq.NOBLOCK, copy=False)
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
            self._send_to(connection, frame, data)


class FarPublisher(_Bound):
    """The Meta socket that neighbours on other hosts listen to."""

    def __init__(self, owner: Context, address: str, keys: Keys) -> None:
        super().__init__(owner, zmq.PUB, address, keys, options.MAX_META_BYTES, _META_QUEUE_MESSAGES)

    def publish(self, topic: str, sender: str, frame: bytes) -> None:
        """Send a frame to the neighbour of that name, if it listens."""
        self._publish(topic, sender, frame)


class FarEar(_Bound):
    """The Meta socket that neighbours on other hosts publish to."""

    def __init__(
        self, owner: Context, address: str, keys: Keys, gate: Gate, topic: str
    ) -> None:  # fmt: skip
        self._topic, self._gate = topic, gate
        super().__init__(owner, zmq.SUB, address, keys, options.MAX_META_BYTES, _META_QUEUE_MESSAGES)

    def _prepare(self) -> None:
        self._socket.setsockopt(zmq.SUBSCRIBE, self._topic.encode() + b"\0")

    def receive(self) -> tuple[str, bytes] | None:
        """Return (neighbour, frame), or None; neighbour "": nobody that is allowed."""
        if not self._readable():
            return None
        frame = self._socket.recv(zmq.NOBLOCK, copy=False)
        name, body = self._gate.name_of(_key_of(frame)), frame.bytes
        while frame.more:
            frame = self._socket.recv(zmq.NOBLOCK, copy=False)
        return (name, _opened(body)[1]) if name else ("", b"")


class _Dealer(_Socket):
    def __init__(self, owner: Context, address: str, keys: Keys, server: str) -> None:
        super().__init__(owner, zmq.DEALER, options.MAIN_QUEUE_MESSAGES)
        options.limit(self._socket, address, options.MAX_MAIN_BYTES)
        options.present(self._socket, keys, server)

    def receive(self) -> tuple[bytes, memoryview | None] | None:
        return self._receive_rest() if self._readable() else None

    def send(self, frame: bytes, data: Data | None = None) -> None:
        try:
            if data is None:
                self._socket.send(frame, zmq.NOBLOCK)
            else:
                self._send_with(frame, data)
        except zmq.Again:
            pass


class _Meta(_Socket):
    def __init__(
        self, owner: Context, kind: int, address: str, keys: Keys, server: str
    ) -> None:  # fmt: skip
        super().__init__(owner, kind, _META_QUEUE_MESSAGES)
        options.limit(self._socket, address, options.MAX_META_BYTES)
        options.present(self._socket, keys, server)


class Dialled:
    """All sockets for one neighbour that this Broker dials.

    `server` is the key that the neighbour must hold, `topic` under which name it speaks to this Broker.
    """

    def __init__(
        self, owner: Context, name: str, addresses: tuple[str, str, str], keys: Keys, server: str, topic: str
    ) -> None:  # fmt: skip
        main, meta, ear = addresses
        self.main = _Dealer(owner, main, keys, server)
        self.ear = _Meta(owner, zmq.SUB, meta, keys, server)
        self._publisher = _Meta(owner, zmq.PUB, ear, keys, server)
        self.watch = Watch(self.main._socket, main, name)
        self._watches = [self.watch, Watch(self.ear._socket, meta, name), Watch(self._publisher._socket, ear, name)]
        self.ear._socket.setsockopt(zmq.SUBSCRIBE, topic.encode() + b"\0")
        self.main._socket.connect(main)
        self.ear._socket.connect(meta)
        self._publisher._socket.connect(ear)

    def receive(self) -> tuple[bytes, memoryview | None] | None:
        """Return (frame, data behind it), or None."""
        return self.main.receive()

    def hear(self) -> bytes | None:
        """Return what the neighbour has published, or None."""
        frame = self.ear._receive()
        return None if frame is None else _opened(frame)[1]

    def send(self, frame: bytes, data: Data | None = None) -> None:
        """Send a frame, and data behind it."""
        self.main.send(frame, data)

    def publish(self, topic: str, sender: str, frame: bytes) -> None:
        """Send a state, if the neighbour listens."""
        self._publisher._publish(topic, sender, frame)

    def look(self) -> bool:
        """Take in what has happened to the connections; return whether all have to be made anew."""
        for watch in self._watches:
            watch.look()
        return any(watch.is_dead for watch in self._watches)

    def close(self) -> None:
        """Close all; what was not sent is lost, since the neighbour is dialled elsewhere from now on, or anew."""
        for watch in self._watches:
            watch.close()
        for socket in (self.main, self.ear, self._publisher):
            socket._socket.close(0)


def _key_of(frame: zmq.Frame) -> str:
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
