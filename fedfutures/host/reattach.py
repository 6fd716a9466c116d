"""The host process's connection to the launching side: frames on descriptors 0 and 1, and what happens when it is lost.

On the launching machine the connection is a pair of pipes, and when they end, the run ends. On other hosts it is an ssh
session, which may end although the run goes on: then the host process goes on for its *grace* with the Futures that it
has, and listens at its *door*, a socket in its private directory, where the launching side comes back
(:mod:`.attach`). The run ends when the launching side says so, or when it was silent for as long as the grace lasts: it
sends heartbeats while it lives.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time

from ..errors import RemoteProtocolError
from ..wire.control import ControlFrame
from ..wire.framing import FrameReader
from .frame_line import Outgoing

UNSENT_AT_MOST_BYTES = 16 << 20
DOOR = "door"
REST_SECONDS = 1.0


class LaunchingSide:
    """Sends and receives frames; `poller` is the host process's."""

    def __init__(self, reader: FrameReader, grace: float, directory: str, poller: select.poll) -> None:
        self._reader, self._grace, self._poller = reader, grace, poller
        self.has_ended = False
        self.lost = False
        self.malformed = 0  # how often something came that is no frame
        self._heard_at = time.monotonic()
        self._unsent = Outgoing()
        self._door: socket.socket | None = None
        os.set_blocking(1, False)
        poller.register(0, select.POLLIN)
        if grace:
            self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self._door.bind(os.path.join(directory, DOOR))
            self._door.listen(4)
            poller.register(self._door.fileno(), select.POLLIN)

    @property
    def door(self) -> int:
        """The descriptor at which the launching side comes back; -1: there is none."""
        return -1 if self._door is None else self._door.fileno()

    @property
    def full(self) -> bool:
        """Whether so much waits to be sent that Workers' output had better wait in their pipes."""
        return self._unsent.size > UNSENT_AT_MOST_BYTES

    def next_deadline(self) -> float | None:
        """When to look whether the grace is over."""
        return self._heard_at + self._grace if self._grace else None

    def tick(self, now: float) -> None:
        """End the run when the launching side has not been heard for too long."""
        if self._grace and now >= self._heard_at + self._grace:
            self.has_ended = True

    def receive(self) -> list[ControlFrame]:
        """Return the frames that have come."""
        try:
            data = os.read(0, 1 << 18)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._lose()
            return []
        self._heard_at = time.monotonic()
        try:
            return self._reader.feed(data)
        except RemoteProtocolError:
            self.malformed += 1
            self._lose()
            with open(os.devnull, "r+b", buffering=0) as null:  # hang up: the launching side is to come back
                for number in (0, 1):
                    os.dup2(null.fileno(), number)
            return []

    def accept(self) -> bool:
        """Let the launching side come back, in place of the connection before; return whether it has."""
        assert self._door is not None
        try:
            connection, _ = self._door.accept()
        except OSError:
            return False
        for number in (0, 1):
            os.dup2(connection.fileno(), number)
        connection.close()
        os.set_blocking(0, False)
        self._reader = FrameReader()
        self._heard_at = time.monotonic()
        self.lost = False
        self._unsent.begin_again()
        self._poller.register(0, select.POLLIN)
        return True

    def send(self, frame: ControlFrame) -> None:
        """Send a frame; what cannot leave at once waits."""
        self._unsent.add(frame)
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self.lost:
            return
        try:
            self._unsent.write(1)
        except OSError:  # nobody reads any more
            self._lose()
        if self._unsent and not self.lost:
            self._poller.register(1, select.POLLOUT)
        else:
            self._forget(1)

    def send_rest(self) -> None:
        """Send what waits, for a bounded time."""
        deadline = time.monotonic() + REST_SECONDS
        while self._unsent and not self.lost and time.monotonic() < deadline:
            select.select([], [1], [], 0.1)
            self.flush()

    def _lose(self) -> None:
        if not self._grace:
            self.has_ended = True
            self._unsent.clear()
        self.lost = True
        self._forget(0)
        self._forget(1)

    def _forget(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError):
            self._poller.unregister(descriptor)
