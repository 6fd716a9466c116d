"""Segments that are being fetched, and what waits for them."""

from __future__ import annotations

from ..lazy_dataclass import dataclass, field
from ..wire import messages
from .ledger import Lot


@dataclass(slots=True, eq=False)
class Waiting:
    """What came from a neighbour and waits for segments."""

    peer: str
    what: Lot | messages.Results | messages.Constant | messages.Fetch
    missing: set[str]
    names: list[str]  # all its segments


@dataclass(slots=True, eq=False)
class Inbound:
    """A segment that is being fetched."""

    name: str
    peer: str
    size: int = -1  # -1: not known yet
    asked: int = 0  # up to here it has been asked for
    left: int = 0  # bytes that have not come
    open: dict[int, int] = field(default_factory=dict)  # offset -> count, asked for and not come
    again: list[int] = field(default_factory=list)  # offsets of those that were lost
    queued: bool = False

    def has_size(self, size: int) -> None:
        """The first answer says how large it is; what was asked for may have been more."""
        self.size = self.left = size
        self.asked = min(self.asked, size)
        for offset, count in self.open.items():
            self.open[offset] = min(count, size - offset)

    def came(self, offset: int, count: int) -> bool:
        """So many bytes have come; return whether there are more to be asked for again."""
        rest = self.open.pop(offset) - count
        self.left -= count
        if rest:
            self.open[offset + count] = rest
            self.again.append(offset + count)
        return bool(rest)

    def next(self, chunk: int) -> tuple[int, int] | None:
        """Return (offset, count) of what to ask for next."""
        while self.again:
            offset = self.again.pop()
            if offset in self.open:
                return offset, self.open[offset]
        if self.size < 0:
            if self.asked:
                return None
            count = chunk
        else:
            count = min(chunk, self.size - self.asked)
        if not count:
            return None
        offset, self.asked = self.asked, self.asked + count
        self.open[offset] = count
        return offset, count
