"""Memory for the last bytes that a call prints, if they are kept for its Future (``options(capture=True)``).

The Worker writes into it, and the host process has it, too: so what a call has printed is not lost if the Worker dies.

>>> ring = CaptureRing(bytearray(RING_BYTES))
>>> ring.begin(5, 7)
>>> _ = ring.write(b"hello ") + ring.write(b"there")
>>> ring.text(), ring.is_of(5, 7), ring.is_of(5, 8)
('hello there', True, False)
"""

from __future__ import annotations

import threading
from struct import Struct
from typing import Any

KEPT_BYTES = 64 << 10
_HEAD = Struct("<QQQ")
"""Piece and number of the Future that prints, and how many bytes it has printed."""
RING_BYTES = _HEAD.size + KEPT_BYTES


class CaptureRing:
    """One stream: memory for its last bytes."""

    def __init__(self, memory: Any) -> None:
        self._memory = memory
        self._lock = threading.Lock()

    def begin(self, piece: int, number: int) -> None:
        """A Future begins; what the one before has printed is forgotten."""
        with self._lock:
            _HEAD.pack_into(self._memory, 0, piece, number, 0)

    def write(self, data: Any) -> int:
        """Append bytes."""
        view = memoryview(data).cast("B")
        count, tail = len(view), view[-KEPT_BYTES:]
        with self._lock:
            piece, number, total = _HEAD.unpack_from(self._memory)
            at = (total + count - len(tail)) % KEPT_BYTES
            first, rest = tail[: KEPT_BYTES - at], tail[KEPT_BYTES - at :]
            self._memory[_HEAD.size + at : _HEAD.size + at + len(first)] = bytes(first)
            self._memory[_HEAD.size : _HEAD.size + len(rest)] = bytes(rest)
            _HEAD.pack_into(self._memory, 0, piece, number, total + count)
        return count

    def text(self) -> str:
        """Return what was printed, as text; a first line says how much is missing."""
        total = _HEAD.unpack_from(self._memory)[2]
        body = bytes(self._memory[_HEAD.size :])
        if total <= KEPT_BYTES:
            return body[:total].decode("utf-8", "replace")
        at = total % KEPT_BYTES
        text = (body[at:] + body[:at]).decode("utf-8", "replace")
        return f"[... {total - KEPT_BYTES} bytes before this are left out ...]\n{text}"

    def is_of(self, piece: int, number: int) -> bool:
        """Whether this Future is the one that prints here."""
        return piece > 0 and _HEAD.unpack_from(self._memory)[:2] == (piece, number)
