"""What a Worker was doing when it died: a few numbers in memory that it shares with the host process.

Written by the Worker at the start of each Future (two stores), read by the host process after its end. Without it
nobody could tell a Future that kills its Worker from the innocent ones that wait beside it. Behind them is room for
what it has printed in a flood and not written yet.
"""

from __future__ import annotations

import mmap

PIECE, NUMBER, READY, HALF, SENT = range(5)
SPOOL_BYTES = 64 << 10


def came_of(chunk: bytes, count: int, tail: bytes) -> int:
    """Return how much of a chunk has come, if it was begun `count` bytes ago and these were the last ones that came.

    >>> came_of(b"one two ", 8, b"zero one two "), came_of(b"one two ", 0, b"zero "), came_of(b"one two ", 9, b"one t")
    (8, 0, 5)
    """
    if 0 <= count <= len(chunk) and tail.endswith(chunk[:count]):
        return count
    return next((size for size in range(len(chunk), 0, -1) if tail.endswith(chunk[:size])), 0)


class CrashCells:
    """Shared between parent and child across a fork. ``cells[PIECE]`` is 0 while nothing runs."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.cells = memoryview(self._memory).cast("Q")
        self.halves = [mmap.mmap(-1, SPOOL_BYTES) for _ in range(2)]

    def running(self) -> tuple[int, int] | None:
        """Return (piece, id) of the Future that was running, or None."""
        return (self.cells[PIECE], self.cells[NUMBER]) if self.cells[PIECE] else None

    @property
    def ready(self) -> bool:
        """Whether the Worker had become ready."""
        return bool(self.cells[READY])

    def spooled(self, read: int, tail: bytes) -> bytes:
        """Return what it has printed and not written: up to the zeros that the rest of each half is filled with.

        It may have died while the older half was being written. How much of that has come follows from how many bytes
        were `read`, or where others have written, too, from the last ones.
        """
        older, newer = (self.halves[place][:].rstrip(b"\0") for place in (1 - self.cells[HALF], self.cells[HALF]))
        return older[came_of(older, read - self.cells[SENT], tail) :] + newer

    def close(self) -> None:
        """Give the memory back."""
        self.cells.release()
        for half in self.halves:
            half.close()
        self._memory.close()
