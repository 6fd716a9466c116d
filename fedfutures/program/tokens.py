"""Tokens: digests by which Origin and Workers tell whether a variable has the same value in both.

A token is the digest of a pickle in which everything is taken by content that a plain pickle takes by name: the code
of functions, the members of classes, what caches and properties wrap. Objects of the program that have a name are
taken by that name and reported, since each has a token of its own; sets are sorted, and what cannot be pickled (a lock,
a connection) counts by its type. So equal values have equal tokens under different hash seeds, in different processes
and on different hosts. Two equal values may have different tokens, which costs a transfer; never the other way round.

What is larger than :data:`EXACT_BYTES` has no token: such a value is known by the version that its Origin gave it.
"""

from __future__ import annotations

import contextvars
import copyreg
import enum
import functools
import hashlib
import io
import pickle
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from .modules import MISSING, Key, ProgramModules, canonical, home_of, is_program, lookup, namespace
from .reach import all_keys_of, keys_read_by

EXACT_BYTES = 64 << 10
ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None), type(...), range})
LRU_CACHE: type = type(functools.lru_cache(lambda: None))
_TOKEN_BYTES = 16
_OF_EVERY_CLASS = frozenset({
    "__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__", "__annotate__",
    "__annotate_func__", "__annotations_cache__", "__abstractmethods__", "_abc_impl", "__slots__", "__firstlineno__",
    "__static_attributes__", "__orig_bases__", "__parameters__", "__classdictcell__", "__classcell__",
    "__type_params__", "__name__", "__file__",
})  # fmt: skip
_SLOT_TYPES = (types.MemberDescriptorType, types.GetSetDescriptorType)


class TooLarge(Exception):
    """A value is larger than what is compared exactly."""


class _Digest:
    """The file that a token's pickle is written to."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=_TOKEN_BYTES)
        self._left = EXACT_BYTES

    def write(self, data: Any) -> int:
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        self._left -= size
        if self._left < 0:
            raise TooLarge
        self._hash.update(data)
        return int(size)

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """Take a buffer of an array in; True leaves in the pickle what is not in one piece."""
        try:
            raw = buffer.raw()
        except BufferError:
            return True
        self.write(raw)
        return False

    def token(self) -> bytes:
        return self._hash.digest()


class Named:
    """Objects that the program's modules have under a name, by identity: mutable values, functions, caches."""

    def __init__(self, modules: ProgramModules) -> None:
        self._keys: dict[int, Key] = {}
        for module in modules.names():
            for name, value in sorted((namespace(module) or {}).copy().items()):
                if type(value) not in ATOMS and not isinstance(value, (type, types.ModuleType)):
                    self._keys.setdefault(id(value), (module, name))

    def key_of(self, value: Any) -> Key | None:
        """Return the key of an object, the one of its definition first; None for what has no name in the program."""
        if isinstance(value, type) or type(value) in (types.FunctionType, LRU_CACHE):
            key = key_of_definition(value)
            if key is not None:
                return key
        return self._keys.get(id(value))


def key_of_definition(value: Any) -> Key | None:
    """Return the key that a function or class of the program bears in itself, where it is found under it.

    >>> import json
    >>> key_of_definition(json.dumps) is None
    True
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if type(module) is not str or type(name) is not str or not is_program(module):
        return None
    key = (canonical(module), name)
    found = lookup(key)
    if isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    return key if found is value else None


class Finding:
    """What there is to know of a value: its token (None: too large), the names it reads, those of its parts."""

    __slots__ = ("parts", "reads", "token")

    def __init__(self, token: bytes | None, reads: set[Key], parts: set[Key]) -> None:
        self.token = token
        self.reads = reads  # looked up by name when it runs
        self.parts = parts  # objects inside it that have a name in the program


def examine(value: Any, named: Named, key: Key | None = None) -> Finding:
    """Return the token of a value, and what it reaches; `key` is its own name."""
    if value is MISSING:
        return Finding(b"missing", set(), set())
    digest = _Digest()
    pickler = _TokenPickler(digest, named, key)
    try:
        pickler.dump(value)
        token: bytes | None = digest.token()
    except (TooLarge, RecursionError):
        token = None
    return Finding(token, pickler.reads, pickler.parts)


class _TokenPickler(pickle.Pickler):
    """Pickles for the digest only; what it writes is never loaded."""

    def __init__(self, digest: _Digest, named: Named, key: Key | None) -> None:
        super().__init__(digest, 5, buffer_callback=digest.take)
        self._named, self._key = named, key
        self._inside: dict[int, tuple[int, Any]] = {}
        self.reads: set[Key] = set()
        self.parts: set[Key] = set()

    def persistent_id(self, obj: Any) -> Any:
        kind = type(obj)
        if kind in ATOMS:
            return None
        key = self._named.key_of(obj)
        if key is not None and key != self._key:
            self.parts.add(key)
            return "name", key
        describe = _DESCRIBED.get(kind)
        if describe is None:
            if not isinstance(obj, type):
                return None
            describe = _TokenPickler._class
        known = self._inside.get(id(obj))
        if known is not None:
            return "again", known[0]
        self._inside[id(obj)] = len(self._inside), obj
        return describe(self, obj)

    def reducer_override(self, obj: Any) -> Any:
        try:
            reduce = copyreg.dispatch_table.get(type(obj))
            if type(obj).__module__ == "itertools":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    value = obj.__reduce_ex__(2)
            else:
                value = obj.__reduce_ex__(5) if reduce is None else reduce(obj)
            if isinstance(value, tuple) and all(callable(part) or part is None for part in value[:1]):
                return value
            if isinstance(value, str):
                return _named_by, (getattr(obj, "__module__", None), value)
        except Exception:
            pass
        return _named_by, ("opaque", type(obj).__module__, type(obj).__qualname__)

    # -- what a plain pickle would take by name, or not at all -----------------------------------------------------

    def _function(self, function: types.FunctionType) -> Any:
        if is_single_dispatch(function):
            registry: Any = function.registry  # type: ignore[attr-defined]
            return "dispatch", [(kind, registry[kind]) for kind in sorted(registry, key=lambda kind: kind.__qualname__)]
        home = home_of(function.__globals__)
        if home is not None and is_found_in(home, function):
            return "installed", home, function.__qualname__
        self.reads |= keys_read_by(function)
        cells = [_content(cell) for cell in function.__closure__ or ()]
        attributes = {name: value for name, value in vars(function).items() if name != "__wrapped__"}
        return (
            "function", home, function.__qualname__, describe_code(function.__code__), function.__defaults__,
            function.__kwdefaults__, cells, attributes,
        )  # fmt: skip

    def _class(self, cls: type) -> Any:
        if key_of_definition(cls) is not None:  # the root: its members have tokens of their own
            key = key_of_definition(cls)
            assert key is not None
            self.reads |= {(key[0], f"{key[1]}.{name}") for name in members_of(cls)}
        elif cls.__module__ and is_found_in(cls.__module__, cls):
            return "installed", cls.__module__, cls.__qualname__
        else:
            return "class", cls.__qualname__, cls.__bases__, {name: vars(cls)[name] for name in members_of(cls)}
        values: list[tuple[str, Any]] = list(cls.__members__.items()) if isinstance(cls, enum.EnumMeta) else []
        slots = cls.__dict__.get("__slots__")
        return (
            "class",
            cls.__qualname__,
            cls.__bases__,
            type(cls),
            slots if isinstance(slots, (str, tuple)) else (),
            [(name, member.value) for name, member in values],
        )

    def _module(self, module: types.ModuleType) -> Any:
        if is_program(module.__name__):
            self.reads |= all_keys_of(canonical(module.__name__))
        return "module", canonical(module.__name__)

    def _set(self, values: Any) -> Any:
        try:
            items: list[Any] = sorted(values)
        except TypeError:
            items = []
        if not items or not all(type(item) in ATOMS for item in items):
            items = sorted((self._token_of(item) for item in values), key=repr)
        return type(values).__name__, items

    def _token_of(self, item: Any) -> Any:
        found = examine(item, self._named)
        self.reads |= found.reads
        self.parts |= found.parts
        if found.token is None:
            raise TooLarge
        return found.token

    def _cache(self, cache: Any) -> Any:
        return "cache", list(cache.cache_parameters().items()), cache.__wrapped__

    def _file(self, file: Any) -> Any:
        return "file", type(file).__name__, getattr(file, "name", None), getattr(file, "mode", None)

    def _variable(self, variable: contextvars.ContextVar[Any]) -> Any:
        return "context variable", variable.name, variable.get(None)


def is_single_dispatch(function: Any) -> bool:
    """Whether this is what ``functools.singledispatch`` returns: a function of its own module, with a registry."""
    return getattr(function, "__globals__", None) is vars(functools) and hasattr(function, "registry")


def is_found_in(module: str, value: Any) -> bool:
    """Whether a module that is not the program's has a function or class under its qualified name."""
    if is_program(module):
        return False
    found: Any = sys.modules.get(module)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


_DESCRIBED: dict[type, Callable[[Any, Any], Any]] = {
    types.FunctionType: _TokenPickler._function,
    types.ModuleType: _TokenPickler._module,
    set: _TokenPickler._set,
    frozenset: _TokenPickler._set,
    LRU_CACHE: _TokenPickler._cache,
    contextvars.ContextVar: _TokenPickler._variable,
    types.MappingProxyType: lambda pickler, proxy: ("proxy", dict(proxy)),
    types.CodeType: lambda pickler, code: ("code", describe_code(code)),
    io.TextIOWrapper: _TokenPickler._file,
    io.BufferedWriter: _TokenPickler._file,
    io.BufferedReader: _TokenPickler._file,
    property: lambda pickler, made: ("property", made.fget, made.fset, made.fdel),
    staticmethod: lambda pickler, made: ("static", made.__func__),
    classmethod: lambda pickler, made: ("of class", made.__func__),
    types.CellType: lambda pickler, cell: ("cell", _content(cell)),
}


def _named_by(*parts: Any) -> None:
    """Stands in pickles for what is known by its name alone; pickles of tokens are never loaded."""


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return "empty"


def describe_code(code: types.CodeType) -> tuple[Any, ...]:
    """Return what makes code do what it does: not where it stands, nor what its lines are."""
    constants = [
        describe_code(constant) if isinstance(constant, types.CodeType) else constant for constant in code.co_consts
    ]
    return (
        code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_flags,
        code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, getattr(code, "co_exceptiontable", b""),
    )  # fmt: skip


def members_of(cls: type) -> Iterator[str]:
    """Yield the names of what a class defines, besides what every class has by being one."""
    if isinstance(cls, enum.EnumMeta):  # its members are made with it, and cannot be set
        yield from (name for name, value in vars(cls).items() if isinstance(value, types.FunctionType))
        return
    for name, value in list(vars(cls).items()):
        if name not in _OF_EVERY_CLASS and not isinstance(value, _SLOT_TYPES):
            yield name


def code_token(function: types.FunctionType) -> bytes:
    """Return a token of what a function does by itself, by which how long it takes is remembered."""
    digest = hashlib.blake2b(digest_size=_TOKEN_BYTES)
    digest.update(repr((describe_code(function.__code__), canonical(function.__module__ or ""))).encode())
    return digest.digest()


def python_tag() -> bytes:
    """Return what code objects depend on besides their text."""
    return repr(sys.implementation.cache_tag).encode()
