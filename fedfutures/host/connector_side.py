"""The connector's way to the host process beside the program: frames that concern links, through the door.

The two pipes of that host process lead to the program, so whichever of program and connector ends, the other way stays.
A connector that comes replaces the one before it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable

from ..errors import RemoteProtocolError
from ..wire.control import ControlFrame
from .frame_line import FrameLine
from .reattach import DOOR, open_door


class ConnectorSide:
    """The door in `directory`, and who has come. `poller` is the host process's.

    With `launching_side` there is no door: that one is told what concerns links, as on any other host.
    """

    def __init__(
        self, directory: str, poller: select.poll, launching_side: Callable[[ControlFrame], None] | None
    ) -> None:  # fmt: skip
        self._poller, self._launching_side = poller, launching_side
        self._door: socket.socket | None = None
        self._connection: socket.socket | None = None
        self._line: FrameLine | None = None
        if launching_side is None:
            _remove_sockets(directory)
            self._door = open_door(directory, poller)

    def serve(self, descriptor: int, events: int, on_come: Callable[[], object]) -> list[ControlFrame] | None:
        """Return what the connector says; None: the descriptor belongs to somebody else.

        `on_come` is called when a connector has come. One that ends, or says what is no frame, is let go.
        """
        if self._door is not None and descriptor == self._door.fileno():
            if self._accept(self._door):
                on_come()
            return []
        if self._line is None or descriptor != self._line.read:
            return None
        data = self._line.exchange(events)
        with contextlib.suppress(RemoteProtocolError):
            if data is None or data:
                return self._line.reader.feed(data or b"")
        self._leave()
        return []

    def _accept(self, door: socket.socket) -> bool:
        try:
            connection, _ = door.accept()
        except OSError:
            return False
        self._leave()
        self._connection = connection
        self._line = FrameLine(connection.fileno(), connection.fileno(), self._poller)
        return True

    def send(self, frame: ControlFrame) -> None:
        """Send a frame, now or later; nobody is there to hear it while there is no connector."""
        if self._launching_side is not None:
            self._launching_side(frame)
        elif self._line is not None:
            self._line.send(frame)

    def let_go(self) -> None:
        """Close the descriptors in a process that the host process has forked."""
        for one in (self._door, self._connection):
            if one is not None:
                one.close()

    def _leave(self) -> None:
        if self._line is not None and self._connection is not None:
            self._line.let_go()
            self._connection.close()
            self._line = self._connection = None


def _remove_sockets(directory: str) -> None:
    """Remove what a host process before this one has left: its door and the sockets of its relay."""
    for name in os.listdir(directory):
        if name == DOOR or name.startswith("relay"):
            os.unlink(os.path.join(directory, name))
