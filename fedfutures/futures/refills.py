"""Items that change while an input is read: a generator may fill one buffer again and again, and yield it each time.

The built-in ``map`` calls the function before it reads the next item, so each call sees the buffer as it was yielded.
Ours reads a slice of items, and pickles it then. So what may be changed in an item is copied when the item is read, or
the slice ends with it (and is pickled before more is read) where a copy would be large, or would run code of the
program. Of objects that only such code can copy, the first few end their slices; when they are different ones, and none
has changed when the next one was read, the program makes a new one for each item.
"""

from __future__ import annotations

import array
import copy
import pickle
import sys
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ..program.postponing import is_by_signal, pickles_for_program
from ..worker.plain import ATOMS

pickles_for_program(__name__)

LARGE_BYTES = 1 << 16
"""Arrays from this size on are not copied."""
LOOKED_AT = 3
"""So many objects are looked at to see whether one comes again."""
DEPTH = 8
_FLAT: dict[type, Callable[[Any], Any]] = {bytearray: bytearray, array.array: lambda value: value[:]}
_SETS = (set, frozenset)
_NESTED = frozenset({tuple, list, dict, set, frozenset, deque})
_FIXED = frozenset({type, range, type(len), type(lambda: 0), type(sys)})


class Items:
    """Takes the items of one input as they stand.

    >>> items, buffer = Items(), [1, 2]
    >>> first, _ = items.taken((buffer, 5))
    >>> buffer.clear()
    >>> first
    ([1, 2], 5)
    """

    def __init__(self) -> None:
        self._seen: deque[Callable[[], Any]] = deque([_nothing] * LOOKED_AT, maxlen=LOOKED_AT)
        self._count = 0
        self._last: tuple[Any, Any] = None, None  # of those, and what was in it
        self._comes_again = False
        self._rows = {tuple}  # and named tuples that have come
        self._different: set[type] = set()  # types of such objects of which each item has one of its own

    def take(self, source: Iterable[Any], rows: list[Any], *, keep: bool) -> tuple[list[Any], bool, bool]:
        """Append items as they are now, up to one that may change still.

        Return that one by itself if others stand before it, whether the source came to its end, and whether nothing can
        be changed in the items: they are numbers and strings, or tuples of such.
        """
        append, atoms, ndarray, different = rows.append, ATOMS, array_type(), set() if keep else self._different
        tuples, fixed = self._rows, True
        for value in source:
            kind = type(value)
            if kind in atoms or (kind in tuples and atoms.issuperset(map(type, value))):
                append(value)
                continue
            fixed = False
            if kind is list and atoms.issuperset(map(type, value)):
                append(value.copy())
            elif kind is ndarray and value.nbytes < LARGE_BYTES and not value.dtype.hasobject:
                append(_copied(value))
            elif kind in different and not self.suspects(value):
                append(value)
            else:
                taken, changes = self.taken(value, keep=keep)
                if changes and rows:
                    return [taken], False, False
                append(taken)
                if changes:
                    return [], False, False
        return [], True, fixed

    def taken(self, value: Any, *, keep: bool = False) -> tuple[Any, bool]:
        """Return an item as it is now, and whether it changes with the program: then it is to be pickled at once.

        With `keep` it is not pickled for long, so all that can be is copied.
        """
        kind = type(value)
        if kind in ATOMS:
            return value, False
        if kind is array_type() and not value.dtype.hasobject:
            return (value, True) if value.nbytes >= LARGE_BYTES and not keep else (_copied(value), False)
        if kind in _NESTED or kind in _FLAT or keep or self.is_row(kind):
            return _Taking(self, keep).item(value)
        return value, kind not in _FIXED and self.suspects(value)

    def suspects(self, value: Any) -> bool:
        """Whether the program may change an object, or what is in it, and yield it again, as far as it was seen."""
        if self._comes_again:
            return True
        first, second, third = self._seen
        if first() is value or second() is value or third() is value or self._has_changed():
            self._comes_again = True
            return True
        if self._count >= LOOKED_AT:
            if type(value) not in _NESTED and type(value) is not array_type():
                self._different.add(type(value))
            return False
        self._count += 1
        self._remember(value)
        return True

    def is_row(self, kind: type) -> bool:
        """Whether values of a type are tuples, or named tuples that have no other attributes."""
        if kind not in self._rows and issubclass(kind, tuple) and hasattr(kind, "_fields") and not kind.__dictoffset__:
            self._rows.add(kind)
        return kind in self._rows

    def _has_changed(self) -> bool:
        """Whether the object seen last is another now: those that come after it may share with it what is refilled."""
        (value, content), self._last = self._last, (None, None)
        return content is not None and _content(value) != content

    def _remember(self, value: Any) -> None:
        self._last = value, _content(value)
        try:
            self._seen.append(weakref.ref(value))
        except TypeError:
            self._seen.append(lambda: value)


class _Taking:
    """Takes one item."""

    def __init__(self, items: Items, keep: bool) -> None:
        self._items, self._keep = items, keep
        self._changes = False
        self._made: dict[int, Any] = {}  # an object that stands in the item twice does so in its copy

    def item(self, value: Any) -> tuple[Any, bool]:
        """Return the item, and whether something in it may change still."""
        taken = self._of(value, DEPTH)
        return taken, self._changes

    def _of(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in ATOMS or kind in _FIXED:
            return value
        if id(value) not in self._made:
            self._made[id(value)] = self._copy(value, kind, depth) if depth else self._other(value)
        return self._made[id(value)]

    def _copy(self, value: Any, kind: type, depth: int) -> Any:
        if kind is tuple or kind in _SETS:
            taken = [self._of(part, depth - 1) for part in value]
            return value if kind is not set and all(map(_is, taken, value)) else kind(taken)
        if kind is list or kind is deque:
            made = self._made[id(value)] = value.copy()
            for place, part in enumerate(value):
                made[place] = self._of(part, depth - 1)
            return made
        if kind is dict:
            filled = self._made[id(value)] = value.copy()
            for key, part in value.items():
                filled[key] = self._of(part, depth - 1)
            return filled
        if self._items.is_row(kind):
            taken = [self._of(part, depth - 1) for part in value]
            return value if all(map(_is, taken, value)) else tuple.__new__(kind, taken)
        if kind in _FLAT:
            return self._flat(value, memoryview(value).nbytes, _FLAT[kind])
        if kind is array_type() and not value.dtype.hasobject:
            return self._flat(value, value.nbytes, _copied)
        return self._other(value)

    def _flat(self, value: Any, size: int, make: Callable[[Any], Any]) -> Any:
        if size < LARGE_BYTES or self._keep:
            return make(value)
        self._changes = True
        return value

    def _other(self, value: Any) -> Any:
        if not self._items.suspects(value):
            return value
        if self._keep:
            try:
                return copy.deepcopy(value)
            except Exception as error:
                if is_by_signal(error):
                    raise
                return value
        self._changes = True
        return value


def array_type() -> Any:
    """Return NumPy's type of arrays; what no value is of where the program has not imported it."""
    return getattr(sys.modules.get("numpy"), "ndarray", _nothing)


def _copied(array: Any) -> Any:
    """Return a copy of a NumPy array: in the same order, and read-only if that is, which may be a view of a buffer."""
    made = array.copy("K")
    if not array.flags.writeable:
        made.flags.writeable = False
    return made


def _content(value: Any) -> Any:
    """Return what tells whether an object has changed; None where that cannot be told."""
    buffers: list[pickle.PickleBuffer] = []
    try:
        body = pickle.dumps(value, 5, buffer_callback=buffers.append)
        return zlib.crc32(body), len(body), [zlib.crc32(buffer) for buffer in buffers]
    except Exception:
        return None


def _nothing() -> object:
    return _nothing


def _is(one: Any, other: Any) -> bool:
    return one is other
