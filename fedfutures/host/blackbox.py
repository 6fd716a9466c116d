"""What a Worker was doing when it died: four numbers in memory that it shares with the host process.

Written by the Worker at the start of each Future (two stores), read by the host process after its end. Without it
nobody could tell a Future that kills its Worker from the innocent ones that wait beside it.
"""

from __future__ import annotations

import mmap

PIECE, NUMBER, READY = range(3)


class BlackBox:
    """Shared between parent and child across a fork. ``cells[PIECE]`` is 0 while nothing runs."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.cells = memoryview(self._memory).cast("Q")

    def running(self) -> tuple[int, int] | None:
        """Return (piece, id) of the Future that was running, or None."""
        return (self.cells[PIECE], self.cells[NUMBER]) if self.cells[PIECE] else None

    @property
    def ready(self) -> bool:
        """Whether the Worker had become ready."""
        return bool(self.cells[READY])

    def close(self) -> None:
        """Give the memory back."""
        self.cells.release()
        self._memory.close()
