"""The window of a ``map``: the slices that are under way or wait to be read, and how many items and bytes they have.

It calls nothing, and waits only for a thread that divides a slice; its lock is held for a few lines.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import ArgumentLoadError, FederationLost, FutureError
from ..program import safe_points
from ..worker.future import Future
from ..worker.future_fields import failure_of
from ..worker.known import put_items
from ..worker.slices import Columns
from .slicing import Slicing


class Part(NamedTuple):
    """The items of a slice, its size in bytes, and the number of its first item in the map."""

    columns: Columns
    size: int
    first: int
    is_cut: bool = False  # then the call runs, and may fail for, more than these items

    @property
    def items(self) -> int:
        """The number of items."""
        return len(self.columns[0])

    def between(self, start: int, end: int | None) -> Columns:
        """Return the columns of these items."""
        return tuple(column[start:end] for column in self.columns)

    def singles(self) -> Iterator[Columns]:
        """Yield each item as a slice."""
        return (self.between(place, place + 1) for place in range(self.items))


class Window:
    """The slices of one map; :attr:`unread` has those that somebody may still read, in order or as a set.

    keeps_failures: the results of a slice contain what its items raise, so a slice that fails does so as a whole.
    """

    def __init__(self, *, in_order: bool, keeps_failures: bool = False) -> None:
        self.unread: Any = deque() if in_order else set()
        self.items = self.bytes = 0  # on their way, or not yet consumed
        self._in_order, self._keeps_failures = in_order, keeps_failures
        self.is_dropped = False  # whether nobody will read the results
        self._lock = threading.RLock()
        self._parts: dict[Future, Part] = {}  # those that count
        self._places: dict[Future, tuple[int, int]] = {}  # of those to be read: the first item, and how many
        self._away: set[Future] = set()  # on their way
        self._being_split: set[Future] = set()

    def __len__(self) -> int:
        return len(self._parts)

    # -- slices go and come ------------------------------------------------------------------------------------------

    def add(self, future: Future, columns: Columns, size: int, first: int) -> None:
        """Count a slice that was submitted."""
        with self._lock:
            part = self._parts[future] = Part(columns, size, first)
            put_items(future, first, part.items)
            if not self.is_dropped:
                self._places[future] = first, part.items
            self._away.add(future)
            self.items += part.items
            self.bytes += size

    def add_unread(self, futures: list[Future]) -> None:
        """Append slices to those that are to be read."""
        with self._lock:
            if not self.is_dropped:
                self.unread.extend(futures) if self._in_order else self.unread.update(futures)

    def arrived(self, future: Future) -> Part | None:
        """Note that a slice is done; return it if it still takes a place in the window."""
        with self._lock:
            self._away.discard(future)
            return self._parts.get(future)

    def left_again(self, future: Future) -> None:
        """Count a slice that is done as under way again: the items that it has not kept are to be submitted."""
        with self._lock:
            self._away.add(future)

    def consume(self, future: Future) -> Part | None:
        """Free the place of a slice; return the slice, None if its place was free already."""
        with self._lock:
            part = self._parts.pop(future, None)
            if part is not None:
                self.items -= part.items
                self.bytes -= part.size
        return part

    def take(self, future: Future) -> tuple[int, int]:
        """Take a slice to read it; return the number of its first item in the map, and how many items it has."""
        with self._lock:
            self.unread.popleft() if self._in_order else self.unread.discard(future)
            place = self._places.pop(future, (0, 1))
        self.consume(future)
        return place

    # -- dividing ----------------------------------------------------------------------------------------------------

    def is_divisible(self, future: Future) -> bool:
        """Whether a slice has failed as a whole, and one item may be the reason: then only that one is to fail.

        An item may have ended its Workers, may be impossible to load, or may have such a value.
        """
        error, part = failure_of(future), self._parts.get(future)
        if error is None or part is None or isinstance(error, FederationLost):
            return False
        if part.items == 1 and not part.is_cut:
            return False
        if isinstance(error, ArgumentLoadError) and error.of_function:
            return False
        return isinstance(error, FutureError) or self._keeps_failures

    def begin_split(self, future: Future) -> Part | None:
        """Begin to replace a slice by others; return it, None if another thread was faster."""
        with self._lock:
            part = self.consume(future)
            if part is not None:
                self._being_split.add(future)
        return part

    def shorten(self, future: Future, kept: int) -> Part | None:
        """Leave the first `kept` items to a slice; return it as it was before, None if it has no more than these."""
        with self._lock:
            part = self._parts.get(future)
            if part is None or kept >= part.items:
                return None
            self._parts[future] = Part(part.between(0, kept), part.size, part.first, is_cut=True)
            put_items(future, part.first, kept)
            if future in self._places:
                self._places[future] = part.first, kept
            self.items -= part.items - kept
            self._being_split.add(future)
        return part

    def end_split(self, future: Future, others: list[Future], *, instead: bool) -> None:
        """Have other slices read instead of a slice, or behind it."""
        with self._lock:
            if instead:
                self._places.pop(future, None)
            if future in self.unread:
                self._put(future, others, instead)
            self._being_split.discard(future)

    def _put(self, future: Future, others: list[Future], instead: bool) -> None:
        if not self._in_order:
            self.unread.update(others)
            if instead:
                self.unread.discard(future)
            return
        at = self.unread.index(future)
        if instead:
            del self.unread[at]
        for place, other in enumerate(others, at if instead else at + 1):
            self.unread.insert(place, other)

    def kept(self, future: Future, count: int) -> int:
        """Return how many items a slice has kept, once no thread divides it; `count` if it has no place any more."""
        self.wait_until_divided(future)
        part = self.arrived(future)
        return count if part is None else part.items

    def wait_until_divided(self, future: Future) -> None:
        """Wait until no thread divides a slice."""
        while future in self._being_split:
            safe_points.sleep(0.001)

    def is_next(self, future: Future) -> bool:
        """Whether a slice is the next to be read."""
        if self._in_order:
            return bool(self.unread) and self.unread[0] is future
        return future in self.unread

    # -- all slices --------------------------------------------------------------------------------------------------

    def away(self) -> list[Future]:
        """Return the slices that are under way."""
        with self._lock:
            return list(self._away)

    def one_away(self) -> Future | None:
        """Return one slice that is under way."""
        with self._lock:
            return next(iter(self._away), None)

    def here(self) -> list[Future]:
        """Return the slices that are done and still take a place."""
        with self._lock:
            return [future for future in self._parts if future not in self._away]

    def sizes_away(self) -> dict[Future, int]:
        """Return the number of items of each slice that is under way."""
        with self._lock:
            return {future: self._parts[future].items for future in self._away if future in self._parts}

    @property
    def is_all_here(self) -> bool:
        """Whether no slice is under way."""
        return not self._away

    def drop(self) -> None:
        """Keep no slice for reading from now on. May be called at any moment: takes no lock."""
        self.is_dropped = True

    def forget_unread(self) -> list[Future]:
        """Forget the slices that are to be read; return them."""
        with self._lock:
            unread = list(self.unread)
            self.unread.clear()
            self._places.clear()
        return unread

    def forget_cancelled(self) -> None:
        """Forget the slices to be read that were cancelled, and in an ordered map those behind them."""
        with self._lock:
            if self._in_order:
                self.unread = deque(itertools.takewhile(lambda future: not future.cancelled(), self.unread))
            else:
                self.unread = {future for future in self.unread if not future.cancelled()}


def sliced(columns: Columns, slicing: Slicing) -> Iterator[Columns]:
    """Cut columns into slices of the sizes that `slicing` gives."""
    at = 0
    while left := len(columns[0]) - at:
        size = slicing.next(left)
        yield tuple(column[at : at + size] for column in columns)
        at += min(size, left)
