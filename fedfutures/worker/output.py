"""What Futures print leaves the Worker at once: standard output by the line, standard error as it is written.

A flood is written together: once :data:`LINES_AT_ONCE` lines have come within :data:`SECONDS`, those that follow stay
in memory that the host process has, too, and a thread writes them every :data:`WRITE_SECONDS`. If the Worker dies, the
host process finds them there (:class:`..host.crash_cells.CrashCells`). The memory has two halves: lines are appended to
one, by its own ``write`` in C, while the other one is written to the pipe; so the Worker does not wait for a lock.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import sys
import threading
import time
from typing import Any

from .. import failpoints
from ..host.crash_cells import HALF, SENT, SPOOL_BYTES, CrashCells
from ..host.system import write_all

LINES_AT_ONCE = 500
SECONDS = 0.05
WRITE_SECONDS = 0.005
QUIET_TIMES = 10
_NEVER = 1 << 62


class Spool(io.BufferedIOBase):
    """The buffer below a stream of text that ends its lines with :meth:`flush`."""

    def __init__(self, descriptor: int, halves: list[mmap.mmap], cells: Any) -> None:
        """`cells` tell whoever finds the halves which is the newer one, and how much was written before the other."""
        self._descriptor = descriptor
        self._halves, self._cells = halves, cells
        self._append = halves[0].write
        self._active = 0
        self._lines, self._burst, self._began = 0, LINES_AT_ONCE, 0.0
        self._lock = threading.RLock()
        self._flooded: threading.Event | None = None
        self.raw = io.FileIO(descriptor, "w", closefd=False)
        self.name, self.mode = f"<fd {descriptor}>", "wb"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        """Take in bytes; they are written when a line ends."""
        try:
            return self._append(data)
        except ValueError:  # it is full
            return self._write_through(data)

    def _write_through(self, data: Any) -> int:
        with self._lock:
            self.write_out()
            size = memoryview(data).nbytes
            if size < SPOOL_BYTES:
                return self._append(data)
            self._write(data)
            self._cells[SENT] += size
            return size

    def flush(self) -> None:
        """A line has ended."""
        self._lines = lines = self._lines + 1
        if lines >= self._burst:
            now = time.monotonic()
            if now - self._began <= SECONDS:
                self._write_later()
                return
            self._began, self._lines = now, 0
        self.write_out()

    @failpoints.delayed("worker.output")
    def write_out(self) -> None:
        """Write what is there."""
        with self._lock:
            half = self._halves[self._active]
            self._active = self._cells[HALF] = 1 - self._active
            self._append = self._halves[self._active].write  # from here on nobody appends to the other one
            size = half.tell()
            if size:
                self._write(half[:size])
                half[:size] = bytes(size)
                half.seek(0)
                self._cells[SENT] += size

    def _write(self, data: Any) -> None:
        write_all(self._descriptor, memoryview(data).cast("B"))

    def _write_later(self) -> None:
        self.flush = bool  # type: ignore[method-assign, assignment]  # which does nothing, in C
        if self._flooded is None:
            self._flooded = threading.Event()
            threading.Thread(target=self._help, args=(self._flooded,), name="fedfutures-output", daemon=True).start()
        self._flooded.set()

    def _help(self, flooded: threading.Event) -> None:
        while True:
            flooded.wait()
            flooded.clear()
            quiet = 0
            while quiet < QUIET_TIMES:
                time.sleep(WRITE_SECONDS)
                quiet = 0 if self._halves[self._active].tell() else quiet + 1
                with contextlib.suppress(OSError):  # a Future has closed the descriptor: who prints next is told
                    self.write_out()
            with contextlib.suppress(OSError):
                self._at_rest()

    def _at_rest(self) -> None:
        """The flood is over: lines are written one by one again."""
        self._began, self._lines = time.monotonic(), 0
        vars(self).pop("flush", None)
        self.write_out()

    def forked(self) -> None:
        """In a process that a Future has forked: there is no thread to write, and the memory is the Worker's."""
        self._lock = threading.RLock()
        self._halves = [mmap.mmap(-1, SPOOL_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(2)]
        self._cells, self._active, self._burst = [0] * (SENT + 1), 0, _NEVER
        self._append = self._halves[0].write
        vars(self).pop("flush", None)

    def write_at_once(self) -> None:
        """In a template: whatever is printed is written, and no thread helps."""
        self._burst = _NEVER

    def adopt(self, halves: list[mmap.mmap], cells: Any) -> None:
        """In a Worker that was forked from a template: these are its memory and its cells."""
        self._halves, self._cells, self._active = halves, cells, 0
        self._append = halves[0].write
        self._lines, self._burst, self._began = 0, LINES_AT_ONCE, 0.0


class Output(io.TextIOWrapper):
    """Standard output; ``flush`` is a word of the user's."""

    def flush(self) -> None:
        super().flush()
        self.buffer.write_out()  # type: ignore[attr-defined]


def open_streams(unbuffered: bool, box: CrashCells) -> Spool | None:
    """Open the standard streams of this process, and return the spool; `unbuffered`, ``python -u``, has none."""
    sys.stderr = _at_once(2)
    if unbuffered:
        sys.stdout = _at_once(1)
        return None
    spool = Spool(1, box.halves, box.cells)
    sys.stdout = Output(spool, "utf-8", "backslashreplace", line_buffering=True)
    os.register_at_fork(before=spool.write_out, after_in_child=spool.forked)
    return spool


def _at_once(number: int) -> io.TextIOWrapper:
    raw: Any = open(number, "wb", buffering=0, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True, write_through=True)
