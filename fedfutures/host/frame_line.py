"""Sends and receives frames over descriptors that do not block."""

from __future__ import annotations

import contextlib
import os
import select
from collections import deque

from .. import failpoints
from ..wire.control import ControlFrame
from ..wire.framing import FrameReader, pack

READ_BYTES = failpoints.size("host.read", 1 << 18)


def read_first(reader: FrameReader, descriptor: int = 0) -> list[ControlFrame]:
    """Return the first frames from a descriptor that blocks, as soon as one is whole; [] if none comes."""
    frames: list[ControlFrame] = []
    while not frames and (data := os.read(descriptor, READ_BYTES)):
        frames = reader.feed(data)
    return frames


class UnsentFrames:
    """The frames that wait to be sent; `size` is their number of bytes."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._sent = 0  # bytes of the first frame
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._frames)

    def add(self, frame: ControlFrame) -> None:
        """Append a frame."""
        self.add_bytes(pack(frame))

    def add_bytes(self, data: bytes) -> None:
        """Append bytes that are no frame, for who does not read frames yet."""
        self._frames.append(data)
        self.size += len(data)

    def write(self, descriptor: int) -> None:
        """Write what the descriptor takes now; raise OSError when nobody reads any more."""
        with contextlib.suppress(BlockingIOError):
            while self._frames:
                first = self._frames[0]
                count = os.write(descriptor, memoryview(first)[self._sent :])
                self.size -= count
                self._sent += count
                if self._sent == len(first):
                    self._frames.popleft()
                    self._sent = 0

    def begin_again(self) -> None:
        """Send the first frame from its beginning: another process reads now."""
        self.size += self._sent
        self._sent = 0

    def clear(self) -> None:
        """Drop all frames."""
        self._frames.clear()
        self._sent = self.size = 0


class FrameLine:
    """One end of a connection. A descriptor of -1 is closed; both may be the same one, a socket."""

    def __init__(self, read: int, write: int, poller: select.poll, reader: FrameReader | None = None) -> None:
        self.read, self.write, self._poller = read, write, poller
        self.reader = reader or FrameReader()
        self.unsent = UnsentFrames()
        for descriptor in (read, write):
            os.set_blocking(descriptor, False)
        poller.register(read, select.POLLIN)

    def receive(self) -> bytes | None:
        """Return the bytes that have arrived, None if there are none, b"" at the end of the stream."""
        try:
            return os.read(self.read, READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def exchange(self, events: int) -> bytes | None:
        """Send and receive what the descriptor, a socket, is ready for; return as :meth:`receive` does."""
        if events & ~select.POLLIN:
            self.flush()
        return self.receive() if events & ~select.POLLOUT else None

    def send(self, frame: ControlFrame) -> None:
        """Send a frame, now or later."""
        self.unsent.add(frame)
        self.flush()

    def send_bytes(self, data: bytes) -> None:
        """Send bytes that are no frame, now or later."""
        self.unsent.add_bytes(data)
        self.flush()

    @failpoints.delayed("host.send")
    def flush(self) -> None:
        """Send what is unsent, as far as the descriptor takes it."""
        if self.write < 0:
            self.unsent.clear()
            return
        try:
            self.unsent.write(self.write)
        except OSError:  # nobody reads any more: the reading end will show it
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
        """Stop polling; the owner of the descriptors closes them."""
        for descriptor in {self.read, self.write}:
            self._forget(descriptor)
        self.read = self.write = -1
        self.unsent.clear()

    def _forget(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._poller.unregister(descriptor)
