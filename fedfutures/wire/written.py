"""Buffers that were written to segments and may be written again: those of the items of one ``map``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class WrittenAt(NamedTuple):
    """Where a buffer went, and where it was in memory."""

    name: str
    address: int
    size: int


class Written:
    """Segments of buffers, by the objects that own the buffers.

    `is_steady`: the buffers count as unchanged. Else they are compared.
    """

    def __init__(self) -> None:
        # Each with the owner, so that its id stays its own; the one used last stands last.
        self._known: dict[int, tuple[WrittenAt, Any]] = {}
        self.is_steady = False
        self.bytes = 0
        self.new_bytes = 0  # of those written since the call began

    def __len__(self) -> int:
        return len(self._known)

    def begin_call(self, *, is_steady: bool) -> None:
        """The arguments of another call are about to be written."""
        self.new_bytes, self.is_steady = 0, is_steady

    def find(self, owner: Any) -> WrittenAt | None:
        """Return where an object's buffer went, which counts as used now."""
        known = self._known.pop(id(owner), None)
        if known is None:
            return None
        self._known[id(owner)] = known
        return known[0]

    def remember(self, owner: Any, place: WrittenAt) -> None:
        """An object's buffer has been written."""
        self._known[id(owner)] = place, owner
        self.bytes += place.size
        self.new_bytes += place.size

    def forget(self, owner: Any) -> str:
        """An object's buffer has changed; return the segment that it had."""
        place = self._known.pop(id(owner))[0]
        self.bytes -= place.size
        return place.name

    def shrink(self, most_bytes: int, used: set[str], release: Callable[[list[str]], object]) -> None:
        """Release what was used longest ago and is not among `used`, down to `most_bytes`."""
        for place, owner in list(self._known.values()):
            if self.bytes <= most_bytes:
                break
            if place.name not in used:
                release([self.forget(owner)])

    def clear(self) -> list[str]:
        """Forget all; return the segments."""
        return [self.forget(owner) for _, owner in list(self._known.values())]
