"""Probes tell whether a value has changed since it was last looked at.

They compare values up to :data:`~.tokens.EXACT_BYTES` by their pickles, functions and classes by the identity of their
parts, larger values by checksums of blocks: the first, the last, and some others in turn. A look finds a change of the
whole at once, a change of a part sooner or later.
"""

from __future__ import annotations

import array
import collections
import itertools
import operator
import pickle
import time
import types
import weakref
import zlib
from collections.abc import Callable
from typing import Any

from . import tensors
from .code_objects import content_of
from .modules import MISSING
from .tokens import ATOMS, LRU_CACHE, Digest, Named, examine

Probe = Callable[[], bool]  # returns whether the value is unchanged

BLOCK_BYTES = 64 << 10
BLOCK_ITEMS = 2048
PARTS_COMPARED = 64
BLOCKS_A_LOOK = 6
ITEMS_A_LOOK = 64 << 10  # a look also compares so many items of a list by identity, which is cheap
REST_FACTOR = 10
"""Between two looks at an object that can only be compared as a whole pass ten times the seconds of one look."""
_ARRAYS = (bytearray, array.array, memoryview)

told: dict[int, tuple[Callable[[], Any], int]] = {}
TOLD_AT_MOST = 32
"""So many objects are remembered in ``told``: by id, a reference, and how often :func:`changed` was called."""


def changed(value: Any) -> None:
    """Tell fedfutures that a large object was changed in place; Futures submitted from now on see the new contents.

    Each submit compares objects up to 64 KiB, and samples larger ones, which finds most changes in place but not all at
    once. After the first call of this function for an object, submits no longer sample it, and each further call sends
    it again. This holds for the last 32 objects.

    >>> import fedfutures
    >>> table = [0] * 1_000_000
    >>> table[17] = 5
    >>> fedfutures.changed(table)
    """
    count = times_told(value)
    if len(told) >= TOLD_AT_MOST and not count:
        del told[next(iter(told))]
    try:
        known: Callable[[], Any] = weakref.ref(value)
    except TypeError:  # a list, for instance
        known = lambda: value  # noqa: E731
    told[id(value)] = known, count + 1


def times_told(value: Any) -> int:
    """Return how often :func:`changed` was called for an object."""
    known = told.get(id(value))
    return known[1] if known is not None and known[0]() is value else 0


def probe_for(value: Any, exact: bool, again: Probe) -> Probe | None:
    """Return the probe of a value, None for one that cannot change.

    `exact`: the value is small enough to be compared exactly. `again`: compares a small value that has no plain pickle.
    """
    kind = type(value)
    if value is MISSING or isinstance(value, types.ModuleType) or is_frozen(value):
        return None
    if kind is types.FunctionType:
        return _function_probe(value, again)
    if isinstance(value, type):
        return _class_probe(value)
    if kind in (LRU_CACHE, staticmethod, classmethod) or isinstance(value, property):
        return _wrapper_probe(value, again)
    if kind is types.BuiltinFunctionType and isinstance(value.__self__, (type, types.ModuleType, type(None))):
        return None
    if not exact:
        count = times_told(value)
        return (lambda: times_told(value) == count) if count else large_probe(value)
    inside = _inside(value)  # before the pickle: to read the attributes of some objects changes it
    before = _pickled(value)
    if before is None:
        return again
    return lambda: _pickled(value) == before and list(map(id, _inside(value))) == list(map(id, inside))


def _inside(value: Any) -> list[Any]:
    """Return the first objects directly inside a value: one may be replaced by another of equal content."""
    if isinstance(value, (list, tuple)):
        parts: Any = value[:PARTS_COMPARED]
    elif isinstance(value, dict):
        parts = itertools.islice(value.values(), PARTS_COMPARED)
    else:
        parts = itertools.islice(getattr(value, "__dict__", {}).values(), PARTS_COMPARED)
    return [part for part in parts if type(part) not in ATOMS]


def is_frozen(value: Any) -> bool:
    """Whether a value can never change in place."""
    return type(value) in ATOMS or (type(value) in (tuple, frozenset) and all(map(is_frozen, value)))


def is_plain(function: types.FunctionType) -> bool:
    """Whether a function has only its code and immutable defaults: while these stay the same, so does what it does."""
    return not (function.__closure__ or function.__kwdefaults__ or vars(function)) and is_frozen(function.__defaults__)


def _pickled(value: Any) -> bytes | None:
    try:
        return pickle.dumps(value, 5)
    except Exception:
        return None


def _function_probe(function: types.FunctionType, again: Probe) -> Probe:
    code, defaults, keyword_defaults = function.__code__, function.__defaults__, function.__kwdefaults__
    attributes = len(vars(function))
    cells = [(cell, content_of(cell, MISSING)) for cell in function.__closure__ or ()]
    may_change = keyword_defaults or attributes or not is_frozen(defaults) or not all(is_frozen(c) for _, c in cells)

    def unchanged() -> bool:
        if function.__code__ is not code or function.__defaults__ is not defaults:
            return False
        if function.__kwdefaults__ is not keyword_defaults or len(vars(function)) != attributes:
            return False
        for cell, content in cells:
            if content_of(cell, MISSING) is not content:
                return False
        return not may_change or again()

    return unchanged


def _wrapper_probe(value: Any, again: Probe) -> Probe | None:
    """Return the probe of an object that wraps functions: it looks at these."""
    names = ("__wrapped__", "__func__", "fget", "fset", "fdel")
    inner = [part for name in names if isinstance(part := getattr(value, name, None), types.FunctionType)]
    probes = [_function_probe(function, again) for function in dict.fromkeys(inner)]
    return (lambda: all(probe() for probe in probes)) if probes else None


def _class_probe(cls: type) -> Probe:
    members = list(vars(cls).values())  # kept, so that no other object gets their ids
    names, ids, bases = list(vars(cls)), list(map(id, members)), cls.__bases__
    return lambda: list(map(id, vars(cls).values())) == ids and list(vars(cls)) == names and cls.__bases__ is bases


# -- large values ------------------------------------------------------------------------------------------------------


def large_probe(value: Any) -> Probe:
    """Return the probe of a large value, which looks at its parts in turn."""
    if isinstance(value, (list, tuple, dict, set, frozenset, collections.deque)):
        return ContainerProbe(value)
    views: list[memoryview] = []
    if _outside_of_buffers(value, views) is not None:
        return BufferProbe(value)
    kind: Any = type(value)
    usual: Any = object
    if vars_of(value) and kind.__reduce_ex__ is usual.__reduce_ex__ and kind.__reduce__ is usual.__reduce__:
        return AttributesProbe(value)
    return WholeProbe(value)


class Sampled:
    """Looks at a large value; a change that it has seen once it reports from then on, wherever the next look falls."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self._has_changed = False
        self._next = 1

    def __call__(self) -> bool:
        if not self._has_changed:
            try:
                self._has_changed = bool(times_told(self._value)) or not self.look()
            except Exception:  # resized, closed, or it does not let itself be compared any more
                self._has_changed = True
        return not self._has_changed

    def look(self) -> bool:
        """Return whether the parts of this look are unchanged."""
        raise NotImplementedError

    def _places(self, count: int) -> list[int]:
        """Return which of so many parts to look at: the first, the last, and some others in turn."""
        if count <= BLOCKS_A_LOOK + 2:
            return list(range(count))
        found = sorted({0, count - 1, *((self._next + step) % count for step in range(BLOCKS_A_LOOK))})
        self._next = (self._next + BLOCKS_A_LOOK) % count
        return found


class ContainerProbe(Sampled):
    """Compares blocks of the items of a container, and its attributes if it is of a class of the program."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self._length = len(value)
        self._keys = list(value) if isinstance(value, (dict, set, frozenset)) else None
        self._sums = [self._sum(index) for index in range(-(-self._length // BLOCK_ITEMS))]
        self._items = value.copy() if type(value) is list else []
        self._at = 0
        self._attributes = AttributesProbe(value) if hasattr(value, "__dict__") else None

    def look(self) -> bool:
        """Return whether the items of this look are unchanged."""
        if len(self._value) != self._length or (self._attributes is not None and not self._attributes()):
            return False
        return self._same_items() and all(self._sum(at) == self._sums[at] for at in self._places(len(self._sums)))

    def _sum(self, index: int) -> Any:
        start, end = index * BLOCK_ITEMS, (index + 1) * BLOCK_ITEMS
        value: Any = self._value
        if self._keys is not None:
            is_dict = isinstance(value, dict)
            return _sum([(key, dict.get(value, key) if is_dict else key in value) for key in self._keys[start:end]])
        if isinstance(value, collections.deque):
            return _sum(list(itertools.islice(value, start, end)))
        return _sum(value[start:end])

    def _same_items(self) -> bool:
        if not self._items:
            return True
        at, end = self._at, self._at + ITEMS_A_LOOK
        self._at = end if end < len(self._items) else 0
        if len(self._items) <= ITEMS_A_LOOK:
            return bool(self._items == self._value)
        return bool(self._items[at:end] == self._value[at:end])


class BufferProbe(Sampled):
    """Compares blocks of an object's large buffers, as arrays have, and all the rest of its pickle."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        views: list[memoryview] = []
        self._rest = _outside_of_buffers(value, views)
        self._owners = [view.obj for view in views]
        self._sizes = [view.nbytes for view in views]
        self._blocks = [(index, at) for index, view in enumerate(views) for at in range(0, view.nbytes, BLOCK_BYTES)]
        self._sums = [zlib.crc32(views[index][at : at + BLOCK_BYTES]) for index, at in self._blocks]

    def look(self) -> bool:
        """Return whether the rest and the blocks of this look are unchanged."""
        views: list[memoryview] = []
        if _outside_of_buffers(self._value, views) != self._rest:
            return False
        if [view.nbytes for view in views] != self._sizes:
            return False
        if not all(map(operator.is_, (view.obj for view in views), self._owners)):
            return False
        for place in self._places(len(self._blocks)):
            index, at = self._blocks[place]
            if zlib.crc32(views[index][at : at + BLOCK_BYTES]) != self._sums[place]:
                return False
        return True


class AttributesProbe(Sampled):
    """Compares the attributes of an object: their identity at each look, their content in turn."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self._attributes = vars_of(value)
        self._probes = [probe for part in self._attributes.values() if (probe := _probe_of_part(part)) is not None]

    def look(self) -> bool:
        """Return whether the attributes are the same, and the contents of this look unchanged."""
        now = vars_of(self._value)
        if now.keys() != self._attributes.keys():
            return False
        if any(now[name] is not part for name, part in self._attributes.items()):
            return False
        return all(self._probes[place]() for place in self._places(len(self._probes)))


class WholeProbe(Sampled):
    """Compares the whole pickle of an object without accessible parts, at intervals."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        began = time.monotonic()
        self._sum = _sum(value)
        self._seconds = time.monotonic() - began
        self._again_at = 0.0

    def look(self) -> bool:
        """Return whether the pickle is the same, or was at the last look if it is too early for another."""
        now = time.monotonic()
        if now < self._again_at:
            return True
        self._again_at = now + REST_FACTOR * self._seconds
        return bool(_sum(self._value) == self._sum)


def _probe_of_part(part: Any) -> Probe | None:
    if is_frozen(part) or isinstance(part, (type, types.ModuleType, types.FunctionType)):
        return None
    found = examine(part, _NOTHING_NAMED)
    if found.token is None:
        return large_probe(part)
    before = _pickled(part)
    if before is None:
        return lambda: examine(part, _NOTHING_NAMED).token == found.token
    return lambda: _pickled(part) == before


def vars_of(value: Any) -> dict[str, Any]:
    """Return the attributes of an object itself, those in slots too."""
    found = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if isinstance(cls.__dict__.get(name), types.MemberDescriptorType) and hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def _outside_of_buffers(value: Any, views: list[memoryview]) -> bytes | None:
    """Return a digest of an object's pickle without its buffers, which go to `views`; None if it is large or fails."""
    if isinstance(value, _ARRAYS):
        views.append(memoryview(value).cast("B"))
        return b""

    def take(buffer: pickle.PickleBuffer) -> bool:
        try:
            views.append(buffer.raw())
        except BufferError:
            return True
        return False

    digest = Digest()
    try:
        tensors.pickler(digest, take).dump(value)
    except Exception:
        return None
    return digest.token()


def _sum(part: Any) -> Any:
    """A checksum of plain values, or the token of others."""
    try:
        return zlib.crc32(pickle.dumps(part, 5))
    except Exception:
        token = examine(part, _NOTHING_NAMED).token
        return [id(item) for item in part] if token is None and isinstance(part, list) else token


_NOTHING_NAMED = Named(None)
