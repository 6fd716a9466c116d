"""Probes tell whether a value has changed since it was last looked at.

Values up to :data:`~.tokens.EXACT_BYTES` are compared exactly, by their pickles; functions and classes by the identity
of what they consist of. A larger value is cut into blocks, each with a checksum. Every look compares the first block,
the last, and some others in turn: it finds a change of the whole at once, a change of a part sooner or later. A program
that calls :func:`changed` for an object says itself when the object has changed; then nothing is compared.
"""

from __future__ import annotations

import array
import collections
import itertools
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

Probe = Callable[[], bool]
"""Returns whether the value is unchanged."""

BLOCK_BYTES = 64 << 10
BLOCK_ITEMS = 2048
PARTS_COMPARED = 64
BLOCKS_A_LOOK = 6
ITEMS_A_LOOK = 64 << 10
"""So many items of a list are compared by identity, which is cheap, in addition to some blocks by content."""
REST_FACTOR = 10
"""An object that can only be compared as a whole is left alone for ten times as long as that takes."""
_ARRAYS = (bytearray, array.array, memoryview)

told: dict[int, tuple[Callable[[], Any], int]] = {}
TOLD_AT_MOST = 32
"""So many objects that were said to have changed are remembered, with how often; each by its id."""


def changed(value: Any) -> None:
    """Say that a large object has been changed in place: Futures that are submitted from now on see it as it is.

    Objects up to 64 KiB are compared at every submit. Larger ones are sampled, which finds most changes in place but
    not all at once; after the first call for an object it is sampled no more, and each call makes it travel again. That
    is remembered for the last 32 objects.

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
    """Return what tells whether a value has changed, None for one that cannot.

    `exact`: it is no larger than what is compared exactly. `again` compares a small value that has no plain pickle.
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
    inside = _inside(value)  # first: to look at the attributes of some objects changes how they are pickled
    before = _pickled(value)
    if before is None:
        return again
    return lambda: _pickled(value) == before and list(map(id, _inside(value))) == list(map(id, inside))


def _inside(value: Any) -> list[Any]:
    """Return the first objects right inside a value: another one of equal content may take the place of one."""
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
    """Whether nothing of a function can change in place: it is as it was while its code and defaults are the same."""
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
    """Of what wraps functions: whether these have changed."""
    names = ("__wrapped__", "__func__", "fget", "fset", "fdel")
    inner = [part for name in names if isinstance(part := getattr(value, name, None), types.FunctionType)]
    probes = [_function_probe(function, again) for function in dict.fromkeys(inner)]
    return (lambda: all(probe() for probe in probes)) if probes else None


def _class_probe(cls: type) -> Probe:
    members = list(vars(cls).values())  # which keeps their ids their own
    names, ids, bases = list(vars(cls)), list(map(id, members)), cls.__bases__
    return lambda: list(map(id, vars(cls).values())) == ids and list(vars(cls)) == names and cls.__bases__ is bases


# -- large values ------------------------------------------------------------------------------------------------------


def large_probe(value: Any) -> Probe:
    """Return what looks at parts of a large value in turn."""
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


class Turn:
    """Which of some parts are looked at: the first, the last and some others in turn."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._next = 1

    def next(self) -> list[int]:
        """Return the places for this look."""
        count = self._count
        if count <= BLOCKS_A_LOOK + 2:
            return list(range(count))
        found = sorted({0, count - 1, *((self._next + step) % count for step in range(BLOCKS_A_LOOK))})
        self._next = (self._next + BLOCKS_A_LOOK) % count
        return found


class Sampled:
    """Looks at a large value; once it was seen to have changed it stays so, wherever the next look would fall."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self._has_changed = False

    def __call__(self) -> bool:
        if not self._has_changed:
            try:
                self._has_changed = bool(times_told(self._value)) or not self.look()
            except Exception:  # resized, closed, or it does not let itself be compared any more
                self._has_changed = True
        return not self._has_changed

    def look(self) -> bool:
        """Return whether what is looked at this time is as it was."""
        raise NotImplementedError


class ContainerProbe(Sampled):
    """Compares blocks of the items of a container, and the attributes that one of a class of its own has."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self._length = len(value)
        self._keys = list(value) if isinstance(value, (dict, set, frozenset)) else None
        self._sums = [self._sum(index) for index in range(-(-self._length // BLOCK_ITEMS))]
        self._turn = Turn(len(self._sums))
        self._items = value.copy() if type(value) is list else []
        self._at = 0
        self._attributes = AttributesProbe(value) if hasattr(value, "__dict__") else None

    def look(self) -> bool:
        """Return whether some of the items are as they were."""
        if len(self._value) != self._length or (self._attributes is not None and not self._attributes()):
            return False
        return self._same_items() and all(self._sum(index) == self._sums[index] for index in self._turn.next())

    def _sum(self, index: int) -> Any:
        start, end = index * BLOCK_ITEMS, (index + 1) * BLOCK_ITEMS
        value: Any = self._value
        if isinstance(value, dict):
            assert self._keys is not None
            return _sum([(key, dict.get(value, key)) for key in self._keys[start:end]])
        if self._keys is not None:
            return _sum([(key, key in value) for key in self._keys[start:end]])
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
        self._places = [(index, at) for index, view in enumerate(views) for at in range(0, view.nbytes, BLOCK_BYTES)]
        self._sums = [zlib.crc32(views[index][at : at + BLOCK_BYTES]) for index, at in self._places]
        self._turn = Turn(len(self._places))

    def look(self) -> bool:
        """Return whether the rest and some blocks are as they were."""
        views: list[memoryview] = []
        if _outside_of_buffers(self._value, views) != self._rest:
            return False
        if [view.nbytes for view in views] != self._sizes:
            return False
        if any(view.obj is not owner for view, owner in zip(views, self._owners)):
            return False
        for place in self._turn.next():
            index, at = self._places[place]
            if zlib.crc32(views[index][at : at + BLOCK_BYTES]) != self._sums[place]:
                return False
        return True


class AttributesProbe(Sampled):
    """Compares the attributes of an object: each that is another object at once, what they contain in turn."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self._attributes = vars_of(value)
        self._probes = [probe for part in self._attributes.values() if (probe := _probe_of_part(part)) is not None]
        self._turn = Turn(len(self._probes))

    def look(self) -> bool:
        """Return whether the attributes are the same, and some of their contents as they were."""
        now = vars_of(self._value)
        if now.keys() != self._attributes.keys():
            return False
        if any(now[name] is not part for name, part in self._attributes.items()):
            return False
        return all(self._probes[place]() for place in self._turn.next())


class WholeProbe(Sampled):
    """Compares the whole pickle of an object that cannot be looked into, but not all the time."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        began = time.monotonic()
        self._sum = _sum(value)
        self._seconds = time.monotonic() - began
        self._again_at = 0.0

    def look(self) -> bool:
        """Return whether the pickle is the same, if it is time to look."""
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
    token = found.token
    before = _pickled(part)
    if before is None:
        return lambda: examine(part, _NOTHING_NAMED).token == token
    return lambda: _pickled(part) == before


def vars_of(value: Any) -> dict[str, Any]:
    """Return the attributes that an object has by itself, those of slots too."""
    found = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if isinstance(cls.__dict__.get(name), types.MemberDescriptorType) and hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def _outside_of_buffers(value: Any, views: list[memoryview]) -> bytes | None:
    """Return a digest of an object's pickle without its large buffers; None if that is large itself, or none."""
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
