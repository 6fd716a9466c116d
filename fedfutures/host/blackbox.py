"""What a Worker was doing when it died: a few numbers in memory that it shares with the host process.

Written by the Worker at the start of each Future (two stores), read by the host process after its end. Without it
nobody could tell a Future that kills its Worker from the innocent ones that wait beside it. Behind them is room for
what it has printed in a flood and not written yet.
"""

from __future__ import annotations

import mmap

PIECE, NUMBER, READY, HALF, WRITTEN = range(5)
SPOOL_BYTES = 64 << 10


class BlackBox:
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

    def spooled(self, came: int, tail: bytes) -> bytes:
        """Return what it has printed and not written: up to the zeros that the rest of each half is filled with.

        It may have died while the older half was being written, or just after. `came` is how many bytes have come
        through the pipe, and `tail` are the last of them: what the half has in common with their end is not returned.
        Others may write to the pipe, too, so neither the number nor the bytes tell alone.
        """
        newer = self.cells[HALF]
        older, newest = (half[:].rstrip(b"\0") for half in (self.halves[1 - newer], self.halves[newer]))
        most = max(0, min(len(older), came - self.cells[WRITTEN]))
        common = next(size for size in range(most, -1, -1) if tail.endswith(older[:size]))
        return older[common:] + newest

    def close(self) -> None:
        """Give the memory back."""
        self.cells.release()
        for half in self.halves:
            half.close()
        self._memory.close()
