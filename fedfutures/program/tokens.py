"""Tokens: digests by which Origin and Workers tell whether a variable has the same value in both.

A token is the digest of a pickle that has functions, classes, caches and properties by content, named objects of the
program by name (they have tokens of their own), sets sorted, and what cannot be pickled by type. So tokens do not
depend on hash seeds, processes and hosts. Equal values may have different tokens, which costs a transfer; different
values never have one token. A value larger than :data:`EXACT_BYTES` has none: its Origin numbers each version.
"""

from __future__ import annotations

import contextvars
import copyreg
import enum
import functools
import hashlib
import inspect
import io
import pickle
import sys
import threading
import types
import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from ..lazy_dataclass import dataclass, field
from . import fresh, tensors
from .code_objects import content_of
from .inherited import name_of as inherited_name
from .modules import (
    MEMBERS,
    MISSING,
    SHARED,
    Key,
    attribute_of,
    canonical,
    home_of,
    is_program,
    lookup,
    members_of,
    namespace,
    program_modules,
    shared_objects,
    unwrapped,
)
from .reach import Reach, names_of, reach_of

EXACT_BYTES = 64 << 10
MISSING_TOKEN = b"missing"  # the token of a variable that does not exist
ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None), type(...), type(NotImplemented), range})
LRU_CACHE: type = type(functools.lru_cache(lambda: None))
_TOKEN_BYTES = 16
_OF_EVERY_MEMBER = frozenset({"_value_", "_name_", "__objclass__", "_sort_order_", "_hashable_values_"})
_TELLING = ("digest", "string", "format", "pattern", "total_changes")
"""Attributes that tell apart objects which cannot be pickled: hashes, matches, structs, databases."""
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


class _TooLarge(Exception):
    """A value is larger than :data:`EXACT_BYTES`."""


class Digest:
    """The file for a token's pickle; raises an error when that is too large."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=_TOKEN_BYTES)
        self.size = 0

    def write(self, data: Any) -> int:
        """Take in a part of the pickle."""
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        self.size += size
        if self.size > EXACT_BYTES:
            raise _TooLarge
        self._hash.update(data)
        return int(size)

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """Take in the buffer of an array; True leaves one that is not contiguous in the pickle."""
        try:
            raw = buffer.raw()
        except BufferError:
            return True
        self.write(raw)
        return False

    def token(self) -> bytes:
        """Return the digest."""
        return self._hash.digest()


class Named:
    """Objects that the program's modules have under a name, by identity: mutable values, functions, caches, classes."""

    def __init__(self, known: Iterable[tuple[Key, Any]] | None = ()) -> None:
        """Look at all modules; objects keep their `known` names, whatever others they have by now. None: no names."""
        self._keys: dict[int, Key] = {}
        if known is None:
            return
        for key, value in known:
            if "." not in key[1] and _can_be_named(value) and lookup(key) is value:
                self._keys.setdefault(id(value), key)
        self._keys |= {id(value): (SHARED, name) for name, value in shared_objects.items()}
        for module in program_modules():
            for name, value in sorted((namespace(module) or {}).copy().items()):
                if _can_be_named(value):
                    self._keys.setdefault(id(value), (module, name))

    def add(self, key: Key, value: Any) -> None:
        """Give one more object a name."""
        self._keys[id(value)] = key

    def key_of(self, value: Any) -> Key | None:
        """Return the key of an object, preferably that of its definition; None without a name in the program."""
        if isinstance(value, type) or type(value) in (types.FunctionType, LRU_CACHE):
            key = key_of_definition(value)
            if key is not None:
                return key
        return self._keys.get(id(value))


def _can_be_named(value: Any) -> bool:
    if type(value) in (tuple, frozenset) and not value:  # one object of all programs: each code object has it, too
        return False
    if type(value) in ATOMS or value is MISSING or isinstance(value, (types.ModuleType, types.BuiltinFunctionType)):
        return False
    if type(value) is types.FunctionType and is_found_in(value.__module__ or "", value):
        return False
    return not isinstance(value, type) or is_program(value.__module__)


def key_of_definition(value: Any) -> Key | None:
    """Return the key that a function or class of the program has by its qualified name, if it is found there.

    >>> import json
    >>> key_of_definition(json.dumps) is None
    True
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if type(module) is not str or type(name) is not str or not is_program(module):
        return None
    key = (canonical(module), name)
    return key if unwrapped(lookup(key)) is value else None


def key_of_local_class(value: type) -> Key | None:
    """Return the key of a variable whose value is this class, made by a function of the same module.

    For the program it is one object: an argument or a result must not make or change it at the other end.
    """
    home = getattr(value, "__module__", None)
    if type(home) is not str or not is_program(home):
        return None
    for module, names in ((canonical(home), namespace(home) or {}), (SHARED, shared_objects)):
        for name, found in list(names.items()):
            if found is value:
                return module, name
    return None


@dataclass(slots=True, eq=False)
class Finding:
    """The token of a value, and what goes with it."""

    token: bytes | None  # None: it is too large
    size: int = 0  # in bytes
    reach: Reach = field(default_factory=Reach)
    claims: dict[int, Any] = field(default_factory=dict)  # objects inside it with an identity but no name, by id


def examine(value: Any, named: Named, key: Key | None = None) -> Finding:
    """Return the token of a value, and what it reaches; `key` is its own name."""
    if value is MISSING:
        return Finding(MISSING_TOKEN)
    digest = Digest()
    pickler = _TokenPickler(digest, named, key)
    try:
        pickler.dump(value)
        token: bytes | None = digest.token()
    except Exception:  # too large, too deep, or it does not let itself be pickled: it equals no other
        token = None
    return Finding(token, digest.size, pickler.reach, pickler.claims)


class _TokenPickler(pickle.Pickler):
    """Pickles for the digest only; what it writes is never loaded."""

    def __init__(self, digest: Digest, named: Named, key: Key | None) -> None:
        super().__init__(digest, 5, buffer_callback=digest.take)
        self._named, self._key = named, key
        self._tensors = tensors.reducers()
        self._inside: dict[int, tuple[int, Any]] = {}
        self.reach = Reach()
        self.claims: dict[int, Any] = {}

    def persistent_id(self, obj: Any) -> Any:
        kind = type(obj)
        if kind in ATOMS:
            return None
        key = self._named.key_of(obj)
        if key is not None and key != self._key:
            self.reach.parts.add(key)
            return "name", key
        describe = _DESCRIBED.get(kind)
        if describe is None:
            if isinstance(obj, type):
                describe = _TokenPickler.of_class
            elif isinstance(obj, property):
                describe = _TokenPickler.of_property
            else:
                inherited = inherited_name(obj)
                if inherited is not None:
                    return "inherited", inherited
                if key is None and _has_identity(obj, kind):
                    self.claims[id(obj)] = obj
                return None
        known = self._inside.get(id(obj))
        if known is not None:
            return "again", known[0]
        self._inside[id(obj)] = len(self._inside), obj
        return describe(self, obj)

    def reducer_override(self, obj: Any) -> Any:
        try:
            reduce = copyreg.dispatch_table.get(type(obj)) or self._tensors.get(type(obj))
            if type(obj).__module__ == "itertools":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    value = obj.__reduce_ex__(2)
            else:
                value = obj.__reduce_ex__(5) if reduce is None else reduce(obj)
            if type(obj) is not obj.__class__:  # a proxy, of which a pickle would complain
                return _named_by, (type(obj), repr(value[1:3]))
            if isinstance(value, tuple) and all(callable(part) or part is None for part in value[:1]):
                return value
            if isinstance(value, str):
                return _named_by, (getattr(obj, "__module__", None), value)
        except Exception:
            pass
        return _named_by, ("opaque", canonical(type(obj).__module__), type(obj).__qualname__, *_state_of_opaque(obj))

    # -- objects that a plain pickle would have by name, or not at all ---------------------------------------------

    def of_function(self, function: types.FunctionType) -> Any:
        if is_single_dispatch(function):
            registry: Any = function.registry  # type: ignore[attr-defined]
            return "dispatch", [(kind, registry[kind]) for kind in sorted(registry, key=lambda kind: kind.__qualname__)]
        home = home_of(function.__globals__)
        if home is not None and is_found_in(home, function):
            return "installed", home, function.__qualname__
        self.reach.add(reach_of(function))
        cells = [content_of(cell, "empty") for cell in function.__closure__ or ()]
        attributes = {name: value for name, value in vars(function).items() if name != "__wrapped__"}
        return (
            "function", home, function.__qualname__, describe_code(function.__code__), function.__defaults__,
            function.__kwdefaults__, cells, attributes, {} if home is not None else _loaded_by(function),
        )  # fmt: skip

    def of_class(self, cls: type) -> Any:
        key, slots = self._key, cls.__dict__.get("__slots__")
        shape = (
            "class", cls.__qualname__, cls.__bases__, type(cls), slots if isinstance(slots, (str, tuple)) else (),
            _values_of_enum(cls), cls.__dict__.get("__orig_bases__"),
        )  # fmt: skip
        if key is not None and self._named.key_of(cls) == key:  # the root: its members have tokens of their own
            self.reach.reads.update((key[0], f"{key[1]}.{name}") for name in members_of(cls))
            self.reach.reads.add((key[0], f"{key[1]}.{MEMBERS}"))
            return shape
        if cls.__module__ and is_found_in(cls.__module__, cls):
            return "installed", cls.__module__, cls.__qualname__
        return *shape, {name: vars(cls)[name] for name in members_of(cls)}

    def of_property(self, made: property) -> Any:
        return "property", type(made), made.fget, made.fset, made.fdel

    def of_module(self, module: types.ModuleType) -> Any:
        if sys.modules.get(module.__name__) is not module:  # made by the program, and kept in a variable only
            return "module made", module.__name__, {n: v for n, v in vars(module).items() if n[:2] != "__"}
        self.reach.add_module(module)
        return "module", canonical(module.__name__)

    def of_set(self, values: Any) -> Any:
        try:
            items: list[Any] = sorted(values)
        except TypeError:
            items = []
        if not items or not all(type(item) in ATOMS for item in items):
            items = sorted((self._token_of(item) for item in values), key=repr)
        return type(values).__name__, items

    def _token_of(self, item: Any) -> Any:
        found = examine(item, self._named)
        self.reach.add(found.reach)
        if found.token is None:
            raise _TooLarge
        return found.token

    def of_file(self, file: Any) -> Any:
        how = fresh.reduce(file)
        return "file", type(file).__name__, getattr(file, "name", None), how and how[1]


def _has_identity(obj: Any, kind: type) -> bool:
    """Whether the identity of an object matters: it may change, or is compared by identity."""
    if kind in (tuple, types.BuiltinFunctionType, types.MethodType, range, slice):
        return False
    by_identity: Any = object.__hash__
    return kind.__hash__ in (None, by_identity)


def is_single_dispatch(function: Any) -> bool:
    """Whether ``functools.singledispatch`` has made this function: it has a registry."""
    return getattr(function, "__globals__", None) is vars(functools) and hasattr(function, "registry")


def is_found_in(module: str, value: Any) -> bool:
    """Whether an installed module has a function or class under its qualified name."""
    return not is_program(module) and attribute_of(module, value.__qualname__) is value


_DESCRIBED: dict[type, Callable[[Any, Any], Any]] = {
    types.FunctionType: _TokenPickler.of_function,
    types.ModuleType: _TokenPickler.of_module,
    set: _TokenPickler.of_set,
    frozenset: _TokenPickler.of_set,
    LRU_CACHE: lambda pickler, cache: ("cache", list(cache.cache_parameters().items()), cache.__wrapped__),
    contextvars.ContextVar: lambda pickler, made: ("context variable", made.name, made.get(None)),
    types.MappingProxyType: lambda pickler, proxy: ("proxy", dict(proxy)),
    types.CodeType: lambda pickler, code: ("code", describe_code(code)),
    **dict.fromkeys((io.TextIOWrapper, io.BufferedWriter, io.BufferedReader), _TokenPickler.of_file),
    staticmethod: lambda pickler, made: ("static", made.__func__),
    classmethod: lambda pickler, made: ("of class", made.__func__),
    types.CellType: lambda pickler, cell: ("cell", content_of(cell, "empty")),
}


def _named_by(*parts: Any) -> None:
    """Stands in pickles of tokens, which nobody loads, for objects known by name."""


def describe_code(code: types.CodeType) -> tuple[Any, ...]:
    """Return the parts of code that decide what it does: neither its file nor its lines."""
    constants = [
        describe_code(part) if isinstance(part, types.CodeType)
        else sorted(map(repr, part)) if isinstance(part, frozenset)
        else part
        for part in code.co_consts
    ]  # fmt: skip
    return (
        code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_flags,
        code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, getattr(code, "co_exceptiontable", b""),
    )  # fmt: skip


def _values_of_enum(cls: type) -> Any:
    """Return the members of an enum, with their attributes."""
    if not isinstance(cls, enum.EnumMeta):
        return ()
    members: dict[str, Any] = dict(cls.__members__)
    return [
        (name, member.value, {n: v for n, v in vars(member).items() if n not in _OF_EVERY_MEMBER})
        for name, member in members.items()
    ]


def _loaded_by(function: types.FunctionType) -> dict[str, Any]:
    """Return the globals that a function reads, where they are no module's."""
    names, found = function.__globals__, names_of(function.__code__).loaded
    return {name: names[name] for name in sorted(found) if name in names}


def _state_of_opaque(obj: Any) -> tuple[Any, ...]:
    """Return what tells an object that cannot be pickled from others of its kind."""
    if isinstance(obj, weakref.ref):
        return "weak", obj()
    if isinstance(obj, _VIEWS):
        return "view", list(obj)  # type: ignore[call-overload]
    if isinstance(obj, memoryview):
        return "memory", bytes(obj)
    if isinstance(obj, threading.local):
        return "local", dict(vars(obj))
    if isinstance(obj, types.GeneratorType):
        frame = obj.gi_frame
        at = None if frame is None else (frame.f_lasti, dict(frame.f_locals))
        return inspect.getgeneratorstate(obj), obj.gi_code, at
    how = fresh.reduce(obj)
    if how is not None:
        return (how[1],)
    told = [(name, part) for name in _TELLING if type(part := _told(obj, name)) in ATOMS and part is not None]
    return "told", told, dict(getattr(obj, "__dict__", {}))


def _told(obj: Any, name: str) -> Any:
    try:
        part = getattr(obj, name, None)
        return part() if name == "digest" and callable(part) else part
    except Exception:
        return None


def code_token(function: types.FunctionType) -> bytes:
    """Return a token of a function's code and module, by which its durations are remembered."""
    text = repr((describe_code(function.__code__), canonical(function.__module__ or "")))
    return hashlib.blake2b(text.encode(), digest_size=_TOKEN_BYTES).digest()
