"""The window of a ``map``: its slices that are on their way or wait to be read, and how many items and bytes they are.

It calls nothing and waits for nothing but a slice that another thread divides; its lock is held for a few lines.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import ArgumentLoadError, FederationLost, FutureError
from ..program import safe_points
from ..worker.future import Future, failure_of
from ..worker.slices import Columns
from .slicing import Slicing


class Part(NamedTuple):
    """What a slice consists of, how many bytes it takes, and which item of the map is its first."""

    columns: Columns
    size: int
    first: int
    is_cut: bool = False  # so what is run, and fails, may be more than these items

    @property
    def items(self) -> int:
        """How many items it has."""
        return len(self.columns[0])

    def between(self, start: int, end: int | None) -> Columns:
        """Return the columns of these items."""
        return tuple(column[start:end] for column in self.columns)

    def singles(self) -> Iterator[Columns]:
        """Yield each item as a slice."""
        return (self.between(place, place + 1) for place in range(self.items))


class Window:
    """The slices of one map; those that somebody may still read stand in :attr:`unread`, in order or as a set.

    keeps_failures: what an item raises is among the results of its slice, so a slice that fails does so as a whole.
    """

    def __init__(self, *, in_order: bool, keeps_failures: bool = False) -> None:
        self.unread: Any = deque() if in_order else set()
        self.items = self.bytes = 0  # on their way, or not yet consumed
        self._in_order, self._keeps_failures = in_order, keeps_failures
        self.is_dropped = False  # whether nobody will read any
        self._lock = threading.RLock()
        self._parts: dict[Future, Part] = {}  # those that count
        self._places: dict[Future, tuple[int, int]] = {}  # of those to be read: the first item, and how many
        self._away: set[Future] = set()  # on their way
        self._being_split: set[Future] = set()

    def __len__(self) -> int:
        return len(self._parts)

    # -- slices go and come ------------------------------------------------------------------------------------------

    def add(self, future: Future, columns: Columns, size: int, first: int) -> None:
        """A slice is on its way."""
        with self._lock:
            part = self._parts[future] = Part(columns, size, first)
            if not self.is_dropped:
                self._places[future] = first, part.items
            self._away.add(future)
            self.items += part.items
            self.bytes += size

    def add_unread(self, futures: list[Future]) -> None:
        """Somebody will read these, behind those that are there."""
        with self._lock:
            if not self.is_dropped:
                self.unread.extend(futures) if self._in_order else self.unread.update(futures)

    def arrived(self, future: Future) -> Part | None:
        """A slice has come; return it if it counts still."""
        with self._lock:
            self._away.discard(future)
            return self._parts.get(future)

    def left_again(self, future: Future) -> None:
        """A slice that has come is not done: what it has not kept is to be submitted."""
        with self._lock:
            self._away.add(future)

    def consume(self, future: Future) -> Part | None:
        """A slice's results have been taken over: its place is free. Return the slice, None if it was free already."""
        with self._lock:
            part = self._parts.pop(future, None)
            if part is not None:
                self.items -= part.items
                self.bytes -= part.size
        return part

    def take(self, future: Future) -> tuple[int, int]:
        """A slice is read now; return which item of the map is its first, and how many it has."""
        with self._lock:
            self.unread.popleft() if self._in_order else self.unread.discard(future)
            place = self._places.pop(future, (0, 1))
        self.consume(future)
        return place

    # -- dividing ----------------------------------------------------------------------------------------------------

    def is_divisible(self, future: Future) -> bool:
        """Whether a slice has failed as a whole, for what may be the fault of one item: only that one is to fail.

        It may have taken its Workers with it, or cannot be loaded, or its values cannot.
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
        """A slice is going to be replaced by others; return it, None if another thread was faster."""
        with self._lock:
            part = self.consume(future)
            if part is not None:
                self._being_split.add(future)
        return part

    def shorten(self, future: Future, kept: int) -> Part | None:
        """A slice keeps so many items; return the slice as it was, None if there is nothing to take from it."""
        with self._lock:
            part = self._parts.get(future)
            if part is None or kept >= part.items:
                return None
            self._parts[future] = Part(part.between(0, kept), part.size, part.first, is_cut=True)
            if future in self._places:
                self._places[future] = part.first, kept
            self.items -= part.items - kept
            self._being_split.add(future)
        return part

    def end_split(self, future: Future, others: list[Future], *, instead: bool) -> None:
        """These are to be read instead of a slice, or behind it."""
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

    @property
    def is_being_divided(self) -> bool:
        """Whether some thread replaces a slice by others right now."""
        return bool(self._being_split)

    def kept(self, future: Future, count: int) -> int:
        """Return how many items a slice has that has come, once it is divided; `count` where it does not count."""
        self.wait_until_divided(future)
        part = self.arrived(future)
        return count if part is None else part.items

    def wait_until_divided(self, future: Future) -> None:
        """Return when no other thread is dividing a slice."""
        while future in self._being_split:
            safe_points.sleep(0.001)

    def is_next(self, future: Future) -> bool:
        """Whether a slice is to be read now."""
        if self._in_order:
            return bool(self.unread) and self.unread[0] is future
        return future in self.unread

    # -- all slices --------------------------------------------------------------------------------------------------

    def away(self) -> list[Future]:
        """Return the slices that are on their way."""
        with self._lock:
            return list(self._away)

    def one_away(self) -> Future | None:
        """Return a slice that is on its way."""
        with self._lock:
            return next(iter(self._away), None)

    def here(self) -> list[Future]:
        """Return the slices that have come and count still."""
        with self._lock:
            return [future for future in self._parts if future not in self._away]

    def sizes_away(self) -> dict[Future, int]:
        """Return how many items each slice has that is on its way."""
        with self._lock:
            return {future: self._parts[future].items for future in self._away if future in self._parts}

    @property
    def is_all_here(self) -> bool:
        """Whether no slice is on its way."""
        return not self._away

    def drop(self) -> None:
        """Nobody reads what comes from now on. For any moment: takes no lock."""
        self.is_dropped = True

    def forget_unread(self) -> list[Future]:
        """Nobody reads what is there; return what that was."""
        with self._lock:
            unread = list(self.unread)
            self.unread.clear()
            self._places.clear()
        return unread

    def forget_cancelled(self) -> None:
        """Nobody reads slices that were cancelled, nor what would come behind them."""
        with self._lock:
            if self._in_order:
                self.unread = deque(itertools.takewhile(lambda future: not future.cancelled(), self.unread))
            else:
                self.unread = {future for future in self.unread if not future.cancelled()}


def sliced(columns: Columns, slicing: Slicing) -> Iterator[Columns]:
    """Yield slices of the size that is right now."""
    at = 0
    while left := len(columns[0]) - at:
        size = slicing.next(left)
        yield tuple(column[at : at + size] for column in columns)
        at += min(size, left)
