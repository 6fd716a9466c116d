"""Which downloaded segments of arguments stay on this host: those in use, and of the others the last used that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..lazy_dataclass import dataclass, field
from ..wire.manifest import segments_of
from ..wire.names import is_user_file
from .files import Remove
from .lots import Source
from .outbox import Outbox

SPACE_BYTES = 256 << 20
LOOK_AGAIN_SECONDS = 1.0


@dataclass(slots=True)
class Cached:
    """A segment in the cache."""

    size: int
    users: set[Source] = field(default_factory=set)
    is_new: bool = True  # since the last look: whoever asked for it may not have mapped it yet


class SegmentCache:
    """The downloaded segments of one Broker's host, the one used last at the end."""

    def __init__(self, outbox: Outbox, space: int) -> None:
        self._outbox, self._space = outbox, space
        self._cached: dict[str, Cached] = {}
        self._single_use: dict[Source, list[str]] = {}
        self.bytes = 0
        self.due: float | None = None  # when to look again whether a segment can go

    def add(self, name: str, size: int) -> None:
        """Cache a segment that was downloaded for processes here; files of the user's stay for good."""
        if not is_user_file(name):
            self.bytes += size - (self._cached[name].size if name in self._cached else 0)
            self._cached[name] = Cached(size)
            self._set_due(0.0)

    def use(self, names: Iterable[str], source: Source) -> None:
        """Note that Futures of a Batch need segments."""
        for name in names:
            cached = self._cached.pop(name, None)
            if cached is not None:
                cached.users.add(source)
                self._cached[name] = cached

    def use_once(self, names: Iterable[str], source: Source) -> None:
        """Note that one Future of a Batch needs segments, and no other one ever will."""
        self._single_use.setdefault(source, []).extend(names)

    def on_resolved(self, source: Source) -> None:
        """All Futures of a Batch have resolved: remove what only they needed."""
        names = [
            name for name in self._single_use.pop(source, ()) if name in self._cached and self._is_alone(name, source)
        ]
        for name in names:
            self.bytes -= self._cached.pop(name).size
        if names:
            self._outbox.act(Remove(names, reuse=True))
        self._set_due(0.0)  # other segments of the Batch may go now

    def _is_alone(self, name: str, source: Source) -> bool:
        """Whether no other Batch was said to need a segment; if one was, its giver has lied."""
        return self._cached[name].users <= {source}

    def on_dropped(self, source: Source) -> None:
        """The submitter of a Batch is gone, and some Futures may still run: their segments go when space is short."""
        self._single_use.pop(source, None)

    def _set_due(self, when: float) -> None:
        self.due = when if self.bytes > self._space else None

    def tick(self, now: float, is_open: Callable[[Source], bool], constants: Iterable[bytes]) -> None:
        """Remove what neither Batches that are open nor constants need, the longest unused first, until the rest fits.

        A segment that has just come stays until the next look.
        """
        if self.due is None or now < self.due:
            return
        pinned = {name for body in constants for name in segments_of(body)}
        names: list[str] = []
        for name, cached in list(self._cached.items()):
            if self.bytes <= self._space:
                break
            cached.users = {source for source in cached.users if is_open(source)}
            if cached.is_new:
                cached.is_new = False
            elif not cached.users and name not in pinned:
                del self._cached[name]
                self.bytes -= cached.size
                names.append(name)
        if names:
            self._outbox.act(Remove(names, reuse=True))
        self._set_due(now + LOOK_AGAIN_SECONDS)

    def check(self) -> None:
        """Assert that the count is the sum."""
        assert self.bytes == sum(cached.size for cached in self._cached.values()), "the bytes cached are off"
