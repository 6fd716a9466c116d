"""Functions that can change nothing around them, as their code shows.

Looking after each item of a slice whether it has changed something costs more than a trivial function does. So a
function is looked at once: one that only computes with its arguments, and calls nothing but built-in functions that
compute, needs no second look. Whoever is not known to be harmless is not.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import operator
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

from .plain import ATOMS


class Reading(NamedTuple):
    """What is read off code that may do no more than compute."""

    names: frozenset[tuple[str, ...]]  # of each value that it reads, the global name, and the attribute if it reads one
    only_computes: bool  # it calls nothing, and changes nothing in place


_MODULES = frozenset({"math", "cmath", "operator", "_operator"})
_BUILTINS = frozenset(
    getattr(builtins, name)
    for name in (
        "abs", "ascii", "bin", "bool", "bytes", "chr", "complex", "divmod", "float", "format", "hash", "hex", "int",
        "isinstance", "issubclass", "len", "list", "max", "min", "oct", "ord", "pow", "range", "repr", "round", "set",
        "sorted", "str", "sum", "tuple", "type", "zip", "enumerate", "frozenset", "reversed",
    )
)  # fmt: skip
_CHANGING = frozenset({operator.setitem, operator.delitem, getattr(operator, "call", operator.setitem)})
_BEGINNINGS = (
    "BINARY_", "INPLACE_", "BUILD_", "CALL", "COMPARE_", "COPY", "DUP_", "FOR_ITER", "GET_ITER", "JUMP_", "KW_NAMES",
    "LOAD_", "POP_", "RETURN_", "ROT_", "STORE_FAST", "SWAP", "UNARY_", "CONTAINS_OP", "IS_OP", "TO_BOOL", "FORMAT_",
    "CONVERT_", "UNPACK_", "MAKE_CELL", "COPY_FREE_VARS", "LIST_", "SET_", "DICT_", "PUSH_NULL", "RESUME", "PRECALL",
    "NOP", "EXTENDED_ARG", "CACHE", "END_FOR", "RERAISE", "NOT_TAKEN", "END_",
)  # fmt: skip
_NOT = frozenset({"LOAD_BUILD_CLASS", "LOAD_NAME", "LOAD_LOCALS", "LOAD_SUPER_ATTR", "LOAD_CLASSDEREF"})
_LATER = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_known: dict[types.CodeType, Reading | None] = {}
_KNOWN_AT_MOST = 1024


def only_computes(function: Any) -> bool:
    """Whether a harmless function calls nothing and changes nothing in place, so that it cannot harm any argument.

    >>> only_computes(abs), only_computes(lambda x: x * x), only_computes(lambda x: len(x)), only_computes(len)
    (True, True, False, True)
    """
    if type(function) is not types.FunctionType:
        return True
    reading = _reading(function.__code__)
    return reading is not None and reading.only_computes


def is_harmless(function: Any, deep: int = 3) -> bool:
    """Whether calls of a function with plain arguments can change nothing: no state, no context, no argument.

    >>> import math
    >>> is_harmless(abs), is_harmless(lambda x: math.sqrt(x) + 1), is_harmless(print), is_harmless(lambda x: x.sort())
    (True, True, False, False)
    """
    kind = type(function)
    if kind is types.BuiltinFunctionType:
        module = function.__self__  # of a method its object, which may not even be hashable
        return isinstance(module, types.ModuleType) and (
            function in _BUILTINS or (module.__name__ in _MODULES and function not in _CHANGING)
        )
    if kind is type:
        return function in _BUILTINS
    if kind is not types.FunctionType or not deep:
        return False
    reading = _reading(function.__code__)
    return (
        reading is not None
        and _has_plain_values(function)
        and all(_is_plain(value, deep) for value in _read(function, reading))
    )


def _is_plain(value: Any, deep: int) -> bool:
    return type(value) in ATOMS or is_harmless(value, deep - 1)


def _read(function: types.FunctionType, reading: Reading) -> Iterator[Any]:
    """Yield what a function reads: global names, and attributes of the modules that compute."""
    for name, *attributes in reading.names:
        value = function.__globals__.get(name, getattr(builtins, name, None))
        if attributes and isinstance(value, types.ModuleType) and value.__name__ in _MODULES:
            value = getattr(value, attributes[0], None)
        yield value


def _has_plain_values(function: types.FunctionType) -> bool:
    """Whether what a function has captured, and its defaults, are numbers and strings."""
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    try:
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # an empty one
        return False
    return all(type(value) in ATOMS for value in (*defaults, *cells))


def _reading(code: types.CodeType) -> Reading | None:
    """Return what is read off code; None if it may do more than compute."""
    if code not in _known:
        if len(_known) >= _KNOWN_AT_MOST:
            _known.clear()
        _known[code] = _examine(code)
    return _known[code]


def _examine(code: types.CodeType) -> Reading | None:
    if code.co_flags & _LATER or any(isinstance(constant, types.CodeType) for constant in code.co_consts):
        return None
    names: list[tuple[str, ...]] = []
    only_computes = True
    is_global = False  # whether the step before has read a global name
    for step in dis.get_instructions(code):
        if step.opname in _NOT or not step.opname.startswith(_BEGINNINGS):
            return None
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            if not is_global:  # of a value that may be anything
                return None
            names[-1] = (*names[-1], step.argval)
        if step.opname.startswith(("CALL", "INPLACE_")) or step.argrepr.endswith("="):
            only_computes = False
        is_global = step.opname == "LOAD_GLOBAL"
        if is_global:
            names.append((step.argval,))
    return Reading(frozenset(names), only_computes)
