"""Copies callables when they are submitted: the values that they have captured may change before they run."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from .callables import not_callable
from .code_objects import content_of, copy_of
from .modules import MISSING
from .postponing import pickles_for_program
from .probes import is_frozen
from .tokens import LRU_CACHE, is_found_in, key_of_definition

pickles_for_program(__name__)

Copy = Callable[[Any], Any]  # makes the copy that travelling would make


def isolated(function: Any, copy: Copy) -> Any:
    """Return a callable that does what `function` does now; closures, defaults, bound objects, partials are copied.

    >>> fs = [isolated(lambda: i, copy=list) for i in range(3)]
    >>> [f() for f in fs]
    [0, 1, 2]
    """
    if not callable(function):
        raise not_callable("submit", function)
    return _Isolation(copy).of(function)


class _Isolation:
    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._made: dict[int, Any] = {}

    def of(self, value: Any) -> Any:
        """Return the copy of a callable, or of a value that one has captured."""
        if type(value) is types.FunctionType:
            return self._of_function(value)
        inner = getattr(value, "inner", None)
        if type(inner) is tuple and hasattr(value, "bind"):  # a wrapper of ours
            made = type(value)(*map(self.of, inner))
            payloads = getattr(value, "payloads", None)
            return made if payloads is None else made.bind(payloads)
        if is_frozen(value) or isinstance(value, (type, types.ModuleType)) or type(value) is LRU_CACHE:
            return value
        owner = getattr(value, "__self__", None)
        if isinstance(value, types.BuiltinFunctionType) and (owner is None or isinstance(owner, types.ModuleType)):
            return value
        if isinstance(owner, type):  # of a class
            return value
        try:
            return self._copy(value)
        except Exception:  # it cannot travel, so only this process uses it
            return value

    def _of_function(self, function: types.FunctionType) -> Any:
        if id(function) in self._made:
            return self._made[id(function)]
        cells = function.__closure__ or ()
        if not cells and is_frozen(function.__defaults__) and not function.__kwdefaults__:
            return function
        if key_of_definition(function) is not None or is_found_in(function.__module__ or "", function):
            return function  # its module is brought to the snapshot
        made = self._made[id(function)] = copy_of(function, tuple(types.CellType() for _ in cells))
        vars(made).update(vars(function))
        if function.__defaults__ is not None:
            made.__defaults__ = tuple(map(self.of, function.__defaults__))
        if function.__kwdefaults__ is not None:
            made.__kwdefaults__ = {name: self.of(value) for name, value in function.__kwdefaults__.items()}
        for cell, copied in zip(cells, made.__closure__ or ()):
            content = content_of(cell, MISSING)
            if content is not MISSING:
                copied.cell_contents = self.of(content)
        return made
