"""What Workers print, cut into whole lines and kept within bounds. Pure.

A Worker's standard output and error are pipes that the host process reads. Lines reach the Origin unbroken; a Worker
that prints more than :data:`RATE_BYTES_PER_SECOND` for long is not slowed down: the excess is left out, and a line
says how much.
"""

from __future__ import annotations

RATE_BYTES_PER_SECOND = 8 << 20
BURST_BYTES = 16 << 20
LINE_AT_MOST_BYTES = 64 << 10


class Lines:
    """One stream of one Worker."""

    def __init__(self, now: float) -> None:
        self._partial = b""
        self._budget = float(BURST_BYTES)
        self._at = now
        self._left_out = 0

    def feed(self, data: bytes, now: float) -> bytes:
        """Take in what the Worker wrote; return the whole lines to pass on."""
        self._budget = min(BURST_BYTES, self._budget + (now - self._at) * RATE_BYTES_PER_SECOND)
        self._at = now
        if len(data) > self._budget:
            self._left_out += len(data)
            return b""
        self._budget -= len(data)
        mark = b""
        if self._left_out:
            mark = self._mark()
        head, newline, tail = (self._partial + data).rpartition(b"\n")
        if len(tail) > LINE_AT_MOST_BYTES:
            head, newline, tail = head + newline + tail, b"\n", b""
        self._partial = tail
        return mark + head + newline

    def close(self) -> bytes:
        """The stream has ended; return what is left of it."""
        rest = self._partial + b"\n" if self._partial else b""
        self._partial = b""
        return rest + (self._mark() if self._left_out else b"")

    def _mark(self) -> bytes:
        mark = f"[... {self._left_out} bytes of output left out ...]\n".encode()
        if self._partial:
            mark = self._partial + b"\n" + mark
            self._partial = b""
        self._left_out = 0
        return mark
