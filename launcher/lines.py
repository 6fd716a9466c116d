"""Frames over a pair of descriptors that never block: what the connector has to each host and to the program."""

from __future__ import annotations

import contextlib
import os
import select

from fedfutures.host.outgoing import Outgoing
from fedfutures.wire.control import ControlFrame
from fedfutures.wire.framing import FrameReader

READ_BYTES = 1 << 18


class Line:
    """One end of a connection; a descriptor of -1 is closed."""

    def __init__(self, read: int, write: int, poller: select.poll, reader: FrameReader | None = None) -> None:
        self.read, self.write, self._poller = read, write, poller
        self.reader = reader or FrameReader()
        self.unsent = Outgoing()
        for descriptor in (read, write):
            os.set_blocking(descriptor, False)
        poller.register(read, select.POLLIN)

    def receive(self) -> bytes | None:
        """Return the bytes that have come, b"" at the end of the line, None if there are none."""
        try:
            return os.read(self.read, READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def say(self, frame: ControlFrame) -> None:
        """Send a frame; what cannot leave at once waits."""
        self.unsent.add(frame)
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self.write < 0:
            self.unsent.clear()
            return
        try:
            self.unsent.write(self.write)
        except OSError:  # nobody reads any more; that is seen at the other descriptor
            self.unsent.clear()
        events = select.POLLOUT if self.unsent else 0
        if self.write == self.read:
            self._poller.register(self.read, events | select.POLLIN)
        elif events:
            self._poller.register(self.write, events)
        else:
            self._forget(self.write)

    def hang_up(self) -> None:
        """Close the sending end, where that is a descriptor of its own."""
        self._forget(self.write)
        os.close(self.write)
        self.write = -1

    def let_go(self) -> None:
        """Stop polling; who owns the descriptors closes them."""
        for descriptor in {self.read, self.write}:
            self._forget(descriptor)
        self.read = self.write = -1
        self.unsent.clear()

    def _forget(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._poller.unregister(descriptor)
