"""What waits to be given out: by priority, and among equals in equal shares of time for each Origin.

Each Origin (the *root* of its Futures and of all that they submit) is charged with the time that its Futures took. The
root that was charged least is served next; one that comes when others are there begins at their level, so it is neither
starved nor paid for its absence (start-time fair queueing, Goyal, Vin and Cheng 1996).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from ..federation.terms import FREE, Terms
from .lots import Lot

ROOTS_REMEMBERED = 1024


_Root = dict[str, deque[Lot]]
"""The lots of one root, by the peer that gave them: what may not go to a neighbour is passed over as a whole."""


class WorkQueue:
    """Lots in the order in which they are to be given out."""

    def __init__(self) -> None:
        self._levels: dict[int, dict[str, _Root]] = {}  # priority -> root -> lots
        self._order: list[int] = []  # priorities, the highest first
        self.charged: dict[tuple[str, str], float] = {}  # (root, neighbour or "") -> seconds
        self.count = 0  # of Futures
        self._added = 0
        self.bytes = 0
        self.returned = 0  # how many of the Futures were given out before, and came back
        self.alone = 0  # how many of them have a Worker to themselves
        self.avoiding = 0  # how many of them are not to run on some hosts
        self.limited = 0  # how many there are of either, those that are both counted twice
        self.givers: dict[str, int] = {}  # peer -> how many of its lots wait here

    def __iter__(self) -> Iterator[Lot]:
        for priority in self._order:
            for root in self._levels[priority].values():
                for lots in root.values():
                    yield from lots

    def add(self, lot: Lot, *, first: bool = False) -> None:
        """Let a lot wait, behind its equals or before them."""
        terms, giver = lot.terms, lot.intake.giver
        level = self._levels.get(terms.priority)
        if level is None:
            level = self._levels[terms.priority] = {}
            self._order = sorted(self._levels, reverse=True)
        root = level.get(terms.root)
        if root is None:
            self._arrive(terms.root)
            root = level[terms.root] = {}
        lots = root.get(giver)
        if lots is None:
            lots = root[giver] = deque()
        self._added += 1
        lot.line_up(-self._added if first else self._added)
        (lots.appendleft if first else lots.append)(lot)
        self.count += len(lot.ids)
        if terms.barred:
            self.returned += len(lot.ids)
        if terms.conditions is not FREE:
            self._count_limited(terms, len(lot.ids))
        self.bytes += sum(map(len, lot.payloads))
        self.givers[giver] = self.givers.get(giver, 0) + 1

    def _arrive(self, root: str) -> None:
        """A root that was away begins at the level of those that are here."""
        for to in dict.fromkeys(to for _, to in self.charged):
            here = [self.charged.get((other, to), 0.0) for level in self._levels.values() for other in level]
            if here:
                self.charged[root, to] = max(self.charged.pop((root, to), 0.0), min(here))
        while len(self.charged) > ROOTS_REMEMBERED:
            del self.charged[next(iter(self.charged))]

    def _tally(self, lot: Lot, sign: int) -> None:
        self.count += sign * len(lot.ids)
        if lot.terms.barred:
            self.returned += sign * len(lot.ids)
        if lot.terms.conditions is not FREE:
            self._count_limited(lot.terms, sign * len(lot.ids))
        self.bytes += sign * sum(map(len, lot.payloads))

    def _count_limited(self, terms: Terms, count: int) -> None:
        if terms.is_alone:
            self.alone += count
            self.limited += count
        if terms.conditions.avoid:
            self.avoiding += count
            self.limited += count

    def head(self) -> Lot:
        """Return the lot to be served next; there is one."""
        level = self._levels[self._order[0]]
        root = next(iter(level.values())) if len(level) == 1 else level[self._by_charge(level, "")[0]]
        if len(root) == 1:
            return next(iter(root.values()))[0]
        return min((lots[0] for lots in root.values()), key=_order_of)

    def _by_charge(self, level: dict[str, _Root], to: str) -> list[str]:
        return sorted(level, key=lambda root: self.charged.get((root, to), 0.0))

    def head_for(self, neighbour: str, back: int, fits: Callable[[Lot], bool]) -> Lot | None:
        """Return the lot that `fits` to be given to a neighbour next, or, when `back`, to be given back to it."""
        if not back and len(self.givers) == (neighbour in self.givers):
            return None
        for priority in self._order:
            level = self._levels[priority]
            for name in self._by_charge(level, neighbour):
                fitting = [
                    lot
                    for giver, lots in level[name].items()
                    if (lot := next(filter(fits, lots if giver != neighbour or back else ()), None))
                ]
                if fitting:
                    return min(fitting, key=_order_of)
        return None

    def take(self, lot: Lot, count: int, seconds: float, to: str = "") -> tuple[list[int], list[bytes]]:
        """Take the first `count` Futures of a lot that waits here; charge its root with `seconds` for each.

        Each neighbour they go `to` has accounts of its own, as own Workers have (""): so the Origins have equal shares
        of each, however much more of one Origin's Futures is lent out than run here.
        """
        if self.charged or len(self._levels[lot.terms.priority]) > 1:
            key = (lot.terms.root, to)
            self.charged[key] = self.charged.get(key, 0.0) + seconds * count
        ids, payloads = lot.cut(count)
        if not lot.ids:
            self._unlink(lot)
        self.count -= count
        if lot.terms.barred:
            self.returned -= count
        if lot.terms.conditions is not FREE:
            self._count_limited(lot.terms, -count)
        self.bytes -= sum(map(len, payloads))
        return ids, payloads

    def withdraw(self, lot: Lot, ids: set[int]) -> tuple[list[int], list[bytes]]:
        """Take these Futures out of a lot that waits here."""
        self._tally(lot, -1)
        part = lot.part(ids)
        self._tally(lot, +1)
        if not lot.ids:
            self._unlink(lot)
        return part

    def remove(self, lot: Lot) -> None:
        """Take a whole lot out."""
        self._tally(lot, -1)
        self._unlink(lot)

    def _unlink(self, lot: Lot) -> None:
        level = self._levels[lot.terms.priority]
        root, giver = level[lot.terms.root], lot.intake.giver
        lots = root[giver]
        if lots[0] is lot:
            lots.popleft()
        else:
            del lots[next(index for index, other in enumerate(lots) if other is lot)]
        self.givers[giver] -= 1
        if not self.givers[giver]:
            del self.givers[giver]
        if not lots:
            del root[giver]
            if not root:
                del level[lot.terms.root]
                if not level:
                    del self._levels[lot.terms.priority]
                    self._order.remove(lot.terms.priority)

    def check(self) -> None:
        """Assert that the counts are the sums."""
        count = size = returned = alone = avoiding = lots = 0
        for lot in self:
            lots += 1
            count += len(lot.ids)
            size += sum(map(len, lot.payloads))
            returned += len(lot.ids) if lot.terms.barred else 0
            alone += len(lot.ids) if lot.terms.is_alone else 0
            avoiding += len(lot.ids) if lot.terms.conditions.avoid else 0
        assert self.count == count, "the queue's count is off"
        assert self.bytes == size, "the queue's bytes are off"
        assert sum(self.givers.values()) == lots, "the givers' counts are off"
        assert self.returned == returned, "the count of returned ones is off"
        assert self.alone == alone, "the count of those that have a Worker to themselves is off"
        assert self.avoiding == avoiding, "the count of those that avoid hosts is off"
        assert self.limited == alone + avoiding, "the count of those that not every Worker may run is off"
        assert self._order == sorted(self._levels, reverse=True), "the levels are out of order"


def _order_of(lot: Lot) -> int:
    return lot.order
