"""Why a link does not come up, in words: the events that libzmq reports of one dialling socket.

They also show when a socket is of no use any more: libzmq connects again after a lost connection or a broken handshake,
but not after the other end has said no. Such a socket has to be made anew.
"""

from __future__ import annotations

import errno
import struct
import time

import zmq

from .options import CONNECT_MS, HANDSHAKE_MS
from .sockets import Socket

_EVENTS_AT_ONCE = 64
_RETRIED_WITHIN_SECONDS = 0.5
_HEARD = (
    zmq.EVENT_CONNECT_DELAYED | zmq.EVENT_CONNECT_RETRIED | zmq.EVENT_CONNECTED | zmq.EVENT_CLOSED
    | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)  # fmt: skip
_REFUSALS = {
    int(zmq.EVENT_HANDSHAKE_FAILED_AUTH): "{0} at {1} does not accept this Broker's key",
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL): "what answers at {1} does not speak as a Broker does: error {2:#x}",
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL): "",  # :func:`unexplained`
}  # fmt: skip


def unexplained(error: int, seconds: float, name: str, address: str) -> str:
    """Return what a handshake means that failed without a reason: `error` and how long after the connection was made.

    Nobody is accused who may be frozen or busy. A peer that cannot open the first message of CURVE closes the
    connection (EPIPE); so does ssh when its own connection is lost. When time is over, libzmq reports whatever error
    came last, so time is asked first.

    >>> unexplained(32, 0.01, "h.broker", "10.0.0.1:7")
    'who answers at 10.0.0.1:7 does not hold the key that h.broker announced over ssh'
    """
    if seconds < 0.9 * HANDSHAKE_MS / 1000:
        if error == errno.EPIPE and "://" not in address:
            return f"who answers at {address} does not hold the key that {name} announced over ssh"
        if error in (errno.EPIPE, errno.ECONNRESET):
            return f"the connection to {address} ended before {name} had answered"
    return (
        f"{name} does not answer: {address} accepted the connection and then said nothing; its host may be frozen, "
        "overloaded or cut off"
    )


def event_of(frames: list[bytes]) -> tuple[int, int]:
    """Return (event, value) of a monitor's message, as zmq_socket_monitor(3) has it.

    pyzmq has a function for that, whose module loads asyncio: as long as all the rest of a Broker takes.
    """
    event, value = struct.unpack("=Hi", frames[0])
    return event, value


class Monitor(Socket):
    """Listens to the events of a socket that is about to connect to the neighbour `name` at `address`."""

    def __init__(self, socket: zmq.Socket[bytes], address: str, name: str, why: str = "") -> None:
        self._watched, self._address, self._name = socket, address.removeprefix("tcp://"), name
        self.raw: zmq.Socket[bytes] = socket.get_monitor_socket(_HEARD)
        self.raw.setsockopt(zmq.LINGER, 0)
        self._tried_at = self._connected_at = time.monotonic()
        self._connected = self._failed = False
        self.encrypted = False  # the handshake has been made
        self.why = why  # what went wrong last
        self._lost_at: float | None = None  # the connection is lost, and libzmq has not said that it tries again

    def look(self) -> None:
        """Take in what has happened."""
        for _ in range(_EVENTS_AT_ONCE):
            if not self.is_readable():
                return
            self._note(*event_of(self.raw.recv_multipart(zmq.NOBLOCK)))

    @property
    def is_dead(self) -> bool:
        """Whether libzmq has given up."""
        return self._lost_at is not None and time.monotonic() > self._lost_at + _RETRIED_WITHIN_SECONDS

    def _note(self, event: int, value: int) -> None:
        self._lost_at = time.monotonic() if event in _REFUSALS or event == zmq.EVENT_DISCONNECTED else None
        if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            seconds = time.monotonic() - self._connected_at
            self._failed, self.why = True, unexplained(value, seconds, self._name, self._address)
        elif event in _REFUSALS:
            self._failed, self.why = True, _REFUSALS[event].format(self._name, self._address, value)
        elif event == zmq.EVENT_CONNECT_DELAYED:
            self._tried_at, self._connected = time.monotonic(), False
        elif event == zmq.EVENT_CONNECTED:
            self._connected, self._failed, self._connected_at = True, False, time.monotonic()
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.encrypted, self.why = True, ""
        elif event == zmq.EVENT_CLOSED and not self._connected:
            # libzmq says that an attempt has ended, not why; how long it took tells the two ways apart.
            if time.monotonic() - self._tried_at > 0.9 * CONNECT_MS / 1000:
                self.why = f"no answer from {self._address} within {CONNECT_MS // 1000} s"
            else:
                self.why = f"nobody listens at {self._address}, or no way leads there: the connection was refused"
        elif event == zmq.EVENT_DISCONNECTED and self.encrypted:
            self.encrypted, self.why = False, f"the connection to {self._address} was lost"
        elif event == zmq.EVENT_DISCONNECTED and not self._failed:
            self.why = f"{self._address} accepted the connection and then said nothing"

    def close(self) -> None:
        """Listen no longer."""
        self._watched.disable_monitor()
        self.raw.close(0)
