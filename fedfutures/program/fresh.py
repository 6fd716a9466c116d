"""Objects that cannot be pickled: the Worker makes one of the same kind where that is sound, else a stand-in.

:data:`_REDUCERS` has the kinds. Of a socket, a generator or a running thread there is no second one: each use of its
stand-in raises :class:`~fedfutures.errors.VariableNotCarried`, which names the variable.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import os
import struct
import sys
import threading
import typing
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import VariableNotCarried
from .modules import Key, describe

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())


def reduce(obj: Any) -> Any:
    """Return how to make an object like `obj`, as ``__reduce__`` does; None where its own way is right."""
    reducer = _REDUCERS.get(type(obj))
    if reducer is not None:
        return reducer(obj)
    sqlite3: Any = sys.modules.get("sqlite3")
    return None if sqlite3 is None or not isinstance(obj, sqlite3.Connection) else _reduce_database(obj)


def _make_context_variable(name: str, default: tuple[Any, ...]) -> contextvars.ContextVar[Any]:
    return contextvars.ContextVar(name, default=default[0]) if default else contextvars.ContextVar(name)


def _reduce_context_variable(variable: contextvars.ContextVar[Any]) -> Any:
    value: tuple[Any, ...] = ()
    with contextlib.suppress(LookupError):
        value = (variable.get(),)
    return _make_context_variable, (variable.name, value)


def _reduce_file(file: Any) -> Any:
    """A Worker opens the file again: at the same place for reading, to append for writing; None: not the same file."""
    for name in ("stdin", "stdout", "stderr"):
        if file is getattr(sys, name) or file is getattr(sys, f"__{name}__"):
            return getattr, (sys, name)
    path, mode = getattr(file, "name", None), getattr(file, "mode", "")
    if file.closed or not isinstance(path, str) or not os.path.isfile(path) or "+" in mode:
        return None
    try:
        position = file.tell() if "r" in mode else file.flush() or 0
    except (OSError, ValueError):  # in the middle of a loop over its lines, or its descriptor is closed
        return None
    mode = mode.replace("w", "a").replace("x", "a")
    text = getattr(file, "encoding", None), getattr(file, "errors", None)
    return _open, (os.path.abspath(path), mode, position, *text)


def _open(path: str, mode: str, position: int, encoding: str | None, errors: str | None) -> Any:
    file = open(path, mode, encoding=encoding, errors=errors)  # noqa: SIM115
    if position:
        file.seek(position)
    return file


def _make_lock(kind: str) -> Any:
    """Return a lock of this process's kind: Workers replace ``threading.Lock``."""
    return getattr(threading, kind)()


def stands_for(kind: type, usual: type) -> None:
    """Have objects of type `kind` made as those of type `usual` are."""
    _REDUCERS[kind] = _REDUCERS[usual]


def _reduce_database(connection: Any) -> Any:
    import sqlite3

    try:
        if type(connection) is not sqlite3.Connection or connection.in_transaction:
            return None
        path = connection.execute("PRAGMA database_list").fetchall()[0][2]
    except sqlite3.Error:  # closed, or another thread's
        return None
    settings = connection.isolation_level, connection.row_factory, connection.text_factory
    return (_connect, (path, *settings)) if path else None


def _connect(path: str, isolation_level: Any, row_factory: Any, text_factory: Any) -> Any:
    import sqlite3

    connection = sqlite3.connect(path, isolation_level=isolation_level)
    connection.row_factory, connection.text_factory = row_factory, text_factory
    return connection


_REDUCERS: dict[type, Callable[[Any], Any]] = {
    _LOCK: lambda lock: (_make_lock, ("Lock",)),
    _RLOCK: lambda lock: (_make_lock, ("RLock",)),
    threading.local: lambda local: (threading.local, (), dict(vars(local))),
    struct.Struct: lambda made: (struct.Struct, (made.format,)),
    weakref.WeakValueDictionary: lambda values: (weakref.WeakValueDictionary, (dict(values),)),
    typing.NewType: lambda kind: (typing.NewType, (kind.__name__, kind.__supertype__), {"__module__": kind.__module__}),
    contextvars.ContextVar: _reduce_context_variable,
    **dict.fromkeys((io.TextIOWrapper, io.BufferedWriter, io.BufferedReader, io.FileIO), _reduce_file),
}


# -- stand-ins ---------------------------------------------------------------------------------------------------------


def unavailable(key: Key, obj: Any, error: Exception) -> Any:
    """Return how to make the stand-in for a part of a variable, as ``__reduce__`` does."""
    return Unavailable, (describe(key), kind_of(obj), str(error))


def kind_of(obj: Any) -> str:
    """Return the name of an object's type, for people."""
    return f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")


def _refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    raise VariableNotCarried(*object.__getattribute__(self, "_why"))


class Unavailable:
    """Stands for an object that could not travel; each use of it raises VariableNotCarried."""

    def __init__(self, variable: str, kind: str, reason: str) -> None:
        object.__setattr__(self, "_why", (variable, kind, reason))

    def __repr__(self) -> str:
        variable, kind, _ = object.__getattribute__(self, "_why")
        return f"<{kind} of {variable}, which cannot travel>"

    def __reduce__(self) -> Any:
        return Unavailable, object.__getattribute__(self, "_why")

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return _refuse(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _refuse(self)

    __setattr__ = __delattr__ = __call__ = __bool__ = __len__ = __iter__ = __next__ = __contains__ = _refuse
    __getitem__ = __setitem__ = __delitem__ = __enter__ = __exit__ = __await__ = __aiter__ = __aenter__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __matmul__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = __abs__ = _refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lshift__ = __rshift__ = __invert__ = _refuse
    __round__ = __divmod__ = __complex__ = __reversed__ = __rmatmul__ = __anext__ = __missing__ = _refuse
    __int__ = __float__ = __index__ = __str__ = __bytes__ = __fspath__ = _refuse
