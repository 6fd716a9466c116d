"""Why a link does not come up, in words: what libzmq says of the connection of one dialling socket.

It also says when a socket is of no use any more. libzmq connects again when a connection was lost or a handshake broke
off, but not when the other end said no. Such a socket has to be made anew.
"""

from __future__ import annotations

import struct
import time

import zmq

from .options import CONNECT_MS
from .sockets import Socket

_EVENTS_AT_ONCE = 64
_RETRIED_WITHIN_SECONDS = 0.5
_HEARD = (
    zmq.EVENT_CONNECT_DELAYED | zmq.EVENT_CONNECT_RETRIED | zmq.EVENT_CONNECTED | zmq.EVENT_CLOSED
    | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)  # fmt: skip
_LOST = {
    int(event)
    for event in (
        zmq.EVENT_DISCONNECTED, zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    )
}  # fmt: skip


def event_of(frames: list[bytes]) -> tuple[int, int]:
    """Return (event, value) of a monitor's message, as zmq_socket_monitor(3) has it.

    pyzmq has a function for that, whose module loads asyncio: as long as all the rest of a Broker takes.
    """
    event, value = struct.unpack("=Hi", frames[0])
    return event, value


class Monitor(Socket):
    """Listens to the events of a socket that is about to connect to the neighbour `name` at `address`.

    libzmq says that an attempt to connect has ended, not why; how long it took tells the two ways apart.
    """

    def __init__(self, socket: zmq.Socket[bytes], address: str, name: str, why: str = "") -> None:
        self._watched, self._address, self._name = socket, address.removeprefix("tcp://"), name
        self.raw: zmq.Socket[bytes] = socket.get_monitor_socket(_HEARD)
        self.raw.setsockopt(zmq.LINGER, 0)
        self._tried_at = time.monotonic()
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
        self._lost_at = time.monotonic() if event in _LOST else None
        if event == zmq.EVENT_CONNECT_DELAYED:
            self._tried_at, self._connected = time.monotonic(), False
        elif event == zmq.EVENT_CONNECTED:
            self._connected, self._failed = True, False
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.encrypted, self.why = True, ""
        elif event == zmq.EVENT_CLOSED:
            waited = time.monotonic() - self._tried_at
            if not self._connected and waited > 0.9 * CONNECT_MS / 1000:
                self.why = f"no answer from {self._address} within {CONNECT_MS // 1000} s"
            elif not self._connected:
                self.why = f"nobody listens at {self._address}, or no way leads there: the connection was refused"
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self._failed = True
            self.why = f"{self._name} at {self._address} does not accept this Broker's key"
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            self._failed = True
            self.why = f"what answers at {self._address} does not speak as a Broker does: error {value:#x}"
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._failed = True
            self.why = f"who answers at {self._address} does not hold the key that {self._name} announced over ssh"
        elif event == zmq.EVENT_DISCONNECTED:
            if self.encrypted:
                self.encrypted, self.why = False, f"the connection to {self._address} was lost"
            elif not self._failed:
                self.why = f"{self._address} accepted the connection and then said nothing"

    def close(self) -> None:
        """Listen no longer."""
        self._watched.disable_monitor()
        self.raw.close(0)
