"""``dataclass`` for the many small classes of messages, events and actions: made when they are first used.

The standard library writes and compiles three functions for each class, when it is defined. There are some ninety such
classes, and most processes use a few of them, so that was a third of what it took to start a Federation. Here the
constructor is compiled at the first call of a class; comparing and showing are the same functions for all.

It does what ``dataclasses.dataclass(slots=True)`` does, as far as it is used here. Type checkers take it for that one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "field", "field_types", "function_of", "replaced"]


def field_types(kind: type) -> dict[str, str]:
    """Return the fields of such a class, in order, and their types as they are written."""
    found: dict[str, str] = _TYPES[kind]
    return found


def replaced(value: Any, **changes: Any) -> Any:
    """Return a copy of a value with these fields changed."""
    return type(value)(**{name: getattr(value, name) for name in _TYPES[type(value)]} | changes)


def function_of(source: str, name: str, known: dict[str, Any]) -> Any:
    """Return the function `name` that `source` defines, with `known` as its globals.

    ``exec`` gets code, never text: when CPython runs text, in any thread, it forgets that a KeyboardInterrupt has ended
    the program, which then exits with 1 and not as SIGINT ends a process.
    """
    exec(compile(source, "<string>", "exec", dont_inherit=True), known)
    return known[name]


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass, field as field
else:

    def field(*, default_factory: Callable[[], Any]) -> _Made:
        """Return the default of a field that each value has for itself: ``field(default_factory=list)``."""
        return _Made(default_factory)

    def dataclass(*, slots: bool, eq: bool = True) -> Callable[[type], type]:
        """Return what makes a class of named fields; with `eq` its values are equal when their fields are."""
        assert slots
        return lambda plain: _made(plain, eq)


class _Made:
    """Stands for a default that is made anew for each value."""

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory


class _Fields:
    """``__dataclass_fields__`` of a class: made for those who ask, such as tests by ``dataclasses.fields``."""

    def __get__(self, value: Any, kind: Any) -> Any:
        import dataclasses

        like: Any = dataclasses.make_dataclass(kind.__name__, list(field_types(kind).items()))
        return like.__dataclass_fields__


_MISSING: Any = object()
_TYPES: dict[type, dict[str, str]] = {}
"""Of each class that was made here, its fields, those of its bases first."""
_DEFAULTS: dict[type, dict[str, Any]] = {}


def _made(plain: type, eq: bool) -> type:
    own: dict[str, str] = plain.__dict__.get("__annotations__", {})  # noqa: RUF063 - inspect takes 3 ms to import
    types, defaults = dict[str, str](), dict[str, Any]()
    for base in plain.__mro__[:0:-1]:
        types |= _TYPES.get(base, {})
        defaults |= _DEFAULTS.get(base, {})
    types |= own
    defaults |= {name: plain.__dict__[name] for name in own if name in plain.__dict__}
    left_out = {"__dict__", "__weakref__", *own}
    members = {name: value for name, value in plain.__dict__.items() if name not in left_out}
    members |= {"__slots__": tuple(own), "__match_args__": tuple(types), "__repr__": _shown}
    members["__dataclass_fields__"] = _Fields()
    if eq:
        members |= {"__eq__": _are_equal, "__hash__": None}

    def first_time(self: Any, *args: Any, **kwargs: Any) -> None:
        made.__init__ = _constructor(list(types), defaults, hasattr(made, "__post_init__"))
        made.__init__(self, *args, **kwargs)

    members["__init__"] = first_time
    made: Any = type(plain)(plain.__name__, plain.__bases__, members)
    _TYPES[made], _DEFAULTS[made] = types, defaults
    return made  # type: ignore[no-any-return]


def _constructor(names: list[str], defaults: dict[str, Any], has_more: bool) -> Callable[..., None]:
    """Return the function that sets the fields; in it `_default_name` is the default of `name`, or what makes it."""
    known: dict[str, Any] = {"_MISSING": _MISSING}
    parameters, lines = ["self"], []
    for name in names:
        value = name
        if name in defaults:
            is_made = isinstance(defaults[name], _Made)
            known[f"_default_{name}"] = defaults[name].factory if is_made else defaults[name]
            parameters.append(f"{name}=_MISSING" if is_made else f"{name}=_default_{name}")
            value = f"_default_{name}() if {name} is _MISSING else {name}" if is_made else name
        else:
            parameters.append(name)
        lines.append(f" self.{name} = {value}")
    if has_more:
        lines.append(" self.__post_init__()")
    source = f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or " pass")
    constructor: Callable[..., None] = function_of(source, "__init__", known)
    return constructor


def _are_equal(one: Any, other: Any) -> Any:
    if type(one) is not type(other):
        return NotImplemented
    return all(getattr(one, name) == getattr(other, name) for name in _TYPES[type(one)])


def _shown(value: Any) -> str:
    fields = (f"{name}={getattr(value, name)!r}" for name in _TYPES[type(value)])
    return f"{type(value).__qualname__}({', '.join(fields)})"
