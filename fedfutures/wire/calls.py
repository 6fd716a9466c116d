"""Texts of calls for error messages, such as ``price(row=17)``: short, and quickly made whatever the arguments are.

They show only numbers, strings and some parts of the built-in containers, without values that are named like passwords.
No code of the program runs, not even a ``__repr__``.
"""

from __future__ import annotations

import re
import types
from typing import Any

from .functions import Wrapper, name_of

CHARACTERS_AT_MOST = 120
_OF_A_VALUE = 40
_PARTS = 4
_DEPTH = 2
_BITS_AT_MOST = 256
_SECRET = re.compile(r"passw|secret|token|api_?key|credential|private_?key", re.IGNORECASE)
_PLAIN = frozenset({float, bool, complex, type(None)})
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), frozenset: ("frozenset({", "})"),
}  # fmt: skip


_shows_arguments = True


def show_arguments(wanted: bool) -> None:
    """Say whether texts of this process show arguments from now on; without them a call is ``price(...)``."""
    global _shows_arguments
    _shows_arguments = wanted


def call_text(function: Any, args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None = None) -> str:
    """Return the text of a call; without arguments (None) ``price(...)``.

    >>> def price(row, /, *, rate=0.1, password=""): ...
    >>> call_text(price, (17,), {"rate": 0.2, "password": "x"}), call_text(pow, (2, "a" * 99)), call_text(price, None)
    ('price(row=17, rate=0.2, password=...)', "pow(2, 'aaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaa')", 'price(...)')
    """
    while isinstance(function, Wrapper):
        args, kwargs = (None, None) if args is None else function.arguments(args)
        function = function.function()
    return arguments_text(name_of(function), function, args, kwargs)


def short_name(name: str) -> str:
    """Return the name of a function without those of the functions that it is defined in.

    >>> short_name("main.<locals>.price"), short_name("Model.price")
    ('price', 'Model.price')
    """
    return name.rpartition("<locals>.")[2]


def arguments_text(name: str, function: Any, args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None = None) -> str:
    """Return the text of a call under another name; `function` may be None where it is not at hand."""
    name = short_name(name)
    if args is None or not _shows_arguments:
        return f"{name}(...)"
    names = _parameters(function, len(args))
    pairs = [*zip(names, args), *(kwargs or {}).items()]
    text, length = [], len(name)
    for key, value in pairs:
        shown = "..." if key and _SECRET.search(key) else value_text(value)
        text.append(f"{key}={shown}" if key else shown)
        length += len(text[-1])
        if length > CHARACTERS_AT_MOST and len(text) < len(pairs):
            text.append("...")
            break
    return f"{name}({', '.join(text)})"


def _parameters(function: Any, count: int) -> list[str]:
    """Return the names of the first parameters; "" for each without a name."""
    skipped = 0
    if isinstance(function, types.MethodType):
        function, skipped = function.__func__, 1
    code = getattr(function, "__code__", None)
    if not isinstance(code, types.CodeType):
        return [""] * count
    names = list(code.co_varnames[skipped : code.co_argcount])
    return [*names, *[""] * count][:count]


def value_text(value: Any, depth: int = _DEPTH) -> str:
    """Return a short text of a value, or the type of one that is neither number, string nor container.

    >>> value_text([1, {"a": 10**99}, b"xy", [[[]]], 5]), value_text(object()), value_text(True)
    ("[1, {'a': <int of 329 bits>}, b'xy', [[...]], ...]", '<object>', 'True')
    """
    kind = type(value)
    if kind is int:
        return str(value) if value.bit_length() <= _BITS_AT_MOST else f"<int of {value.bit_length()} bits>"
    if kind in _PLAIN:
        return repr(value)
    if kind in (str, bytes):
        half = _OF_A_VALUE // 2 - 2
        shown = repr(value if len(value) <= _OF_A_VALUE else value[:_OF_A_VALUE])
        if len(value) <= _OF_A_VALUE and len(shown) <= 2 * _OF_A_VALUE:
            return shown
        end = repr(value[-half:])
        return f"{repr(value[:half])[:-1]}...{end[2 if kind is bytes else 1 :]}"
    if kind in _BRACKETS or kind is dict:
        return _container_text(value, kind, depth)
    shape = getattr(value, "shape", None) if kind.__module__ in ("numpy", "torch") else None
    sizes = f" {tuple(shape)}" if shape is not None else ""
    return f"<{kind.__qualname__[:_OF_A_VALUE]}{sizes}>"


def _container_text(value: Any, kind: type, depth: int) -> str:
    left, right = _BRACKETS.get(kind, ("{", "}"))
    if not value:
        return "()" if kind is tuple else "[]" if kind is list else "{}" if kind is dict else f"{kind.__name__}()"
    if not depth:
        return f"{left}...{right}"
    parts = []
    for place, part in enumerate(value):
        if place == _PARTS:
            parts.append("...")
            break
        if kind is dict:
            secret = type(part) is str and _SECRET.search(part)
            shown = "..." if secret else value_text(value[part], depth - 1)
            parts.append(f"{value_text(part, depth - 1)}: {shown}")
        else:
            parts.append(value_text(part, depth - 1))
    comma = "," if kind is tuple and len(value) == 1 else ""
    return f"{left}{', '.join(parts)}{comma}{right}"
