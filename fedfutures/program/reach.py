"""What a function can reach of the program's modules by name.

A function reads the globals that its code, and the code inside it, loads by name; where one of them is a module of the
program, or the function imports one, the names of its attributes count as names in that module. Where the code can find
anything by name (``globals()``, ``eval``), all names of the module count, or of all modules (``import_module``).
"""

from __future__ import annotations

import builtins
import functools
import opcode
import re
import sys
import types
from typing import Any, NamedTuple

from .modules import MISSING, Key, ProgramModules, canonical, home_of, is_program, namespace

_OF_MODULE = frozenset({"globals", "eval", "exec", "vars", "locals", "dir"})
_OF_ALL = frozenset({"__import__", "import_module", "modules"})
_OF_ATTRIBUTES = frozenset({"getattr", "vars", "__dict__", "attrgetter", "hasattr", "dir"})
_SHIFT = 1 if sys.version_info >= (3, 11) else 0
"""LOAD_GLOBAL keeps a flag in the lowest bit of its argument."""
_LOADS = {
    opcode.opmap["LOAD_GLOBAL"]: _SHIFT,
    **{opcode.opmap[name]: 0 for name in ("LOAD_NAME", "DELETE_GLOBAL", "STORE_GLOBAL") if name in opcode.opmap},
}
_MODULE_NAME = re.compile(r"[A-Za-z_][\w.]*")
_IMPORT = opcode.opmap["IMPORT_NAME"]
_GENERATED = frozenset(
    {"__builtins__", "__doc__", "__loader__", "__spec__", "__cached__", "__annotations__", "__name__", "__package__"}
)
"""Attributes that a module has by being one."""


class Names(NamedTuple):
    """Names in a code object and those inside it: globals that it loads, sets or deletes, modules, and all others."""

    loaded: frozenset[str]
    imported: frozenset[str]
    mentioned: frozenset[str]
    words: frozenset[str]  # constants that may be names of modules


@functools.lru_cache(maxsize=4096)
def names_of(code: types.CodeType) -> Names:
    """Return the names that code speaks of.

    >>> names_of(compile("import json; json.dumps(x)", "", "exec")).imported
    frozenset({'json'})
    """
    loaded, imported = set(), set()
    mentioned = set(code.co_names)
    words = {text for text in code.co_consts if isinstance(text, str) and _MODULE_NAME.fullmatch(text)}
    extended = 0
    for at in range(0, len(code.co_code), 2):
        operation, argument = code.co_code[at], code.co_code[at + 1] | extended
        extended = argument << 8 if operation == opcode.EXTENDED_ARG else 0
        if operation in _LOADS:
            loaded.add(code.co_names[argument >> _LOADS[operation]])
        elif operation == _IMPORT:
            imported.add(code.co_names[argument])
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner = names_of(constant)
            loaded |= inner.loaded
            imported |= inner.imported
            mentioned |= inner.mentioned
            words |= inner.words
        elif isinstance(constant, tuple) and constant and all(isinstance(part, str) for part in constant):
            mentioned.update(constant)  # what "from module import ..." names
    return Names(frozenset(loaded), frozenset(imported), frozenset(mentioned), frozenset(words))


_modules = ProgramModules()


def keys_read_by(function: types.FunctionType) -> set[Key]:
    """Return what a function of the program reads by name, whether it is there or not."""
    home = home_of(function.__globals__)
    if home is None or not is_program(home):
        return set()
    names = names_of(function.__code__)
    keys: set[Key] = set()
    if names.loaded & _OF_MODULE:
        keys |= all_keys_of(home)
    if names.mentioned & _OF_ALL:
        for module in _modules_meant(names, home):
            keys |= all_keys_of(module)
    for name in names.loaded:
        value = function.__globals__.get(name, MISSING)
        if name in _GENERATED or (value is MISSING and hasattr(builtins, name)):
            continue
        keys.add((home, name))
        if isinstance(value, types.ModuleType):
            keys |= keys_in_module(value, names.mentioned)
    for name in names.imported:
        for imported in _loaded_as(name, function.__globals__):
            keys |= keys_in_module(imported, names.mentioned)
    return keys


def _modules_meant(names: Names, home: str) -> list[str]:
    """Return the modules that code may get hold of by name: those that its constants name, all if they name none."""
    if not names.words and "__name__" not in names.loaded:
        return _modules.names()
    starts = tuple(word for word in names.words if word.endswith("."))
    found = [module for module in _modules.names() if module in names.words or module.startswith(starts)]
    return [*found, home] if "__name__" in names.loaded else found


def keys_in_module(module: types.ModuleType, names: frozenset[str]) -> set[Key]:
    """Return what code that speaks of a module and of these names may read of it; nothing of an installed one."""
    name = getattr(module, "__name__", None)
    if type(name) is not str or sys.modules.get(name) is not module or not is_program(name):
        return set()
    if names & _OF_ATTRIBUTES:
        return all_keys_of(canonical(name))
    keys: set[Key] = set()
    for attribute in names & vars(module).keys():
        value = vars(module)[attribute]
        if isinstance(value, types.ModuleType):
            keys |= keys_in_module(value, names - {attribute})
        keys.add((canonical(name), attribute))
    return keys


def all_keys_of(module: str) -> set[Key]:
    """Return all names that a module has."""
    return {(module, name) for name in list(namespace(module) or ()) if type(name) is str and name not in _GENERATED}


def _loaded_as(name: str, names: dict[str, Any]) -> list[types.ModuleType]:
    """Return the loaded modules that an import statement in these globals may mean by a name, with their parents."""
    package = names.get("__package__") or ""
    places = [""]
    while package:
        places.append(package + ".")
        package = package.rpartition(".")[0]
    found = []
    for place in places:
        parts = f"{place}{name}".strip(".").split(".")
        for count in range(1, len(parts) + 1):
            module = sys.modules.get(".".join(parts[:count]))
            if isinstance(module, types.ModuleType):
                found.append(module)
    return found
