"""Cuts what a Worker prints at the ends of lines, and bounds it. Pure.

A line reaches the Origin unbroken; a part whose end is late goes alone. Nothing is left out: above
:data:`RATE_BYTES_PER_SECOND` a stream rests, its pipe fills, and the Worker waits as any process does whose reader is
slower. It rests, too, after :data:`READS_AT_ONCE` reads in short order: a Worker writes each line by itself, and to
wake for each would cost more than it.
"""

from __future__ import annotations

RATE_BYTES_PER_SECOND = 32 << 20
BURST_BYTES = 16 << 20
LINE_AT_MOST_BYTES = 64 << 10
PARTIAL_SECONDS = 0.1
FULL_BYTES = 64 << 10  # a read of so many bytes shows that the pipe is filling: then the stream does not rest
REST_SECONDS = 0.005
READS_AT_ONCE = 20
READS_PER_SECOND = 200.0


class Lines:
    """One stream of one Worker."""

    def __init__(self, now: float) -> None:
        self._partial = b""
        self._partial_since = 0.0
        self._ends_a_line = True  # what was passed on last
        self._budget = float(BURST_BYTES)
        self._at = now
        self._reads = float(READS_AT_ONCE)
        self.rests_until: float | None = None

    def feed(self, data: bytes, now: float) -> bytes:
        """Take in what the Worker wrote; return the whole lines."""
        self._budget = min(BURST_BYTES, self._budget + (now - self._at) * RATE_BYTES_PER_SECOND)
        self._reads = min(READS_AT_ONCE, self._reads + (now - self._at) * READS_PER_SECOND - 1)
        self._budget -= len(data)
        rests = self._reads < 0 and len(data) < FULL_BYTES
        self.rests_until = now + REST_SECONDS if rests else None
        if self._budget < 0:
            self.rests_until = now + REST_SECONDS - self._budget / RATE_BYTES_PER_SECOND
        self._at = now
        text = self._partial + data
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if len(text) - end > LINE_AT_MOST_BYTES:
            text += b"\n"
            end = len(text)
        if not self._partial or end:
            self._partial_since = now
        self._partial = text[end:]
        self._ends_a_line = self._ends_a_line or bool(end)
        return text[:end]

    def deadline(self) -> float | None:
        """Return when :meth:`late` has data, or the stream has rested."""
        if self.rests_until is not None:
            return self.rests_until
        return self._partial_since + PARTIAL_SECONDS if self._partial else None

    def has_rested(self, now: float) -> bool:
        """Whether the stream's rest has just ended."""
        if self.rests_until is None or now < self.rests_until:
            return False
        self.rests_until = None
        return True

    def late(self, now: float) -> bytes:
        """Return the part of a line that has waited long enough for its end, not counting while the stream rests."""
        if not self._partial or self.rests_until is not None or now < self._partial_since + PARTIAL_SECONDS:
            return b""
        partial, self._partial = self._partial, b""
        self._ends_a_line = False
        return partial

    def go_on(self, now: float) -> None:
        """The stream is read again, after a pause: the end of its line may wait there."""
        self._partial_since = now

    def close(self) -> bytes:
        """Return the rest of a stream that has ended, with an end of its line."""
        rest = self._partial + b"\n" if self._partial or not self._ends_a_line else b""
        self._partial, self._ends_a_line = b"", True
        return rest
