"""Who may connect: the answers to ZeroMQ's own question, by a handler of ours.

For each CURVE connection to a socket with a ZAP domain (RFC 27) libzmq asks ``inproc://zeromq.zap.01`` in the context
of that socket, before it delivers a single frame. The question names the client's public key; CURVE has shown that the
client holds the secret half. The gate answers from a table of names and keys. The key becomes the connection's
*User-Id*, which libzmq attaches to every frame that comes over it, and :meth:`Gate.name_of` says whose it is *now*:
once a neighbour has another key, what still comes over a connection with the earlier one is nobody's.

The gate has no thread: the Broker's loop serves it, between two rounds of its other sockets. A Broker that hangs lets
nobody in. Nor does one without a gate: the sockets demand an answer (:mod:`.far`).
"""

from __future__ import annotations

import zmq
from zmq.utils import z85

from .sockets import Context, _Socket

DOMAIN = "fedfutures"
_ADDRESS = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
_QUESTIONS_AT_ONCE = 256
_MOST_FRAMES = 16


class Gate(_Socket):
    """Serves the questions of all sockets of one context, once it is open."""

    def __init__(self, owner: Context) -> None:
        super().__init__(owner, zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._keys: dict[str, str] = {}  # by name
        self._names: dict[str, str] = {}  # by key
        self.admitted = self.refused = 0

    def open(self) -> None:
        """Begin to answer."""
        self._socket.bind(_ADDRESS)

    def allow(self, name: str, key: str) -> None:
        """Let a neighbour in that holds this public key, and no longer one that holds the key it had before."""
        self._names.pop(self._keys.get(name, ""), None)
        self._keys[name] = key
        self._names[key] = name

    def forbid(self, name: str) -> None:
        """Let a neighbour in no longer, and take no more from it."""
        self._names.pop(self._keys.pop(name, ""), None)

    def name_of(self, key: str) -> str | None:
        """Return who holds a key."""
        return self._names.get(key)

    def serve(self) -> None:
        """Answer what was asked."""
        for _ in range(_QUESTIONS_AT_ONCE):
            if not self._readable():
                return
            question = self._socket.recv_multipart(zmq.NOBLOCK)
            if 5 <= len(question) <= _MOST_FRAMES:
                answer = self._answer(question[2:])
                try:
                    self._socket.send_multipart([*question[:2], *answer], zmq.NOBLOCK)
                except zmq.ZMQError:
                    pass  # the connection that it is about is gone

    def _answer(self, question: list[bytes]) -> list[bytes]:
        version, number, domain, *rest = question
        # Behind the domain: the address, the routing id, the mechanism, and for CURVE the raw key.
        if version == _VERSION and domain == DOMAIN.encode() and len(rest) == 4 and rest[2] == b"CURVE":
            key = z85.encode(rest[3]).decode() if len(rest[3]) == 32 else ""
            if key in self._names:
                self.admitted += 1
                return [_VERSION, number, b"200", b"OK", key.encode(), b""]
        self.refused += 1
        return [_VERSION, number, b"400", b"not one of ours", b"", b""]
