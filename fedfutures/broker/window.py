"""How much is asked of a neighbour at a time when segments are fetched from it.

What is under way stands in line in front of every other message of that link: beats, Batches, Results. So it is to be
as much as the link carries in about 0.15 s, which is found by trying: as long as what was asked for comes soon, and the
window is what holds us up, it grows, with each round trip to the double until it was too large for the first time, and
by an eighth after that; it is halved when an answer took too long. "Soon" is measured against the shortest time that an
answer has taken, so that a long way is no reason to ask for less; should the way have become longer, it is measured
anew when the window is at its smallest.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..wire.messages import MAX_CHUNK_BYTES

Key = tuple[str, int]
"""(segment, offset)"""

WINDOW_FIRST, WINDOW_LEAST, WINDOW_MOST = 1 << 18, 1 << 16, 16 << 20
CHUNK_LEAST = 1 << 16
SOON_SECONDS, LATE_SECONDS = 0.1, 0.2
STALL_SECONDS = 1.0
"""When nothing has come for so long, and a few times as long as it usually takes, what is under way was lost."""
STALL_AT_MOST_SECONDS = 30.0


class Window:
    """What is under way from one neighbour."""

    def __init__(self) -> None:
        self.size = WINDOW_FIRST
        self.bytes = 0
        self._under_way: dict[Key, tuple[int, float]] = {}  # -> (bytes, when it was asked for), the oldest first
        self._shortest = float("inf")
        self._usual = 0.0  # seconds that an answer took, lately
        self._came_at = 0.0
        self._halved_at = 0.0
        self._stalls = 0
        self._was_full = False
        self._doubles = True

    def __contains__(self, key: Key) -> bool:
        return key in self._under_way

    def __iter__(self) -> Iterator[Key]:
        return iter(self._under_way)

    @property
    def chunk(self) -> int:
        """How much to ask for in one message."""
        return max(CHUNK_LEAST, min(self.size // 4, MAX_CHUNK_BYTES))

    @property
    def room(self) -> bool:
        """Whether more may be asked for."""
        if self.bytes < self.size:
            return True
        self._was_full = True
        return False

    def ask(self, key: Key, count: int, now: float) -> None:
        """Something is asked for."""
        if not self._under_way:
            self._came_at = now
        self.drop(key)
        self._under_way[key] = count, now
        self.bytes += count

    def drop(self, key: Key) -> None:
        """What comes of this does not matter."""
        self.bytes -= self._under_way.pop(key, (0, 0.0))[0]

    def came(self, key: Key, now: float) -> None:
        """An answer has come: adapt."""
        self._came_at, self._stalls = now, 0
        count, asked_at = self._under_way.get(key, (0, now))
        if key not in self._under_way:
            return
        self.drop(key)
        took = now - asked_at
        self._shortest = took if self.size == WINDOW_LEAST else min(took, self._shortest)
        self._usual += (took - self._usual) / 8 if self._usual else took
        if took > self._shortest + LATE_SECONDS:
            if asked_at >= self._halved_at:  # what was asked for before says nothing new
                self._halved_at, self._doubles = now, False
                self.size = max(WINDOW_LEAST, self.size // 2)
        elif took < self._shortest + SOON_SECONDS and self._was_full:
            self.size = min(WINDOW_MOST, self.size + (count if self._doubles else count // 8))
        if self.bytes < self.size // 2:
            self._was_full = False

    def deadline(self) -> float | None:
        """When what is under way is to be taken for lost."""
        if not self._under_way:
            return None
        wait = max(STALL_SECONDS, 4 * self._usual) * (1 << self._stalls)
        return self._came_at + min(wait, STALL_AT_MOST_SECONDS)

    def lost(self, now: float) -> list[Key]:
        """All that is under way was lost: return it, to be asked for again."""
        keys = list(self._under_way)
        self._under_way.clear()
        self.bytes = 0
        self.size = max(WINDOW_LEAST, min(self.size // 2, WINDOW_FIRST))
        self._stalls = min(self._stalls + 1, 5)
        self._came_at = self._halved_at = now
        self._was_full, self._doubles = False, True
        return keys

    def check(self) -> None:
        """Assert that the count is the sum."""
        assert self.bytes == sum(count for count, _ in self._under_way.values()), "the bytes under way are off"
