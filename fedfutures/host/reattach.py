"""The host process's connection to the launching side: frames on descriptors 0 and 1, and what follows its loss.

On the launching machine two pipes are the connection, and the run ends with them. Elsewhere it is an ssh session. When
that is lost, the host process listens at its *door*, a socket in its private directory, by which the launching side
comes back (:mod:`.attach`). How long it goes on, :mod:`~fedfutures.supervision.contact` says: for its *grace*, unless
the launching side has ended as well. While that lives, it sends heartbeats.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable

from ..errors import RemoteProtocolError
from ..supervision.contact import Contact, ParentLink
from ..wire.control import BeginHost, ControlFrame, NoWorkersLeft, Probe
from ..wire.framing import FrameReader, pack
from .fitness import answer_to
from .frame_line import UnsentFrames
from .settings import Settings, settings_from

UNSENT_AT_MOST_BYTES = 16 << 20
DOOR = "door"
REST_SECONDS = 1.0


def open_door(directory: str, poller: select.poll, backlog: int = 4, name: str = DOOR) -> socket.socket:
    """Listen at the door of this name in a private directory; `poller` says when somebody comes."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    door.bind(os.path.join(directory, name))
    door.listen(backlog)
    poller.register(door.fileno(), select.POLLIN)
    return door


def read_settings() -> tuple[Settings, FrameReader, list[ControlFrame]]:
    """Read the settings, and the frames behind them; exit when the launching side is gone. It may send Probes first."""
    reader = FrameReader()
    while data := os.read(0, 65536):
        try:
            frames = reader.feed(data)
            for place, frame in enumerate(frames):
                if isinstance(frame, Probe):
                    os.write(1, pack(answer_to(frame)))
                elif isinstance(frame, BeginHost):
                    return settings_from(frame.settings), reader, frames[place + 1 :]
        except RemoteProtocolError as error:
            raise SystemExit(f"fedfutures: the launching side sent a malformed frame: {error}") from None
    raise SystemExit(0)


def tell_end(reason: str) -> None:
    """Tell the launching side why this host ends; it may be gone."""
    with contextlib.suppress(OSError):
        os.set_blocking(1, True)
        os.write(1, pack(NoWorkersLeft(reason)))


class LaunchingSide:
    """Sends and receives frames; `poller` is the host process's, `link` looks at the link from the parent Broker."""

    def __init__(
        self, reader: FrameReader, contact: Contact, directory: str | None, poller: select.poll,
        link: Callable[[], ParentLink],
    ) -> None:  # fmt: skip
        self._reader, self._contact, self._poller, self._link = reader, contact, poller, link
        self.has_ended = False
        self.malformed = 0  # how often something else than a frame arrived
        self._unsent = UnsentFrames()
        self._door: socket.socket | None = None
        os.set_blocking(1, False)
        poller.register(0, select.POLLIN)
        if directory is not None:
            self._door = open_door(directory, poller)

    @property
    def door(self) -> int:
        """The descriptor at which the launching side comes back; -1 without one."""
        return -1 if self._door is None else self._door.fileno()

    @property
    def full(self) -> bool:
        """Whether so much is unsent that Workers' output has to wait in their pipes."""
        return self._unsent.size > UNSENT_AT_MOST_BYTES

    @property
    def lost(self) -> bool:
        """Whether the connection is lost, and the launching side has not come back."""
        return self._contact.is_lost

    def next_deadline(self) -> float | None:
        """Return when to call :meth:`tick`."""
        return self._contact.next_deadline()

    def tick(self, now: float) -> None:
        """End the run when nobody has come back in time."""
        if self._contact.wants_look(now):
            self._contact.on_link(self._link(), now)
        self.has_ended = self.has_ended or self._contact.is_over(now)

    def receive(self) -> list[ControlFrame]:
        """Read descriptor 0 and return its frames."""
        try:
            data = os.read(0, 1 << 18)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._lose()
            return []
        self._contact.on_heard(time.monotonic())
        try:
            return self._reader.feed(data)
        except RemoteProtocolError:
            self.malformed += 1
            self._lose(by_other=False)
            with open(os.devnull, "r+b", buffering=0) as null:  # hang up: the launching side is to come back
                for number in (0, 1):
                    os.dup2(null.fileno(), number)
            return []

    def accept(self) -> bool:
        """Replace the connection by the one at the door; return whether there was one."""
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
        self._contact.on_heard(time.monotonic())
        self._unsent.begin_again()
        self._poller.register(0, select.POLLIN)
        return True

    def send(self, frame: ControlFrame) -> None:
        """Send a frame, now or later."""
        self._unsent.add(frame)
        self.flush()

    def flush(self) -> None:
        """Send what is unsent, as far as the descriptor takes it."""
        if self.lost:
            return
        try:
            self._unsent.write(1)
        except OSError:  # nobody reads any more
            self._lose()
        if self.has_unsent:
            self._poller.register(1, select.POLLOUT)
        else:
            self._forget(1)

    @property
    def has_unsent(self) -> bool:
        """Whether there is something to send, and somebody who may take it."""
        return bool(self._unsent) and not self.lost

    def send_rest(self) -> None:
        """Send all that is unsent, within :data:`REST_SECONDS`."""
        deadline = time.monotonic() + REST_SECONDS
        while self.has_unsent and time.monotonic() < deadline:
            select.select([], [1], [], 0.1)
            self.flush()

    def _lose(self, *, by_other: bool = True) -> None:
        now = time.monotonic()
        self._contact.on_end(now, by_other=by_other)
        if self._contact.is_over(now):
            self.has_ended = True
            self._unsent.clear()
        self._forget(0)
        self._forget(1)

    def _forget(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError):
            self._poller.unregister(descriptor)
