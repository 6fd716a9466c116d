"""The input of a ``map``: one iterable or several, cut into columns of arguments.

Inputs of the built-in types run no code of the program when they are read, and cannot block. So any thread may read
them, at any time; what can be changed is taken as it stands at the call. All others, generators and iterators above
all, are read only by threads of the program: at the call, at ``next()``, and at the end (:meth:`Input.read_ahead`).

What such an input yields is taken as it stands then: it may yield one object again and again (:mod:`.refills`).

An input that raises keeps its error in :attr:`Input.error`: the items before it are used first.
"""

from __future__ import annotations

import array
import itertools
import operator
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..program import safe_points
from ..program.postponing import is_by_signal
from ..worker.plain import ATOMS
from .refills import Items, array_type

AHEAD_BYTES = 512 << 20
"""How much of an input is read ahead at the end, roughly, before calls have to be made."""
COPIED_ARRAY_BYTES = 64 << 20
"""A larger array is not copied when it is the input of a map."""
QUICK_SECONDS = 0.01
SOON_SECONDS = 0.005
"""For how long items are read before the first of them are sent."""
READ_AT_ONCE = 4096
LARGE_BYTES = 1 << 20

_FIXED: frozenset[type] = frozenset({tuple, range, str, bytes, frozenset, itertools.repeat})
_TAKEN: dict[type, Callable[[Any], Any]] = {
    list: list.copy, dict: list, type({}.keys()): list, type({}.values()): list, type({}.items()): list, set: list,
    deque: list, bytearray: bytes, array.array: lambda value: value[:],
}  # fmt: skip


def as_it_stands(iterable: Any) -> tuple[Any, bool]:
    """Return what is read for an iterable, and whether any thread may read it. Subclasses may run code: they are not.

    >>> as_it_stands({"a": 1}), as_it_stands(range(3)), as_it_stands(map(abs, []))[1]
    ((['a'], True), (range(0, 3), True), False)
    """
    kind = type(iterable)
    if kind in _FIXED:
        return iterable, True
    take = _TAKEN.get(kind)
    if take is not None:
        return take(iterable), True
    if kind is array_type():
        return iterable.copy() if iterable.nbytes <= COPIED_ARRAY_BYTES else iterable, True
    return iterable, False


class Input:
    """What a ``map`` has been given. Not for several threads at once: who reads holds the Feeder's lock."""

    keep: Callable[[list[bytes], str, Any], object] | None = None
    """With a checkpoint: takes the keys of the items in a slice, which are its last column, and their outcome."""

    def __init__(self, iterables: tuple[Iterable[Any], ...]) -> None:
        taken = [as_it_stands(iterable) for iterable in iterables]
        self.left = self.length = _length(iterables)
        self.is_bounded = self.left is not None or any(_is_bounded(iterable) for iterable in iterables)
        self.by_any_thread = self.is_bounded and all(safe for _, safe in taken)  # itertools.repeat may have no end
        self.over = False
        self.error: Exception | None = None
        self.count = 0  # items read
        self._single = len(taken) == 1
        self._whole = taken[0][0] if self._single and type(taken[0][0]) in (list, tuple) else None
        items: list[Any] = [safe_points.call(iter, value) for value, _ in taken]
        self._source: Iterator[Any] = items[0] if self._single else zip(*items)
        self._changing = [place for place, (_, safe) in enumerate(taken) if not safe]
        self._items = Items()
        self._held: list[Any] = []  # an item that was read and may change still: it is alone in its slice
        self._fixed = False  # whether nothing can be changed in the items read last
        self._is_last = False  # whether they are to be pickled before more is read
        self._ahead: deque[Any] = deque()
        self._ahead_bytes = 0

    def cut(self, count: int, *, exactly: bool = True) -> tuple[list[Any], ...] | None:
        """Return the columns of the next `count` items, fewer at the end, None after it.

        Not `exactly`: also fewer where the program's own code reads so slowly that calls should be made meanwhile.
        """
        if self._ahead:
            rows = [self._ahead.popleft() for _ in range(min(count, len(self._ahead)))]
            self._ahead_bytes = self._ahead_bytes if self._ahead else 0
            self._fixed = False  # what is known is of the items read last
        else:
            rows = self._read(count) if exactly or self.by_any_thread else self._read_soon(count)
        if not rows:
            return None
        if self.left is not None:
            self.left = max(0, self.left - len(rows))
        return (rows,) if self._single else tuple(list(column) for column in zip(*rows))

    def _read(self, count: int, *, keep: bool = False) -> list[Any]:
        """Read so many items, fewer at the end and where one may change; `keep`: they are kept for later."""
        self._is_last = bool(self._held)
        if self._held:
            rows, self._held, self._fixed = self._held, [], False
            self.count += 1
            return rows
        if self.over:
            return []
        if self._whole is not None:
            part = self._whole[self.count : self.count + count]
            rows = part if type(part) is list else list(part)
            self.over = len(rows) < count
            self.count += len(rows)
            if self.over:
                self._whole = ()
            return rows
        rows = []
        self._fixed = False
        try:
            if not self._changing:
                safe_points.extend(rows, itertools.islice(self._source, count))  # keeps what came before an error
                self.over = len(rows) < count
            else:
                self.over = self._take(rows, count, keep)
        except Exception as error:
            if is_by_signal(error):
                raise
            self.error, self.over = error, True
        self.count += len(rows)
        return rows

    def _take(self, rows: list[Any], count: int, keep: bool) -> bool:
        """Read items as they stand, up to one that may change still; return whether there are no more."""
        source = safe_points.each(itertools.islice(self._source, count))
        if self._single:
            self._held, ended, self._fixed = self._items.take(source, rows, keep=keep)
            self._is_last = not ended
            return ended and len(rows) < count
        fixed = True
        for row in source:
            if all(type(row[place]) in ATOMS for place in self._changing):
                rows.append(row)
                continue
            columns, changes, fixed = list(row), False, False
            for place in self._changing:
                columns[place], may_change = self._items.taken(columns[place], keep=keep)
                changes = changes or may_change
            self._is_last = changes
            if changes and rows:
                self._held = [tuple(columns)]
                return False
            rows.append(tuple(columns))
            if changes:
                return False
        self._fixed = fixed
        return len(rows) < count

    def _read_soon(self, count: int) -> list[Any]:
        """Read up to `count` items, more and more at once, for about :data:`SOON_SECONDS`."""
        rows, fixed = self._read(1), self._fixed
        until = time.monotonic() + SOON_SECONDS
        while not (self.over or self._is_last) and len(rows) < count and time.monotonic() < until:
            rows += self._read(min(len(rows), count - len(rows)))
            fixed = fixed and self._fixed
        self._fixed = fixed
        return rows

    def read_ahead(self, items: float, seconds: float, most_bytes: float = AHEAD_BYTES) -> bool:
        """Read on in this thread, and keep what was read; return whether the bounds of time and number allow more.

        `items`: up to how many may have been read in all.
        """
        began = time.monotonic()
        at_once = 1
        while not self.over and self._ahead_bytes < most_bytes:
            spent = time.monotonic() - began
            if self.count >= items or spent >= seconds:
                return False
            before = time.monotonic()
            rows = self._read(int(min(at_once, items - self.count)), keep=True)
            self._ahead.extend(rows)
            size = sum(map(_size_of, rows))
            self._ahead_bytes += size
            if size > LARGE_BYTES:
                at_once = 1
            elif time.monotonic() - before < QUICK_SECONDS:
                at_once = min(2 * at_once, READ_AT_ONCE)
            else:
                at_once = max(1, at_once // 2)
        return True

    def number_of(self, place: int) -> int:
        """Return the number in the map of the item that was cut as number `place`."""
        return place

    @property
    def ahead(self) -> int:
        """How many items have been read that nobody has taken yet."""
        return len(self._ahead)

    @property
    def is_steady(self) -> bool:
        """Whether all that could be changed in the items cut last is of the built-in types: as it stood at the call."""
        return not self._changing or self._fixed

    @property
    def is_read(self) -> bool:
        """Whether nothing is left in it, not even what was read ahead."""
        return self.over and not self._ahead

    @property
    def is_at_hand(self) -> bool:
        """Whether any thread may take the next items."""
        return self.by_any_thread or self.over or bool(self._ahead)

    def take_error(self) -> Exception | None:
        """Return what the input has raised, once."""
        error, self.error = self.error, None
        return error

    def forget(self) -> None:
        """Nothing more is wanted of it."""
        self.over = True
        self._ahead.clear()
        self._held.clear()
        self._whole, self._source = None, iter(())


class Numbered(Input):
    """An input whose slices have one more column: the numbers of the items."""

    _given = 0

    def cut(self, count: int, *, exactly: bool = True) -> tuple[list[Any], ...] | None:
        """Return the columns of the next items as :meth:`Input.cut` does, and behind them one of their numbers."""
        columns = super().cut(count, exactly=exactly)
        if columns is None:
            return None
        first = self._given
        self._given += len(columns[0])
        return (*columns, list(range(first, self._given)))


def input_of(given: tuple[Iterable[Any], ...] | Input, *, numbered: bool) -> Input:
    """Return the input of a map; `numbered`: its slices have a column of the items' numbers."""
    if isinstance(given, Input):
        return given
    return Numbered(given) if numbered else Input(given)


def _size_of(row: Any) -> int:
    """About how many bytes an item takes; no code of the program is run to find out."""
    return 48 + sum(map(_size_of_one, row)) if type(row) is tuple else _size_of_one(row)


def _size_of_one(value: Any) -> int:
    size = getattr(value, "nbytes", None) if type(value).__module__ == "numpy" else None
    if size is not None:
        return int(size)
    return sys.getsizeof(value) if type(value) in (str, bytes, bytearray, list, dict) else 32


def _length(iterables: tuple[Iterable[Any], ...]) -> int | None:
    lengths = [len(iterable) for iterable in iterables if hasattr(iterable, "__len__")]  # type: ignore[arg-type]
    return min(lengths, default=0) if len(lengths) == len(iterables) else None


def _is_bounded(iterable: Any) -> bool:
    """Whether it is known to come to an end: it has a length, or says how many are left."""
    try:
        return operator.length_hint(iterable, -1) >= 0
    except Exception:
        return False
