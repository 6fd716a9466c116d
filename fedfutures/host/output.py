"""Reads the pipes of Workers' standard output and error, at a bounded pace, and passes on what they print."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable

from .. import failpoints
from ..wire.control import ControlFrame, WorkerOutput
from .child import Child
from .lines import FULL_BYTES, Lines

READ_BYTES = FULL_BYTES
READS_AT_THE_END = 1024


class Outputs:
    """The pipes of all children. `send` sends a frame to the launching side."""

    def __init__(self, poller: select.poll, send: Callable[[ControlFrame], None]) -> None:
        self._poller, self._send = poller, send
        self._paused = False
        self._due: dict[int, tuple[Child, Lines]] = {}  # descriptors that have a deadline

    def add(self, child: Child) -> None:
        """Listen to a new child."""
        for descriptor in child.outputs:
            self._poller.register(descriptor, 0 if self._paused else select.POLLIN)

    def pace(self, paused: bool, children: Iterable[Child]) -> None:
        """Stop reading, or go on: while `paused`, what Workers print waits in their pipes."""
        if paused == self._paused:
            return
        self._paused = paused
        for child in children:
            self.add(child)
        for _, lines in self._due.values():
            lines.go_on(time.monotonic())

    @failpoints.delayed("host.output")
    def read(self, child: Child, descriptor: int) -> bool:
        """Read a pipe once and pass on its lines; return whether there was data."""
        stream, lines = child.outputs[descriptor]
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return False
        if stream == 1:
            child.note_read(data)
        text = lines.feed(data, time.monotonic()) if data else self._last_of(child, stream, lines)
        if text:
            self._send(WorkerOutput(child.name, stream, text))
        if not data:
            self._let_go(child, descriptor)
            return False
        if lines.rests_until is not None and not self._paused:
            self._poller.register(descriptor, 0)
        if lines.deadline() is not None:
            self._due[descriptor] = child, lines
        return True

    def deadline(self) -> float | None:
        """Return when :meth:`tick` has something to do."""
        if self._paused:
            return None
        found = [at for _, lines in self._due.values() if (at := lines.deadline()) is not None]
        return min(found) if found else None

    def tick(self, now: float) -> None:
        """Listen again to streams that have rested; pass on parts of lines whose end is late."""
        if self._paused:
            return
        for descriptor, (child, lines) in list(self._due.items()):
            if lines.has_rested(now):
                self._poller.register(descriptor, select.POLLIN)
            if part := lines.late(now):
                self._send(WorkerOutput(child.name, child.outputs[descriptor][0], part))
            if lines.deadline() is None:
                del self._due[descriptor]

    def drain(self, child: Child, *, close: bool) -> None:
        """Read all data that a child has left. `close`: the child has died, though a grandchild may hold the pipe."""
        for descriptor in list(child.outputs):
            for _ in range(READS_AT_THE_END):
                if not self.read(child, descriptor):
                    break
            if close and descriptor in child.outputs:
                stream, lines = child.outputs[descriptor]
                if rest := self._last_of(child, stream, lines):
                    self._send(WorkerOutput(child.name, stream, rest))
                self._let_go(child, descriptor)

    def _last_of(self, child: Child, stream: int, lines: Lines) -> bytes:
        """Return what is left of the stream of a Worker that has died, what it had not written yet included."""
        spooled = child.spooled() if stream == 1 else b""
        return (lines.feed(spooled, time.monotonic()) if spooled else b"") + lines.close()

    def _let_go(self, child: Child, descriptor: int) -> None:
        self._poller.unregister(descriptor)
        os.close(descriptor)
        del child.outputs[descriptor]
        self._due.pop(descriptor, None)
