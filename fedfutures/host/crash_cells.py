"""Memory that a Worker shares with the host process, which reads it when the Worker has died.

At the start of each Future the Worker stores its numbers there: so the host process can tell a Future that kills its
Worker from those that wait beside it. Of a Future that has the Worker to itself it stores when its time is over; then
the host process ends the Worker, whatever that does; and how much memory it may use, if that is limited. Two halves of
a spool hold what the Worker has printed and not written yet.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable

from ..wire.messages import MAX_COUNT, MAX_PIECE
from .capture_ring import RING_BYTES, CaptureRing

PIECE, NUMBER, READY, HALF, SENT, ALONE_PIECE, ALONE_NUMBER, OVER_AT, LOOK_AT, NESTED = range(10)
MAY_USE, BEGUN_BYTES, READY_BYTES, WAITS_PIECE, WAITS_NUMBER, ONCE_PIECE, ONCE_NUMBER, TOLD = range(10, 18)
SPOOL_BYTES = 64 << 10


def came_of(chunk: bytes, count: int, tail: bytes) -> int:
    """Return how much of a chunk has arrived; it began `count` bytes ago, and `tail` is what arrived last.

    >>> came_of(b"one two ", 8, b"zero one two "), came_of(b"one two ", 0, b"zero "), came_of(b"one two ", 9, b"one t")
    (8, 0, 5)
    """
    if 0 <= count <= len(chunk) and tail.endswith(chunk[:count]):
        return count
    return next((size for size in range(len(chunk), 0, -1) if tail.endswith(chunk[:size])), 0)


class CrashCells:
    """The shared memory, made before the fork. ``cells[PIECE]`` is 0 while no Future runs.

    With `keep` it is not freed when it is closed: it is emptied, and `keep` has it for the next Worker.
    """

    def __init__(self, keep: Callable[[CrashCells], object] | None = None) -> None:
        self._keep = keep
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.cells = memoryview(self._memory).cast("Q")
        self.halves = [mmap.mmap(-1, SPOOL_BYTES) for _ in range(2)]
        self.captures = [mmap.mmap(-1, RING_BYTES) for _ in range(2)]  # the output of a call, if that is kept

    def running(self) -> tuple[int, int] | None:
        """Return (piece, id) of the Future that was running, or None; what died may have written anything."""
        piece, number = self.cells[PIECE], self.cells[NUMBER]
        return (piece, number) if 0 < piece <= MAX_PIECE and number <= MAX_COUNT else None

    def begun_once(self) -> tuple[int, int]:
        """Return (piece, id) of the last Future that has begun of those that start once at most; (0, 0): none."""
        piece, number = self.cells[ONCE_PIECE], self.cells[ONCE_NUMBER]
        return (piece, number) if 0 < piece <= MAX_PIECE and number <= MAX_COUNT else (0, 0)

    @property
    def nested(self) -> bool:
        """Whether an own Future ran inside of the one that is named."""
        return bool(self.cells[NESTED])

    def alone(self) -> tuple[int, int, int] | None:
        """Return (piece, id, when its time is over) of the Future that has the Worker to itself, if that is open.

        The time is that of ``time.monotonic_ns``, which is one clock for all processes of a machine.
        """
        piece, number, over_at = (self.cells[cell] for cell in (ALONE_PIECE, ALONE_NUMBER, OVER_AT))
        return (piece, number, over_at) if over_at and 0 < piece <= MAX_PIECE and number <= MAX_COUNT else None

    def waiting(self) -> tuple[int, int] | None:
        """Return (piece, id) of the last Future that began to wait, if one waits; Workers with a limit say it."""
        piece, number = self.cells[WAITS_PIECE], self.cells[WAITS_NUMBER]
        return (piece, number) if 0 < piece <= MAX_PIECE and number <= MAX_COUNT else None

    def memory(self) -> tuple[int, int, int]:
        """Return how many bytes were used when the Worker was ready, when its alone Future began, and may be by that.

        0: that is not limited.
        """
        return self.cells[READY_BYTES], self.cells[BEGUN_BYTES], self.cells[MAY_USE]

    def look_at(self, at: int) -> None:
        """Say when the host process looks next whether a time is over; 0: not before it is woken."""
        self.cells[LOOK_AT] = at

    def note_told(self) -> None:
        """The host process has sent the child a frame: a Worker looks here, for it reads its pipe only at leisure."""
        self.cells[TOLD] += 1

    @property
    def ready(self) -> bool:
        """Whether the Worker had become ready."""
        return bool(self.cells[READY])

    def spooled(self, read: int, tail: bytes) -> bytes:
        """Return what the Worker has printed and not written; zeros fill the rest of each half.

        It may have died while it wrote the older half. How much of that has arrived follows from the number of bytes
        that were `read`, or from the last of them (`tail`) where its children have written, too.
        """
        half = self.cells[HALF] & 1
        older, newer = (self.halves[place][:].rstrip(b"\0") for place in (1 - half, half))
        return older[came_of(older, read - self.cells[SENT], tail) :] + newer

    def printed(self, piece: int, number: int) -> tuple[str, str] | None:
        """Return the standard output and error of a Future, if they are kept; of what died they may be anything."""
        rings = [CaptureRing(memory) for memory in self.captures]
        return (rings[0].text(), rings[1].text()) if rings[0].is_of(piece, number) else None

    def close(self) -> None:
        """Free the memory, or keep it."""
        if self._keep is not None:
            for memory in (self._memory, *self.halves, *self.captures):
                _empty(memory)
            self._keep(self)
            return
        self.cells.release()
        for memory in (*self.halves, *self.captures):
            memory.close()
        self._memory.close()


def _empty(memory: mmap.mmap) -> None:
    try:
        memory.madvise(mmap.MADV_REMOVE)  # which gives the pages back; those that follow are zeros
    except (AttributeError, OSError):
        memory[:] = bytes(len(memory))
