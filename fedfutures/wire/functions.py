"""Functions to definitions and back, by content.

A function that a module defines goes by reference, with the token of its code and defaults; one of the program's also
goes by value. A Worker takes its own copy where the token is the same, else the one that came: it runs what was
submitted, also after a redefinition. Everything else goes by value or, from an Origin, with the snapshot that the call
sees (:class:`SnapshotCallable`). The digest of the definition is the function's name on the wire, so each travels once
per link. It does not depend on values of variables, so durations are learnt whatever these values are.
"""

from __future__ import annotations

import io
import pickle
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from ..errors import SealBroken
from ..program.modules import MISSING, Key, attribute_of, lookup, unwrapped
from ..program.pickling import VariableUnpickler, dump_variable, find
from ..program.postponing import is_by_signal, pickles_for_program
from ..program.probes import Probe, probe_for
from ..program.tokens import LRU_CACHE, Named, code_token, examine, is_found_in, key_of_definition
from .payload import Payloads
from .seal import digest_of

pickles_for_program(__name__)

TOO_LARGE = b"too large to compare"
_CACHED_FUNCTIONS = 1024
_DEFINITION_AT_MOST_BYTES = 32 << 20


class DefinitionTooLarge(pickle.PicklingError):
    """A function holds so much data that it would be sent again and again."""


class Definition(NamedTuple):
    """A function ready to travel; `snapshot` is the part of the program that its calls see, or None."""

    digest: bytes
    name: str
    body: bytes
    snapshot: Any = None


class Wrapper:
    """A callable around functions of the user's, whose definitions its own contains. Workers :meth:`bind` it first."""

    payloads: Payloads

    def __init__(self, *inner: Callable[..., Any]) -> None:
        self.inner = inner

    def __init_subclass__(cls) -> None:
        WRAPPERS[cls.__name__] = cls

    def parts(self) -> tuple[list[Any], list[type]]:
        """Return the callables inside, through all wrappers, and the kinds of all wrappers."""
        functions, kinds = list[Any](), list[type]([type(self)])
        for inner in self.inner:
            found, more = inner.parts() if isinstance(inner, Wrapper) else ([inner], [object])
            functions += found
            kinds += more
        return functions, kinds

    def bind(self, payloads: Payloads) -> Wrapper:
        """Give it the payloads, with which it encodes failures."""
        self.payloads = payloads
        for inner in self.inner:
            if isinstance(inner, Wrapper):
                inner.bind(payloads)
        return self

    def function(self, place: int = 0) -> Callable[..., Any]:
        """Return one of the functions as the running call sees it."""
        inner: Any = self.inner[place]
        return inner.found() if type(inner) is SnapshotCallable else inner  # type: ignore[no-any-return]

    def arguments(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
        """Return what the first function gets when the wrapper is called with `args`; None if it is called often."""
        return None, {}

    def __call__(self, *args: Any) -> Any:
        raise NotImplementedError


WRAPPERS: dict[str, type[Wrapper]] = {}


class SnapshotCallable:
    """A callable that has no name in the program: it came with the snapshot that the call sees."""

    source: Callable[[], list[Any]]
    """Returns the callables of the snapshot that the running call sees; the Worker sets it."""

    __slots__ = ("_place",)

    def __init__(self, place: int) -> None:
        self._place = place

    def found(self) -> Any:
        """Return the callable."""
        return type(self).source()[self._place]

    @classmethod
    def come_from(cls, source: Callable[[], list[Any]]) -> None:
        """Set :attr:`source`."""
        cls.source = source


def innermost(function: Any) -> Any:
    """Return the function inside of all wrappers, as the running call sees it."""
    while isinstance(function, Wrapper):
        function = function.function()
    return function


def name_of(function: Any) -> str:
    """Return what people call this callable.

    >>> name_of(len), name_of(str.upper)
    ('len', 'str.upper')
    """
    while isinstance(function, Wrapper):
        function = function.inner[0]
    if type(function) is SnapshotCallable:
        function = function.found()
    inner = getattr(function, "func", function)  # partial
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))[:200]


def key_of(function: Any, named: Named | None = None) -> Key | None:
    """Return the key under which the program has a callable; None for one that has no name there.

    Without `named`, it finds only functions and caches under their own names.
    """
    if named is not None:
        return None if isinstance(function, type) else named.key_of(function)
    return key_of_definition(function) if type(function) in (types.FunctionType, LRU_CACHE) else None


class FunctionCache:
    """Definitions of the functions submitted last, by function object; each is valid until its function changes."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._known: dict[Any, tuple[Definition, Probe]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def define(self, function: Any, key: Key | None = None) -> Definition:
        """Return the definition of `function` as it is now; raises what pickling raises.

        key: The name by which the program has it, if that is not its own.
        """
        if isinstance(function, Wrapper):
            return self.wrap(function, [self.define(inner).body for inner in function.inner])
        try:
            known = self._known.get(function)
        except TypeError:  # a callable that is not hashable
            return self._make(function, key)
        if known is not None and known[1]():
            return known[0]
        key = key or key_of(function)
        definition = self._make(function, key)
        if isinstance(function, (types.FunctionType, type)) or is_plain_builtin(function):
            if len(self._known) >= _CACHED_FUNCTIONS:
                self._known.clear()
            self._known[function] = definition, still_is(function, key)
        return definition

    def wrap(self, wrapper: Wrapper, bodies: list[bytes]) -> Definition:
        """Return the definition of a wrapper around functions with these bodies."""
        body = pickle.dumps((type(wrapper).__name__, bodies))
        return Definition(digest_of(body), name_of(wrapper), body)

    def bring(self, function: Any, place: int) -> Definition:
        """Return the definition of a callable that comes with the snapshot, in this place."""
        body = pickle.dumps((place, _code_of(function)))
        return Definition(digest_of(body), name_of(function), body)

    def _make(self, function: Any, key: Key | None) -> Definition:
        if key is not None and type(function) is types.FunctionType:
            body = pickle.dumps(((*key, own_token(function, key)), _by_value(function, key)))
        elif key is not None:
            body = pickle.dumps(((*key, None), _code_of(function)))
        elif is_of_package(function):
            body = pickle.dumps(((function.__module__, function.__qualname__, b""), None))
        else:
            body = pickle.dumps((None, self._payloads.dump(function, inline=True)))
        if len(body) > _DEFINITION_AT_MOST_BYTES:
            most = f"the {len(body):,} bytes of its definition are more than {_DEFINITION_AT_MOST_BYTES:,}"
            raise DefinitionTooLarge(f"{most}; large values travel as arguments or by shared.set")
        return Definition(digest_of(body), name_of(function), body)


def _by_value(function: types.FunctionType, key: Key) -> bytes | None:
    """Return the function by value, for Workers whose own copy differs; None where that is not possible."""
    try:
        return dump_variable(function, key, Named())[0]
    except Exception as error:
        if is_by_signal(error):
            raise
        return None


def _wrapped_by(function: Any) -> Any:
    """What a partial, a bound method or a callable object calls."""
    for name in ("func", "__func__", "__wrapped__"):
        inner = getattr(function, name, None)
        if callable(inner):
            return inner
    return None if isinstance(function, (types.FunctionType, type)) else vars(type(function)).get("__call__")


def _code_of(function: Any) -> bytes:
    """Return what identifies the code of a callable that is no function: its durations are remembered by that."""
    for _ in range(8):
        inner = _wrapped_by(function)
        if inner is None:
            break
        function = inner
    if type(function) is types.FunctionType:
        return code_token(function)
    return name_of(function).encode("utf-8", "surrogatepass")


def own_token(function: types.FunctionType, key: Key) -> bytes:
    """Return the token of a function without what it reads; TOO_LARGE for one that is too large to compare."""
    return examine(function, Named(), key).token or TOO_LARGE


def still_is(function: Any, key: Key | None) -> Probe:
    """Return a probe that tells whether a function has not changed and still has its name."""
    is_function = type(function) is types.FunctionType
    token = own_token(function, key) if key is not None and is_function else b""
    probe = probe_for(function, True, lambda: key is not None and own_token(function, key) == token)
    if key is None:
        return probe or (lambda: True)
    if not is_function:  # its content is that of a variable, and checked as such
        return lambda: lookup(key) is function
    return lambda: lookup(key) is function and (probe is None or probe())


def load(body: bytes, payloads: Payloads) -> Any:
    """Return the function that a definition's body describes; raises what loading raises."""
    reference, by_value = pickle.loads(body)
    if reference is None:
        return payloads.load(by_value)
    if isinstance(reference, str):
        return WRAPPERS[reference](*(load(inner, payloads) for inner in by_value)).bind(payloads)
    if isinstance(reference, int):
        return SnapshotCallable(reference)
    module, qualname, wanted = reference
    if wanted is None:
        return find((module, qualname))
    try:
        __import__(module)
        found = lookup((module, qualname)) if wanted else attribute_of(module, qualname)
    except BaseException:  # the module is missing here, or its import fails or even exits
        if by_value is None:
            raise
        found = MISSING
    found = unwrapped(found)
    if type(found) is types.FunctionType and (
        not wanted or TOO_LARGE != wanted == own_token(found, (module, qualname))
    ):
        return found
    if by_value is None:
        raise AttributeError(f"module {module!r} has no function {qualname!r} on this Worker")
    return VariableUnpickler(io.BytesIO(by_value), (), find).load()


def is_plain_builtin(value: Any) -> bool:
    """Whether this is a built-in function of a module, not a built-in method: its object may change."""
    return isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, (types.ModuleType, type(None)))


def is_of_package(function: Any) -> bool:
    """Whether a module that is not the program's has this function under its name."""
    return isinstance(function, types.FunctionType) and is_found_in(function.__module__, function)


class Unloaded:
    """A definition that came, to be loaded at its first use: loading runs user code, and belongs where that runs.

    It refers to the program's modules as they are when it is loaded. So it is loaded again under another snapshot,
    unless it is a function that they still have.
    """

    __slots__ = ("_body", "_digest", "_function", "_key", "_seen")

    def __init__(self, body: bytes, digest: bytes | None = None) -> None:
        self._body = body
        self._digest = digest
        self._function: Any = None
        self._seen: bytes | None = None  # the snapshot under which it was loaded; None: not yet
        self._key: Key | None = None

    def load(self, payloads: Payloads, seen: bytes = b"") -> Any:
        """Return the function as the snapshot `seen` has it.

        Raises what loading raises, and SealBroken if the definition is not of the digest that was named.
        """
        if self._seen is None:
            if self._digest is not None and digest_of(self._body) != self._digest:
                raise SealBroken("the definition of the function was altered on its way; it was not loaded")
        elif seen == self._seen or (self._key is not None and lookup(self._key) is self._function):
            return self._function
        self._function, self._seen = load(self._body, payloads), seen
        reference = pickle.loads(self._body)[0]
        self._key = (reference[0], reference[1]) if isinstance(reference, tuple) else None
        return self._function
