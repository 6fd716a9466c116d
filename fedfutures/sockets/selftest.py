"""The self-test of bound sockets, before anybody is told where they are: do they refuse strangers?

In use nobody would see a mistake in an option, since everything would work, for everybody (docs/security.rst).
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
_DIALLED_BY = {zmq.ROUTER: ("Main", zmq.DEALER), zmq.PUB: ("Meta", zmq.SUB), zmq.SUB: ("subscriber", zmq.PUB)}
_REFUSED_KEY = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_REFUSED_UNASKED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
_REFUSED_PLAIN = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | _REFUSED_UNASKED  # as either end may be the first to see it
_ADMITTED = zmq.EVENT_HANDSHAKE_SUCCEEDED
_VERDICTS = _REFUSED_KEY | _REFUSED_PLAIN | _ADMITTED


@dataclass(slots=True)
class _Attempt:
    name: str
    expected: int
    socket: zmq.Socket[bytes]
    events: Any
    verdict: int = 0


def check_refusals(owner: Context, targets: Sequence[tuple[int, str]], server: str, zap: ZapHandler | None) -> None:
    """Dial each of `targets`, (kind, address), with an unknown key and, once there is a ZAP handler, without any.

    Raises :class:`StartFailed` unless each refuses that in the right way.
    """
    strangers = (
        [(make_keys(), _REFUSED_UNASKED)] if zap is None else [(make_keys(), _REFUSED_KEY), (None, _REFUSED_PLAIN)]
    )
    attempts = [_attempt(owner, *target, server, *stranger) for stranger in strangers for target in targets]
    try:
        deadline = time.monotonic() + SELFTEST_SECONDS
        while open_ones := [attempt for attempt in attempts if not attempt.verdict]:
            left = deadline - time.monotonic()
            if left <= 0:
                raise StartFailed(
                    f"the {open_ones[0].name} socket has not refused a stranger in {SELFTEST_SECONDS:.0f} s"
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
                raise StartFailed(f"the {attempt.name} socket {did}; nobody is told where it is")
    finally:
        for attempt in attempts:
            attempt.socket.disable_monitor()
            attempt.events.close(0)
            attempt.socket.close(0)


def _attempt(
    owner: Context, kind: int, address: str, server: str, keys: Keys | None, expected: int
) -> _Attempt:  # fmt: skip
    name, dials = _DIALLED_BY[zmq.SocketType(kind)]
    socket = owner.socket(dials)
    limit(socket, address, 1 << 10)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RECONNECT_IVL, -1)
    if keys is not None:
        present(socket, keys, server)
    events = socket.get_monitor_socket(_VERDICTS)
    socket.connect(address)
    return _Attempt(name, expected, socket, events)
