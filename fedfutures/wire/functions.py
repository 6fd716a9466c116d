"""Functions to definitions and back, by content.

A function that a module defines goes by reference, with a *fingerprint* of its code, its defaults and, for functions
of the program, the plain values that it reads from there (so what the main guard has set is seen), and, where it can
be pickled, by value beside that. A Worker takes its own copy where the fingerprint is the same, else the one that
came: what runs is what was submitted, also after a redefinition. Everything else goes by value. The digest of the
definition is the function's name on the wire, so each travels once per link.

:class:`FunctionCache` keeps the definition of a function object as long as nothing it depends on has changed. What it
cannot watch (mutable values read from the module or captured by a closure) is pickled anew at each submit.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..errors import SealBroken
from .payload import MAIN_NAMES, Payloads
from .seal import digest_of

_ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None), type(...), types.ModuleType, type})
_MISSING = object()
AT_IMPORT = "__fedfutures_at_import__"
"""Where a Worker's copy of the program keeps the plain values that its globals had when it was imported."""
_CACHED_FUNCTIONS = 1024
_BY_VALUE_LIMIT_BYTES = 1 << 20
_DEFINITION_AT_MOST_BYTES = 32 << 20


class Definition(NamedTuple):
    """A function ready to travel."""

    digest: bytes
    name: str
    body: bytes


class Wrapper:
    """A callable around functions of the user's: they keep their own definitions inside its own.

    Subclasses register in :data:`WRAPPERS`, and are called on the Worker after :meth:`bind`.
    """

    payloads: Payloads

    def __init__(self, *inner: Callable[..., Any]) -> None:
        self.inner = inner

    def __init_subclass__(cls) -> None:
        WRAPPERS[cls.__name__] = cls

    def bind(self, payloads: Payloads) -> Wrapper:
        """Give it what it needs to encode failures."""
        self.payloads = payloads
        for inner in self.inner:
            if isinstance(inner, Wrapper):
                inner.bind(payloads)
        return self

    def __call__(self, *args: Any) -> Any:
        raise NotImplementedError

    def define(self, cache: FunctionCache) -> Definition:
        """Return the definition, made of those of the inner functions."""
        inner = [cache.define(function) for function in self.inner]
        kind = type(self).__name__
        body = pickle.dumps((kind, [part.body for part in inner]))
        return Definition(digest_of(body), inner[0].name, body)


WRAPPERS: dict[str, type[Wrapper]] = {}


def name_of(function: Any) -> str:
    """Return what people call this callable.

    >>> name_of(len), name_of(str.upper)
    ('len', 'str.upper')
    """
    inner = getattr(function, "func", function)  # partial
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))[:200]


class FunctionCache:
    """Definitions of the functions submitted last, by function object; never by ``id()``."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._known: dict[Any, tuple[Definition, Callable[[], bool]]] = {}

    def define(self, function: Any) -> Definition:
        """Return the definition of `function` as it is now; raises what pickling raises."""
        if isinstance(function, Wrapper):
            return function.define(self)
        try:
            known = self._known.get(function)
        except TypeError:  # a callable that is not hashable
            return self._make(function)
        if known is not None and known[1]():
            return known[0]
        definition = self._make(function)
        if isinstance(function, (types.FunctionType, type)) or _is_plain_builtin(function):
            if len(self._known) >= _CACHED_FUNCTIONS:
                self._known.clear()
            self._known[function] = (definition, _watch(function))
        return definition

    def _make(self, function: Any) -> Definition:
        reference = None
        if self._goes_by_reference(function):
            reference = (function.__module__, function.__qualname__, fingerprint(function))
        if reference is None:
            body = pickle.dumps((None, self._payloads.dump(function, inline=True)))
        else:
            body = pickle.dumps((reference, self._by_value(function)))
        if len(body) > _DEFINITION_AT_MOST_BYTES:
            most = f"the {len(body):,} bytes of its definition are more than {_DEFINITION_AT_MOST_BYTES:,}"
            raise pickle.PicklingError(f"{most}; large values travel as arguments or by shared.set")
        return Definition(digest_of(body), name_of(function), body)

    def _goes_by_reference(self, function: Any) -> bool:
        return (
            isinstance(function, types.FunctionType)
            and _found(function.__module__, function.__qualname__) is function
            and (function.__module__ not in MAIN_NAMES or self._payloads.main_importable)
        )

    def _by_value(self, function: types.FunctionType) -> bytes | None:
        """The function by value, for Workers whose own copy differs; None where that is not possible or too big."""
        top = function.__module__.partition(".")[0]
        if top not in MAIN_NAMES and _is_installed(top):
            return None
        detached = types.FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        detached.__kwdefaults__ = function.__kwdefaults__
        detached.__qualname__ = function.__qualname__
        detached.__module__ = "__main__"  # what cloudpickle takes by value
        try:
            body = self._payloads.dump_by_value(detached)
        except Exception:
            return None
        return body if len(body) <= _BY_VALUE_LIMIT_BYTES else None


def load(body: bytes, payloads: Payloads) -> Any:
    """Return the function that a definition's body describes; raises what loading raises."""
    reference, by_value = pickle.loads(body)
    if reference is None:
        return payloads.load(by_value)
    if isinstance(reference, str):
        return WRAPPERS[reference](*(load(inner, payloads) for inner in by_value)).bind(payloads)
    module, qualname, wanted = reference
    try:
        __import__(module)
        found = _found(module, qualname)
    except BaseException:  # the module is missing here, or its import fails or even exits
        if by_value is None:
            raise
        found = _MISSING
    if isinstance(found, types.FunctionType) and (by_value is None or fingerprint(found) == wanted):
        return found
    if by_value is None:
        raise AttributeError(f"module {module!r} has no function {qualname!r} on this Worker")
    return pickle.loads(by_value)


def fingerprint(function: types.FunctionType) -> bytes:
    """Digest a function's code, defaults and the plain values that it reads from its module."""
    digest = hashlib.blake2b(digest_size=16)
    for part in _describe(function, set()):
        digest.update(part.encode())
    return digest.digest()


def _describe(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    if id(function.__code__) in seen:
        return
    seen.add(id(function.__code__))
    yield from _describe_code(function.__code__)
    for value in (function.__defaults__, function.__kwdefaults__):
        yield plain(value) or "-"
    at_import = function.__globals__.get(AT_IMPORT)
    for name, value in _reads(function):
        if isinstance(value, types.FunctionType) and value.__module__ == function.__module__:
            yield name
            yield from _describe(value, seen)
        elif function.__module__ in MAIN_NAMES or name in function.__code__.co_freevars:
            is_cell = name in function.__code__.co_freevars
            text = plain(value) if at_import is None or is_cell else at_import.get(name)
            if text is not None:
                yield f"{name}={text}"


def _describe_code(code: types.CodeType) -> Iterator[str]:
    yield repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_flags))
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _describe_code(constant)
        else:
            yield plain(constant) or type(constant).__name__


def plain(value: Any, budget: int = 1000) -> str | None:
    """A text that is equal for equal plain data in any process; None for other values and for large ones."""
    if type(value) in (int, float, complex, bool, str, bytes, type(None), type(...)):
        return repr(value)
    if type(value) in (list, tuple, set, frozenset, dict) and len(value) <= budget:
        items = value.items() if type(value) is dict else value
        texts = [plain(item, budget // (len(value) or 1)) for item in items]
        if None in texts:
            return None
        if type(value) in (set, frozenset):
            texts.sort(key=str)
        return f"{type(value).__name__}({','.join(map(str, texts))})"
    return None


def _reads(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function reads from its module and its closure, as (name, value)."""
    for name in sorted(_global_names(function.__code__)):
        value = function.__globals__.get(name, _MISSING)
        if value is not _MISSING:
            yield name, value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:
            pass  # not yet filled


def _global_names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


def _watch(function: Any) -> Callable[[], bool]:
    """Return a check: is this function still what it was when it was defined for the wire?"""
    if not isinstance(function, types.FunctionType):
        return lambda: True
    watched: list[tuple[types.FunctionType, Any, Any, Any]] = []
    reads: list[tuple[dict[str, Any], str, Any]] = []
    cells: list[tuple[types.CellType, Any]] = []
    if not _collect(function, watched, reads, cells, set()):
        return lambda: False

    def unchanged() -> bool:
        for f, code, defaults, keyword_defaults in watched:
            if f.__code__ is not code or f.__defaults__ is not defaults or f.__kwdefaults__ is not keyword_defaults:
                return False
        for names, name, value in reads:
            if names.get(name, _MISSING) is not value:
                return False
        try:
            return all(cell.cell_contents is value for cell, value in cells)
        except ValueError:  # emptied
            return False

    return unchanged


def _collect(function: types.FunctionType, watched: Any, reads: Any, cells: Any, seen: set[int]) -> bool:
    """Gather what to watch, through helper functions too; False when something in it may change in place."""
    if id(function) in seen:
        return True
    seen.add(id(function))
    if function.__kwdefaults__ or not _frozen(function.__defaults__):
        return False
    watched.append((function, function.__code__, function.__defaults__, function.__kwdefaults__))
    for name in _global_names(function.__code__):
        value = function.__globals__.get(name, _MISSING)
        reads.append((function.__globals__, name, value))  # what is missing may come
        if value is not _MISSING and not _settled(value, function, watched, reads, cells, seen):
            return False
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:
            return False
        cells.append((cell, value))
        if not _settled(value, function, watched, reads, cells, seen):
            return False
    return True


def _settled(value: Any, user: types.FunctionType, watched: Any, reads: Any, cells: Any, seen: set[int]) -> bool:
    if isinstance(value, types.FunctionType):
        if value.__module__ != user.__module__:
            return True
        return _collect(value, watched, reads, cells, seen)
    if _frozen(value) or isinstance(value, type) or _is_plain_builtin(value):
        return True
    # Another object of a module function goes by reference anyway; of a closure or of __main__ it goes by value.
    return user.__module__ not in MAIN_NAMES and not user.__closure__ and plain(value) is None


def _is_plain_builtin(value: Any) -> bool:
    """Whether this is a built-in function of a module; a built-in method goes with its object, which may change."""
    return isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, (types.ModuleType, type(None)))


def _frozen(value: Any) -> bool:
    return type(value) in _ATOMS or (type(value) in (tuple, frozenset) and all(map(_frozen, value)))


def _found(module: str, qualname: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, _MISSING)
    return found


def _is_installed(top: str) -> bool:
    """Whether a top-level module is the standard library's or an installed package's: the same on every Worker."""
    if top in sys.stdlib_module_names:
        return True
    path = getattr(sys.modules.get(top), "__file__", None) or ""
    return "site-packages" in path or "dist-packages" in path


class Unloaded:
    """A definition that came, to be loaded at its first use: loading runs user code, and belongs where that runs."""

    __slots__ = ("_body", "_digest", "_function")

    def __init__(self, body: bytes, digest: bytes | None = None) -> None:
        self._body: bytes | None = body
        self._digest = digest
        self._function: Any = None

    def load(self, payloads: Payloads) -> Any:
        """Return the function; raises what loading raises, and SealBroken if it is not of the digest that was named."""
        if self._body is not None:
            if self._digest is not None and digest_of(self._body) != self._digest:
                raise SealBroken("the definition of the function was altered on its way; it was not loaded")
            self._function = load(self._body, payloads)
            self._body = None
        return self._function
