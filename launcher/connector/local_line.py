"""The connector's way to this machine's host process: it comes to the door of each one that follows another."""

from __future__ import annotations

import os
import select
import socket

from fedfutures.host.frame_line import FrameLine
from fedfutures.host.reattach import DOOR
from fedfutures.wire.control import ControlFrame


class LocalLine:
    """A connection to the host process, while there is one; `poller` is the connector's."""

    def __init__(self, poller: select.poll) -> None:
        self._poller = poller
        self._socket: socket.socket | None = None
        self._line: FrameLine | None = None

    @property
    def descriptor(self) -> int:
        """The one to read from and to write to; -1: there is no connection."""
        return -1 if self._line is None else self._line.read

    def come(self, directory: str) -> None:
        """Come to the door in the private directory of the host process; it may be dead again."""
        self.leave()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(os.path.join(directory, DOOR))
        except OSError:
            self._socket.close()
            return
        self._line = FrameLine(self._socket.fileno(), self._socket.fileno(), self._poller)

    def serve(self, events: int) -> list[ControlFrame]:
        """Send what is unsent, and return what has come. Raises RemoteProtocolError for what is no frame."""
        assert self._line is not None
        data = self._line.exchange(events)
        if data is None:
            return []
        if not data:  # the host process has ended; the program says when there is another one
            self.leave()
        return self._line.reader.feed(data) if data else []

    def send(self, frame: ControlFrame) -> None:
        """Send a frame; without a connection, drop it: who comes to a door is told all anew."""
        if self._line is not None:
            self._line.send(frame)

    def leave(self) -> None:
        """Close the connection."""
        if self._line is not None and self._socket is not None:
            self._line.let_go()
            self._socket.close()
            self._line = None
