"""The self-test of bound sockets, before anybody is told where they are: do they refuse those whom they should refuse?

A mistake in an option would not be seen in use, since everything would work, for everybody. So each socket is dialled
with a key that nobody has allowed, and without any. The first is done before there is a ZAP handler as well: a
socket that let all in whenever its handler is gone would be no good.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import zmq

from ..errors import StartFailed
from ..lazy_dataclass import dataclass
from .keys import Keys, make_keys
from .monitor import event_of
from .options import limit, present
from .sockets import Context
from .zap import ZapHandler

SELFTEST_SECONDS = 5.0  # a machine under load; the self-test itself takes a few milliseconds
_DIALS = {zmq.ROUTER: zmq.DEALER, zmq.PUB: zmq.SUB, zmq.SUB: zmq.PUB}
_REFUSED_KEY = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_REFUSED_UNASKED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
_REFUSED_PLAIN = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | _REFUSED_UNASKED  # as either end may be the first to see it
_ADMITTED = zmq.EVENT_HANDSHAKE_SUCCEEDED
_VERDICTS = _REFUSED_KEY | _REFUSED_PLAIN | _REFUSED_UNASKED | _ADMITTED
_NAMES = {zmq.ROUTER: "Main", zmq.PUB: "Meta", zmq.SUB: "ear"}


@dataclass(slots=True)
class BoundSocket:
    """A bound socket: its kind and where it is."""

    kind: int
    address: str


@dataclass(slots=True)
class _Attempt:
    target: BoundSocket
    expected: int
    socket: zmq.Socket[bytes]
    events: Any
    verdict: int = 0


def check_without_handler(owner: Context, targets: Sequence[BoundSocket], server: str) -> None:
    """See that nobody comes in while there is no ZAP handler; raise :class:`StartFailed`."""
    _try([_attempt(owner, target, server, make_keys(), _REFUSED_UNASKED) for target in targets], None)


def check_with_handler(owner: Context, targets: Sequence[BoundSocket], server: str, zap: ZapHandler) -> None:
    """See that an unknown key, and none at all, are refused; raise :class:`StartFailed`."""
    attempts = [_attempt(owner, target, server, make_keys(), _REFUSED_KEY) for target in targets]
    attempts += [_attempt(owner, target, server, None, _REFUSED_PLAIN) for target in targets]
    _try(attempts, zap)


def _attempt(
    owner: Context, target: BoundSocket, server: str, keys: Keys | None, expected: int
) -> _Attempt:  # fmt: skip
    socket = owner.socket(_DIALS[zmq.SocketType(target.kind)])
    limit(socket, target.address, 1 << 10)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RECONNECT_IVL, -1)
    if keys is not None:
        present(socket, keys, server)
    events = socket.get_monitor_socket(_VERDICTS)
    socket.connect(target.address)
    return _Attempt(target, expected, socket, events)


def _try(attempts: Sequence[_Attempt], zap: ZapHandler | None) -> None:
    try:
        deadline = time.monotonic() + SELFTEST_SECONDS
        while open_ones := [attempt for attempt in attempts if not attempt.verdict]:
            left = deadline - time.monotonic()
            if left <= 0:
                raise StartFailed(
                    f"the {_of(open_ones[0])} socket has not refused a stranger in {SELFTEST_SECONDS:.0f} s"
                )
            interest = [(attempt.events, zmq.POLLIN) for attempt in open_ones]
            if zap is not None:
                interest.append((zap.raw, zmq.POLLIN))
            zmq.zmq_poll(interest, int(left * 1000) + 1)
            if zap is not None:
                zap.serve()
            for attempt in open_ones:
                if int(attempt.events.getsockopt(zmq.EVENTS)) & int(zmq.POLLIN):
                    attempt.verdict = event_of(attempt.events.recv_multipart(zmq.NOBLOCK))[0]
        for attempt in attempts:
            if not attempt.verdict & attempt.expected:
                did = "let a stranger in" if attempt.verdict == _ADMITTED else "refused a stranger for a wrong reason"
                raise StartFailed(f"the {_of(attempt)} socket {did}; nobody is told where it is")
    finally:
        for attempt in attempts:
            attempt.socket.disable_monitor()
            attempt.events.close(0)
            attempt.socket.close(0)


def _of(attempt: _Attempt) -> str:
    return _NAMES[zmq.SocketType(attempt.target.kind)]
