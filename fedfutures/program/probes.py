"""Probes: whether a value is still what it was when it was last looked at.

Values up to :data:`~.tokens.EXACT_BYTES` are compared exactly, by their pickles; functions and classes by the identity
of what they consist of. A larger value is cut into blocks with a checksum each; every look compares the first, the last
and some others in turn, so that a change in place of a part is found sooner or later, and one of the whole at once. A
program that calls :func:`changed` for an object says itself when it has changed; nothing is compared then.
"""

from __future__ import annotations

import array
import pickle
import types
import zlib
from collections.abc import Callable
from typing import Any

from .modules import MISSING
from .tokens import ATOMS, EXACT_BYTES, LRU_CACHE

Probe = Callable[[], bool]
"""Returns whether the value is unchanged."""

BLOCK_BYTES = 64 << 10
BLOCK_ITEMS = 2048
BLOCKS_A_LOOK = 6
ITEMS_A_LOOK = 64 << 10
"""So many items of a list are compared by identity, which is cheap, in addition to some blocks by content."""
_ARRAYS = (bytearray, array.array, memoryview)

_told: dict[int, tuple[Any, int]] = {}
_TOLD_AT_MOST = 4096


def changed(value: Any) -> None:
    """Say that a large object has been changed in place: Futures that are submitted from now on see it as it is.

    Objects up to 64 KiB are compared at every submit. Larger ones are sampled, which finds most changes in place but
    not all at once; after the first call for an object it is sampled no more, and each call makes it travel again.

    >>> import fedfutures
    >>> table = [0] * 1_000_000
    >>> table[17] = 5
    >>> fedfutures.changed(table)
    """
    if len(_told) >= _TOLD_AT_MOST and id(value) not in _told:
        del _told[next(iter(_told))]
    _told[id(value)] = value, _told.get(id(value), (None, 0))[1] + 1


def times_told(value: Any) -> int:
    """Return how often :func:`changed` was called for an object."""
    known = _told.get(id(value))
    return 0 if known is None else known[1]


def probe_for(value: Any, exact: bool, again: Probe) -> tuple[Probe | None, int]:
    """Return what tells whether a value has changed, None for one that cannot, and how many bytes a look compares.

    `exact`: it is no larger than what is compared exactly. `again` compares a small value that has no plain pickle.
    """
    kind = type(value)
    if value is MISSING or isinstance(value, types.ModuleType) or is_frozen(value):
        return None, 0
    if kind is types.FunctionType:
        return _function_probe(value, again), 0
    if isinstance(value, type):
        return _class_probe(value), 0
    if kind in (LRU_CACHE, property, staticmethod, classmethod, types.BuiltinFunctionType):
        return None, 0
    if times_told(value):
        count = times_told(value)
        return lambda: times_told(value) == count, 0
    if not exact:
        return LargeProbe(value), BLOCK_BYTES
    before = _pickled(value)
    if before is None:
        return again, EXACT_BYTES
    return lambda: _pickled(value) == before, len(before)


def is_frozen(value: Any) -> bool:
    """Whether a value can never change in place."""
    return type(value) in ATOMS or (type(value) in (tuple, frozenset) and all(map(is_frozen, value)))


def is_plain(function: types.FunctionType) -> bool:
    """Whether nothing of a function can change in place: it is as it was while its code and defaults are the same."""
    return not (function.__closure__ or function.__kwdefaults__ or vars(function)) and is_frozen(function.__defaults__)


def _pickled(value: Any) -> bytes | None:
    try:
        return pickle.dumps(value, 5)
    except Exception:
        return None


def _function_probe(function: types.FunctionType, again: Probe) -> Probe:
    code, defaults, keyword_defaults = function.__code__, function.__defaults__, function.__kwdefaults__
    attributes = vars(function).copy()
    cells = [(cell, _content(cell)) for cell in function.__closure__ or ()]
    may_change = keyword_defaults or attributes or not is_frozen(defaults) or not all(is_frozen(c) for _, c in cells)

    def unchanged() -> bool:
        if function.__code__ is not code or function.__defaults__ is not defaults:
            return False
        if function.__kwdefaults__ is not keyword_defaults:
            return False
        for cell, content in cells:
            if _content(cell) is not content:
                return False
        return not may_change or again()

    return unchanged


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def _class_probe(cls: type) -> Probe:
    members = list(vars(cls).values())  # which keeps their ids their own
    ids = list(map(id, members))
    return lambda: list(map(id, vars(cls).values())) == ids


class LargeProbe:
    """Looks at some blocks of a large value in turn."""

    def __init__(self, value: Any) -> None:
        self._block, self._count = _blocks_of(value)
        self._length = _length(value)
        self._value = value
        self._sums = [self._block(index) for index in range(self._count)]
        self._next = 1
        self._items = value.copy() if type(value) is list else []
        self._at = 0

    def __call__(self) -> bool:
        if times_told(self._value) or _length(self._value) != self._length:
            return False
        count = self._count
        indexes = {0, count - 1, *((self._next + step) % count for step in range(BLOCKS_A_LOOK))} if count else set()
        self._next = (self._next + BLOCKS_A_LOOK) % max(1, count)
        try:
            return self._same_items() and all(self._block(index) == self._sums[index] for index in indexes)
        except Exception:  # resized, closed, or it does not let itself be pickled any more
            return False

    def _same_items(self) -> bool:
        if not self._items:
            return True
        at, end = self._at, self._at + ITEMS_A_LOOK
        self._at = end if end < len(self._items) else 0
        if len(self._items) <= ITEMS_A_LOOK:
            return bool(self._items == self._value)
        return bool(self._items[at:end] == self._value[at:end])


def _length(value: Any) -> Any:
    try:
        return getattr(value, "shape", None) or len(value)
    except Exception:
        return None


def _blocks_of(value: Any) -> tuple[Callable[[int], int], int]:
    """Return what computes the checksum of a block, and the number of blocks; 0 where a value cannot be looked into."""
    if type(value) is list or type(value) is tuple:
        return lambda index: _sum(value[index * BLOCK_ITEMS : (index + 1) * BLOCK_ITEMS]), -(-len(value) // BLOCK_ITEMS)
    if type(value) in (dict, set):
        keys = list(value)
        is_dict = type(value) is dict

        def block(index: int) -> int:
            some = keys[index * BLOCK_ITEMS : (index + 1) * BLOCK_ITEMS]
            return _sum([(key, value.get(key)) if is_dict else (key, key in value) for key in some])

        return block, -(-len(keys) // BLOCK_ITEMS)
    return _buffers_of(value)


def _buffers_of(value: Any) -> tuple[Callable[[int], int], int]:
    """The blocks of an object's large buffers, as arrays have; the first is the rest of its pickle."""
    views: list[memoryview] = []
    stream = _outside_of_buffers(value, views)
    if stream is None:
        return _attributes_of(value)
    places = [(view, at) for view in views for at in range(0, view.nbytes, BLOCK_BYTES)]

    def block(index: int) -> int:
        if index == 0:
            rest = _outside_of_buffers(value, [])
            return -1 if rest is None else zlib.crc32(rest)
        view, at = places[index - 1]
        return zlib.crc32(view[at : at + BLOCK_BYTES])

    return block, 1 + len(places)


def _outside_of_buffers(value: Any, views: list[memoryview]) -> bytes | None:
    """Return the pickle of an object without its large buffers; None if that is large itself, or there is none."""
    if isinstance(value, _ARRAYS):
        views.append(memoryview(value).cast("B"))
        return b""

    def take(buffer: pickle.PickleBuffer) -> bool:
        try:
            views.append(buffer.raw())
        except BufferError:
            return True
        return False

    class Bounded:
        def __init__(self) -> None:
            self.data = bytearray()

        def write(self, part: Any) -> None:
            self.data += part
            if len(self.data) > EXACT_BYTES:
                raise ValueError("too large")

    target = Bounded()
    try:
        pickle.Pickler(target, 5, buffer_callback=take).dump(value)
    except Exception:
        return None
    return bytes(target.data)


def _attributes_of(value: Any) -> tuple[Callable[[int], int], int]:
    """Of another large object, the blocks of each of its attributes in turn."""
    attributes = list(getattr(value, "__dict__", {}).items())
    blocks: list[tuple[str, Any, Callable[[int], int], int]] = []
    for name, part in attributes:
        if type(part) in ATOMS or type(part) not in (list, dict, set, tuple):
            continue
        block, count = _blocks_of(part)
        blocks.extend((name, part, block, index) for index in range(count))

    def check(index: int) -> int:
        if index == 0:
            return hash(tuple((name, id(part)) for name, part in vars(value).items())) if attributes else 0
        name, part, block, inner = blocks[index - 1]
        return block(inner) if vars(value).get(name) is part else -1

    return check, 1 + len(blocks)


def _sum(part: Any) -> int:
    return zlib.crc32(pickle.dumps(part, 5))
