"""The pipes of Workers' standard output and error: read when they have something, at a pace, and passed on."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable

from ..wire.control import ControlFrame, WorkerOutput
from .child import Child
from .lines import FULL_BYTES, Lines

READ_BYTES = FULL_BYTES
READS_AT_THE_END = 1024


class Outputs:
    """Those of all children. `send` passes on a frame."""

    def __init__(self, poller: select.poll, send: Callable[[ControlFrame], None]) -> None:
        self._poller, self._send = poller, send
        self._paused = False
        self._due: dict[int, tuple[Child, Lines]] = {}  # descriptors that time concerns

    def add(self, child: Child) -> None:
        """Listen to a new child."""
        for descriptor in child.outputs:
            self._poller.register(descriptor, 0 if self._paused else select.POLLIN)

    def pace(self, paused: bool, children: Iterable[Child]) -> None:
        """While `paused` what Workers print waits in their pipes."""
        if paused == self._paused:
            return
        self._paused = paused
        for child in children:
            for descriptor in child.outputs:
                self._poller.register(descriptor, 0 if paused else select.POLLIN)

    def read(self, child: Child, descriptor: int) -> bool:
        """Read what is there, and pass it on; return whether there was something."""
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
        found = [at for _, lines in self._due.values() if (at := lines.deadline()) is not None]
        return min(found) if found else None

    def tick(self, now: float) -> None:
        """Listen again to what has rested; pass on parts of lines whose end does not come."""
        for descriptor, (child, lines) in list(self._due.items()):
            if lines.has_rested(now):
                self._poller.register(descriptor, 0 if self._paused else select.POLLIN)
            if part := lines.late(now):
                self._send(WorkerOutput(child.name, child.outputs[descriptor][0], part))
            if lines.deadline() is None:
                del self._due[descriptor]

    def drain(self, child: Child, *, close: bool) -> None:
        """Read all that is there; with `close` that was the last, although a grandchild may hold the other end."""
        for descriptor in list(child.outputs):
            for _ in range(READS_AT_THE_END):
                if not self.read(child, descriptor):
                    break
            if close and descriptor in child.outputs:
                stream, lines = child.outputs[descriptor]
                rest = self._last_of(child, stream, lines)
                if rest:
                    self._send(WorkerOutput(child.name, stream, rest))
                self._let_go(child, descriptor)

    def _last_of(self, child: Child, stream: int, lines: Lines) -> bytes:
        """The Worker has died: what it had printed and not written comes behind what it had written."""
        spooled = child.spooled() if stream == 1 else b""
        return (lines.feed(spooled, time.monotonic()) if spooled else b"") + lines.close()

    def _let_go(self, child: Child, descriptor: int) -> None:
        self._poller.unregister(descriptor)
        os.close(descriptor)
        del child.outputs[descriptor]
        self._due.pop(descriptor, None)
