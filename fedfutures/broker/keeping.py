"""Which fetched segments stay: those that open Futures or constants need, and the ones used last as far as they fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..lazy_dataclass import dataclass, field
from ..wire.manifest import OF_USER, segments_of
from .files import Remove
from .ledger import Source

if TYPE_CHECKING:
    from .machine import BrokerMachine

SPACE_BYTES = 256 << 20
LOOK_AGAIN_SECONDS = 1.0


@dataclass(slots=True)
class Kept:
    """A segment that was fetched for Futures."""

    size: int
    users: set[Source] = field(default_factory=set)
    is_new: bool = True  # since the last look: whoever asked for it may not have mapped it yet


class Keeping:
    """The segments of arguments that one Broker has fetched, the one used last at the end."""

    def __init__(self, broker: BrokerMachine, space: int) -> None:
        self._broker, self._space = broker, space
        self._outbox = broker.outbox
        self._kept: dict[str, Kept] = {}
        self._once: dict[Source, list[str]] = {}  # by who gave them: segments that no other Future will need
        self.bytes = 0
        self.due: float | None = None  # when to look again whether something can go

    def keep(self, name: str, size: int) -> None:
        """A segment has been fetched for Futures; those of the user's files stay for good."""
        if not name.startswith(OF_USER):
            self.bytes += size - (self._kept[name].size if name in self._kept else 0)
            self._kept[name] = Kept(size)
            self._set_due(0.0)

    def use(self, names: Iterable[str], source: Source) -> None:
        """Futures of an intake need segments."""
        for name in names:
            kept = self._kept.pop(name, None)
            if kept is not None:
                kept.users.add(source)
                self._kept[name] = kept

    def use_once(self, names: Iterable[str], source: Source) -> None:
        """One Future of an intake needs segments, and no other one ever will."""
        self._once.setdefault(source, []).extend(names)

    def done(self, source: Source) -> None:
        """All Futures of an intake have resolved: what only they needed is in nobody's use."""
        names = [name for name in self._once.pop(source, ()) if name in self._kept]
        for name in names:
            self.bytes -= self._kept.pop(name).size
        if names:
            self._outbox.act(Remove(names, reuse=True))
        self._set_due(0.0)  # others that it needed may go now

    def forget(self, source: Source) -> None:
        """The Futures of an intake are nobody's, and some may still run: their segments only go when space is short."""
        self._once.pop(source, None)

    def _set_due(self, when: float) -> None:
        self.due = when if self.bytes > self._space else None

    def tick(self, now: float) -> None:
        """Remove what no open Future needs, the longest unused first, until the rest fits.

        What has just come stays until the next look.
        """
        if self.due is None or now < self.due:
            return
        pinned = {name for known in self._broker.definitions.constants.values() for name in segments_of(known.body)}
        names: list[str] = []
        for name, kept in list(self._kept.items()):
            if self.bytes <= self._space:
                break
            kept.users.intersection_update(self._broker.intakes)
            if kept.is_new:
                kept.is_new = False
            elif not kept.users and name not in pinned:
                del self._kept[name]
                self.bytes -= kept.size
                names.append(name)
        if names:
            self._outbox.act(Remove(names, reuse=True))
        self._set_due(now + LOOK_AGAIN_SECONDS)

    def check(self) -> None:
        """Assert that the count is the sum."""
        assert self.bytes == sum(kept.size for kept in self._kept.values()), "the bytes kept are off"
