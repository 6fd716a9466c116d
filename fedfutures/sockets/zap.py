"""Who may connect: a ZAP handler, which answers ZeroMQ's question about each connection (RFC 27; docs/security.rst).

The question names the client's public key; CURVE has shown that the client holds the secret half. libzmq attaches the
key to every frame of the connection as its *User-Id*, and :meth:`ZapHandler.name_of` says whose it is *now*: once a
neighbour has another key, frames with the earlier one are nobody's. The Broker's loop serves the handler between two
rounds of its other sockets.
"""

from __future__ import annotations

import zmq
from zmq.utils import z85

from .options import DOMAIN
from .sockets import Context, Socket

_ADDRESS = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
_QUESTIONS_AT_ONCE = 256
_MOST_FRAMES = 16


class ZapHandler(Socket):
    """Serves the questions of all sockets of one context, once it is open."""

    def __init__(self, owner: Context) -> None:
        super().__init__(owner, zmq.ROUTER)
        self.raw.setsockopt(zmq.LINGER, 0)
        self._keys: dict[str, str] = {}  # by name
        self._names: dict[str, str] = {}  # by key
        self.admitted = self.refused = 0

    def open(self) -> None:
        """Begin to answer."""
        self.raw.bind(_ADDRESS)

    def allow(self, name: str, key: str) -> None:
        """Let in a neighbour with this public key, and no longer with the key it had before."""
        self._names.pop(self._keys.get(name, ""), None)
        self._keys[name] = key
        self._names[key] = name

    def forbid(self, name: str) -> None:
        """Let a neighbour in no longer, and accept no more frames from it."""
        self._names.pop(self._keys.pop(name, ""), None)

    def name_of(self, key: str) -> str | None:
        """Return who holds a key."""
        return self._names.get(key)

    def serve(self) -> None:
        """Answer what was asked."""
        for _ in range(_QUESTIONS_AT_ONCE):
            if not self.is_readable():
                return
            question = self.raw.recv_multipart(zmq.NOBLOCK)
            if 5 <= len(question) <= _MOST_FRAMES:
                answer = self._answer(question[2:])
                try:
                    self.is_quiet = False
                    self.raw.send_multipart([*question[:2], *answer], zmq.NOBLOCK)
                except zmq.ZMQError:
                    pass  # the connection that it is about is gone

    def _answer(self, question: list[bytes]) -> list[bytes]:
        version, number, domain, *rest = question
        # Behind the domain: the address, the routing id, the mechanism, and for CURVE the raw key.
        if version == _VERSION and domain == DOMAIN and len(rest) == 4 and rest[2] == b"CURVE":
            key = z85.encode(rest[3]).decode() if len(rest[3]) == 32 else ""
            if self.name_of(key) is not None:
                self.admitted += 1
                return [_VERSION, number, b"200", b"OK", key.encode(), b""]
        self.refused += 1
        return [_VERSION, number, b"400", b"not one of ours", b"", b""]
