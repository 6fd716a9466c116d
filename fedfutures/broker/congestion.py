"""Congestion control of downloads: how many bytes a Broker asks of one neighbour at a time, found as TCP finds it.

An answer is late, measured against the *base round trip*, the shortest that was seen: a long way is no reason to ask
for less. Should the way have become longer, the base is measured anew while the window is at its smallest. Why a window
at all: docs/federation.rst, "How much is in flight".
"""

from __future__ import annotations

from collections.abc import Iterator

from ..wire.messages import MAX_CHUNK_BYTES

Key = tuple[str, int]
"""(segment, offset)"""

WINDOW_FIRST, WINDOW_LEAST, WINDOW_MOST = 1 << 18, 1 << 16, 16 << 20
CHUNK_LEAST = 1 << 16
SOON_SECONDS, LATE_SECONDS = 0.1, 0.2
TIMEOUT_SECONDS = 1.0
"""When nothing has come for so long, and for four usual round trips, all that is under way counts as lost."""
TIMEOUT_AT_MOST_SECONDS = 30.0


class CongestionWindow:
    """What is under way from one neighbour, and how much may be."""

    def __init__(self) -> None:
        self.size = WINDOW_FIRST
        self.in_flight = 0  # bytes
        self._requests: dict[Key, tuple[int, float]] = {}  # -> (bytes, when it was sent), the oldest first
        self._base_round_trip = float("inf")
        self._usual_round_trip = 0.0
        self._answered_at = 0.0
        self._halved_at = 0.0
        self._timeouts = 0  # in a row
        self._was_full = False  # the window, not a lack of segments, held downloads up
        self._slow_start = True

    def __iter__(self) -> Iterator[Key]:
        return iter(self._requests)

    @property
    def chunk_bytes(self) -> int:
        """How much to ask for in one message."""
        return max(CHUNK_LEAST, min(self.size // 4, MAX_CHUNK_BYTES))

    def has_room(self) -> bool:
        """Return whether more may be asked for."""
        if self.in_flight < self.size:
            return True
        self._was_full = True
        return False

    def on_request(self, key: Key, count: int, now: float) -> None:
        """Count a chunk of `count` bytes that was asked for at `now`."""
        if not self._requests:
            self._answered_at = now
        self.discard(key)
        self._requests[key] = count, now
        self.in_flight += count

    def discard(self, key: Key) -> None:
        """Forget a chunk: its answer says nothing."""
        self.in_flight -= self._requests.pop(key, (0, 0.0))[0]

    def on_answer(self, key: Key, now: float) -> None:
        """Fit the window to the time that an answer took."""
        self._answered_at, self._timeouts = now, 0
        if key not in self._requests:
            return
        count, sent_at = self._requests[key]
        self.discard(key)
        took = now - sent_at
        self._base_round_trip = took if self.size == WINDOW_LEAST else min(took, self._base_round_trip)
        self._usual_round_trip += (took - self._usual_round_trip) / 8 if self._usual_round_trip else took
        if took > self._base_round_trip + LATE_SECONDS:
            if sent_at >= self._halved_at:  # what was asked for before that was late for the old window
                self._halved_at, self._slow_start = now, False
                self.size = max(WINDOW_LEAST, self.size // 2)
        elif took < self._base_round_trip + SOON_SECONDS and self._was_full:
            self.size = min(WINDOW_MOST, self.size + (count if self._slow_start else count // 8))
        if self.in_flight < self.size // 2:
            self._was_full = False

    def deadline(self) -> float | None:
        """When :meth:`on_timeout` is due; None if nothing is under way."""
        if not self._requests:
            return None
        wait = max(TIMEOUT_SECONDS, 4 * self._usual_round_trip) * (1 << self._timeouts)
        return self._answered_at + min(wait, TIMEOUT_AT_MOST_SECONDS)

    def on_timeout(self, now: float) -> list[Key]:
        """Take all that is under way for lost, and return it, to be asked for again."""
        keys = list(self._requests)
        self._requests.clear()
        self.in_flight = 0
        self.size = max(WINDOW_LEAST, min(self.size // 2, WINDOW_FIRST))
        self._timeouts = min(self._timeouts + 1, 5)
        self._answered_at = self._halved_at = now
        self._was_full, self._slow_start = False, True
        return keys

    def begin_anew(self, now: float) -> list[Key]:
        """The neighbour is heard again: return what is to be asked for again, and forget how long the way was shut."""
        keys = self.on_timeout(now)
        self._timeouts, self._usual_round_trip, self._base_round_trip = 0, 0.0, float("inf")
        return keys

    def check(self) -> None:
        """Assert that the count is the sum."""
        assert self.in_flight == sum(count for count, _ in self._requests.values()), "the bytes in flight are off"
