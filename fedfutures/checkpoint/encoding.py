"""Turns a value into bytes that say its content: equal values give equal bytes in any process, on any host.

Neither the order in which a dict or set was filled counts, nor which strings are interned, nor whether two equal parts
are one object. Each container is the digest of its parts (a Merkle tree), so a part that stands at many places is read
once. A part that contains itself is told by how many containers it lies above.

Functions and classes of the program stand by name: their content, with that of all variables they read, goes into a
digest of its own (:mod:`.digests`). Those of installed packages stand by name only.
"""

from __future__ import annotations

import array
import contextvars
import copyreg
import enum
import functools
import marshal
import pickle
import struct
import sys
import threading
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from ..errors import NotCheckpointable
from ..program import fresh, tensors
from ..program.code_objects import content_of
from ..program.modules import Key, canonical, home_of, is_program, members_of
from ..program.postponing import is_by_signal, pickles_for_program
from ..program.reach import Reach, names_of, reach_of
from ..program.tokens import LRU_CACHE, is_found_in, is_single_dispatch, key_of_definition
from .unloaded import texts_for

pickles_for_program(__name__)

DIGEST_BYTES = 16
PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types whose values ``marshal`` writes by content alone, in its version 0."""
MANY = 16
"""A list or tuple of more plain values is written by ``marshal``, which is quicker."""
VISITS_AT_MOST = 1_000_000
_DEEP = "its parts are nested too deeply, or refer to each other in too many ways"
_INSTEAD = "pass what it stands for instead (a list, a path, a number), or make this call without a checkpoint"
_LOCKS = frozenset({type(threading.Lock()), type(threading.RLock()), threading.local})
_OF_ENUMS = frozenset({"_value_", "_name_", "__objclass__", "_sort_order_", "_hashable_values_"})
_PROTOCOL = 4  # the last one that has no buffers aside


def digest_of_bytes(*parts: Any) -> bytes:
    """Return the digest of bytes."""
    made = blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        made.update(part)
    return made.digest()


def _sized(tag: bytes, content: bytes) -> bytes:
    return tag + len(content).to_bytes(8, "little") + content


_ATOMS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: b"N",
    type(...): lambda value: b"E",
    type(NotImplemented): lambda value: b"I",
    bool: lambda value: b"T" if value else b"F",
    int: lambda value: _sized(b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)),
    float: lambda value: b"f" + struct.pack("<d", value),
    complex: lambda value: b"c" + struct.pack("<dd", value.real, value.imag),
    str: lambda value: _sized(b"s", value.encode("utf-8", "surrogatepass")),
    bytes: lambda value: _sized(b"b", value),
}


class Encoder:
    """Encodes the values of one call. `reach`: what of the program they reach by name so far."""

    def __init__(self) -> None:
        self.reach = Reach()
        self._known: dict[int, tuple[bytes, Any]] = {}
        self._above: dict[int, int] = {}  # the containers around the value, by id: at which depth
        self._lowest = sys.maxsize  # the least depth that a part has referred to
        self._root: Key | None = None
        self._visits = 0

    def encoded(self, value: Any, where: str, root: Key | None = None) -> bytes:
        """Return what says a value; `root`: the key of a definition whose content is wanted, not its name.

        Raises :class:`~fedfutures.errors.NotCheckpointable`, which says where the reason stands.
        """
        self._known.clear()
        self._above.clear()
        self._root = root
        try:
            return self._of(value)
        except NotCheckpointable as error:
            raise NotCheckpointable(f"{where}: {error}") from error.__cause__
        except RecursionError:
            raise NotCheckpointable(f"{where}: {_DEEP}; {_INSTEAD}") from None

    def _of(self, value: Any) -> bytes:
        kind = type(value)
        atom = _ATOMS.get(kind)
        if atom is not None:
            return atom(value)
        place = id(value)
        known = self._known.get(place)
        if known is not None:
            return known[0]
        depth = len(self._above)
        if place in self._above:
            self._lowest = min(self._lowest, self._above[place])
            return b"^" + (depth - self._above[place]).to_bytes(8, "little")
        self._visits += 1
        if self._visits > VISITS_AT_MOST:
            raise NotCheckpointable(f"{_DEEP}; {_INSTEAD}")
        self._above[place] = depth
        before, self._lowest = self._lowest, sys.maxsize
        try:
            made = self._content(value, kind)
        finally:
            del self._above[place]
            lowest, self._lowest = self._lowest, before
        if lowest >= depth:  # it means the same wherever it stands
            self._known[place] = made, value
        else:
            self._lowest = min(before, lowest)
        return made

    def _content(self, value: Any, kind: type) -> bytes:
        describe = _DESCRIBED.get(kind)
        if describe is not None:
            return describe(self, value)
        if isinstance(value, type):
            return self.of_class(value)
        if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
            return self.of_array(value)
        if kind in _LOCKS:
            return self.all(b"lock", kind.__qualname__)
        if isinstance(value, property):
            return self.all(b"property", kind, value.fget, value.fset, value.fdel)
        if isinstance(value, enum.Enum):
            return self.all(b"member", kind, value.name)
        return self.of_instance(value, kind)

    def all(self, tag: bytes, *parts: Any) -> bytes:
        """Return what says these parts, in this order."""
        return b"d" + digest_of_bytes(_sized(b"#", tag), *map(self._of, parts))

    def in_any_order(self, tag: bytes, parts: Iterable[bytes], *more: Any) -> bytes:
        """Return what says these parts, which are encoded, in whatever order."""
        return b"d" + digest_of_bytes(_sized(b"#", tag), *map(self._of, more), b"|", *sorted(parts))

    # -- containers and buffers --------------------------------------------------------------------------------------

    def of_sequence(self, value: Any) -> bytes:
        """Return what says a list or tuple."""
        tag = b"list" if type(value) is list else b"tuple"
        if len(value) > MANY and PLAIN.issuperset(map(type, value)):
            return b"d" + digest_of_bytes(b"plain " + tag, marshal.dumps(value, 0))
        return b"d" + digest_of_bytes(_sized(b"#", tag), *map(self._of, value))

    def of_dict(self, value: dict[Any, Any]) -> bytes:
        """Return what says a dict."""
        return self.in_any_order(b"dict", self._pairs(value.items()))

    def _pairs(self, items: Iterable[tuple[Any, Any]]) -> list[bytes]:
        return [self._of(key) + self._of(part) for key, part in items]

    def of_set(self, value: Any) -> bytes:
        """Return what says a set or frozenset."""
        return self.in_any_order(type(value).__name__.encode(), map(self._of, value))

    def of_buffer(self, value: Any) -> bytes:
        """Return what says the bytes of a buffer."""
        view = memoryview(value)
        content = view if view.c_contiguous else view.tobytes()
        return b"d" + digest_of_bytes(
            self.all(b"buffer", type(value).__name__, view.format, list(view.shape or ())), content
        )

    def of_array(self, value: Any) -> bytes:
        """Return what says an array of NumPy: its type, shape and items."""
        if value.dtype.hasobject:
            return self.all(b"objects", repr(value.dtype.descr), list(value.shape), value.tolist())
        head = self.all(b"array", repr((value.dtype.str, value.dtype.descr)), list(value.shape))
        is_direct = value.flags.c_contiguous and value.dtype.kind in "biufc"
        return b"d" + digest_of_bytes(head, value.data if is_direct and value.size else value.tobytes())

    # -- functions, classes, modules ---------------------------------------------------------------------------------

    def of_function(self, function: Any) -> bytes:
        """Return what says a function: its name, where it has one, else its code and all that goes with it."""
        if is_single_dispatch(function):
            return self.in_any_order(b"dispatch", self._pairs(function.registry.items()))
        key = key_of_definition(function)
        if key is not None and key != self._root:
            return self._named(key)
        home = home_of(function.__globals__)
        if home is not None and is_found_in(home, function):
            return self.all(b"installed", home, function.__qualname__)
        self.reach.add(reach_of(function))
        cells = [content_of(cell, "empty") for cell in function.__closure__ or ()]
        attributes = {name: value for name, value in vars(function).items() if name != "__wrapped__"}
        names: dict[str, Any] = {}
        if home is None:  # its globals are no module's
            loaded = names_of(function.__code__).loaded
            names = {name: function.__globals__[name] for name in loaded if name in function.__globals__}
        return self.all(
            b"function", home, function.__qualname__, function.__code__, function.__defaults__,
            function.__kwdefaults__, cells, attributes, names, texts_for(function),
        )  # fmt: skip

    def of_cache(self, cache: Any) -> bytes:
        """Return what says an ``lru_cache``: its name, or its function. What it has kept does not count."""
        key = key_of_definition(cache)
        if key is not None and key != self._root:
            return self._named(key)
        return self.all(b"cache", cache.cache_parameters(), cache.__wrapped__)

    def _named(self, key: Key) -> bytes:
        self.reach.parts.add(key)
        return self.all(b"name", *key)

    def of_code(self, code: types.CodeType) -> bytes:
        """Return what says code: neither its file nor its lines."""
        return self.all(
            b"code", code.co_code, list(code.co_consts), code.co_names, code.co_varnames, code.co_freevars,
            code.co_flags, code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount,
            getattr(code, "co_exceptiontable", b""),
        )  # fmt: skip

    def of_class(self, cls: type) -> bytes:
        """Return what says a class: its name, or its members, where it is the program's and this is wanted."""
        if not is_program(cls.__module__ or "") and cls.__module__ != "":
            return self.all(b"class of package", cls.__module__, cls.__qualname__)
        key = key_of_definition(cls)
        if key is not None and key != self._root:
            return self._named(key)
        slots = cls.__dict__.get("__slots__")
        members = {name: vars(cls)[name] for name in members_of(cls)}
        made: dict[str, Any] = dict(cls.__members__) if isinstance(cls, enum.EnumMeta) else {}
        values = [
            (name, member.value, {n: v for n, v in vars(member).items() if n not in _OF_ENUMS})
            for name, member in made.items()
        ]
        return self.all(
            b"class", canonical(cls.__module__), cls.__qualname__, cls.__bases__, type(cls),
            slots if isinstance(slots, (str, tuple)) else (), values, members,
        )  # fmt: skip

    def of_module(self, module: types.ModuleType) -> bytes:
        """Return what says a module: its name. What code reads of it goes by name."""
        self.reach.add_module(module)
        return self.all(b"module", canonical(module.__name__))

    def of_builtin(self, function: Any) -> bytes:
        """Return what says a function in C, or a method of an object of a class in C."""
        owner = function.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            return self.all(b"built-in", function.__module__, function.__qualname__)
        return self.all(b"method in C", owner, function.__name__)

    # -- all else ----------------------------------------------------------------------------------------------------

    def of_instance(self, value: Any, kind: type) -> bytes:
        """Return what says an object: its class and state, as it pickles itself."""
        if isinstance(value, (set, frozenset)):
            return self.in_any_order(b"set of", map(self._of, set(value)), kind, getattr(value, "__dict__", None))
        reduced = self._reduced(value, kind)
        if isinstance(reduced, str):
            return self.all(b"global", canonical(getattr(value, "__module__", None) or ""), reduced)
        parts: list[Any] = [*reduced, None, None, None]
        make, args, state, items, pairs = parts[:5]
        told = list(items) if items is not None else None
        if pairs is None:
            return self.all(b"object", make, args, state, told)
        if isinstance(value, OrderedDict):
            return self.all(b"object", make, args, state, told, list(pairs))
        return self.in_any_order(b"dict of", self._pairs(pairs), make, args, state, told)

    def _reduced(self, value: Any, kind: type) -> Any:
        reduce = copyreg.dispatch_table.get(kind) or tensors.reducers().get(kind)
        try:
            return value.__reduce_ex__(_PROTOCOL) if reduce is None else reduce(value)
        except RecursionError:
            raise
        except Exception as error:
            if is_by_signal(error):
                raise
            how = fresh.reduce(value)
            if how is not None and how[0] is getattr:  # a standard stream
                return how
            name = f"{kind.__module__}.{kind.__qualname__}"
            raise NotCheckpointable(
                f"{name} has no content of which a key could be made ({error}); {_INSTEAD}"
            ) from error


def _installed_descriptor(encoder: Encoder, value: Any) -> bytes:
    return encoder.all(b"descriptor", value.__objclass__, value.__name__)


_DESCRIBED: dict[type, Callable[[Encoder, Any], bytes]] = {
    list: Encoder.of_sequence,
    tuple: Encoder.of_sequence,
    dict: Encoder.of_dict,
    set: Encoder.of_set,
    frozenset: Encoder.of_set,
    **dict.fromkeys((bytearray, memoryview, array.array, pickle.PickleBuffer), Encoder.of_buffer),
    types.FunctionType: Encoder.of_function,
    types.BuiltinFunctionType: Encoder.of_builtin,
    types.CodeType: Encoder.of_code,
    types.ModuleType: Encoder.of_module,
    types.MethodType: lambda encoder, made: encoder.all(b"method", made.__func__, made.__self__),
    types.MappingProxyType: lambda encoder, made: encoder.all(b"proxy", dict(made)),
    types.CellType: lambda encoder, made: encoder.all(b"cell", content_of(made, "empty")),
    **dict.fromkeys(
        (types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType,
         types.MemberDescriptorType, types.GetSetDescriptorType), _installed_descriptor,
    ),
    staticmethod: lambda encoder, made: encoder.all(b"static", made.__func__),
    classmethod: lambda encoder, made: encoder.all(b"of class", made.__func__),
    functools.cached_property: lambda encoder, made: encoder.all(b"cached property", made.func, made.attrname),
    LRU_CACHE: Encoder.of_cache,
    contextvars.ContextVar: lambda encoder, made: encoder.all(b"context variable", made.name, made.get(None)),
}  # fmt: skip
