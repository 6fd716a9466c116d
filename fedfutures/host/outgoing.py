"""Frames on their way into a descriptor that does not block."""

from __future__ import annotations

import contextlib
import os
from collections import deque

from ..wire.control import ControlFrame
from ..wire.framing import pack


class Outgoing:
    """What waits to be sent, frame by frame; `size` is how many bytes that are."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._sent = 0  # bytes of the first frame
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._frames)

    def add(self, frame: ControlFrame) -> None:
        """Have a frame wait."""
        data = pack(frame)
        self._frames.append(data)
        self.size += len(data)

    def write(self, descriptor: int) -> None:
        """Send what the descriptor takes now; raises OSError when nobody reads any more."""
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
        """Somebody else reads now: the first frame is sent from its beginning."""
        self.size += self._sent
        self._sent = 0

    def clear(self) -> None:
        """Nobody reads any more."""
        self._frames.clear()
        self._sent = self.size = 0
