"""What code can reach of the program's modules by name.

A function reads the globals that its code, and the code inside it, loads. Of a module that it gets hold of, as a
global, by an import or inside an object, a call may read each attribute whose name occurs anywhere in what the call
reaches. Code that finds names at run time (``globals()``, ``getattr``) may read all names of the module; code that
imports at run time (``import_module``) those of all modules.
"""

from __future__ import annotations

import builtins
import functools
import opcode
import re
import sys
import types
from collections.abc import Iterable
from typing import Any, NamedTuple

from .modules import MAIN_NAMES, MISSING, Key, canonical, home_of, is_program, namespace, program_modules
from .postponing import pickles_for_program

pickles_for_program(__name__)

_OF_MODULE = frozenset({"globals", "eval", "exec", "vars", "locals", "dir"})
_OF_ATTRIBUTES = frozenset({"getattr", "vars", "__dict__", "attrgetter", "hasattr", "dir"})
_IMPORTS = frozenset({"__import__", "import_module"})
_SHIFT = 1 if sys.version_info >= (3, 11) else 0  # the lowest bit of the argument of LOAD_GLOBAL is a flag
_LOADS = {
    opcode.opmap["LOAD_GLOBAL"]: _SHIFT,
    **{opcode.opmap[name]: 0 for name in ("LOAD_NAME", "DELETE_GLOBAL", "STORE_GLOBAL") if name in opcode.opmap},
}
_MODULE_NAME = re.compile(r"[A-Za-z_][\w.]*")
_IMPORT, _CONSTANT = opcode.opmap["IMPORT_NAME"], opcode.opmap["LOAD_CONST"]
_GENERATED = frozenset(
    {"__builtins__", "__doc__", "__loader__", "__spec__", "__cached__", "__annotations__", "__name__", "__package__"}
)
"""Attributes that every module has."""


class Reach:
    """What a value or a call reaches of the program."""

    __slots__ = ("builtins", "mentions", "modules", "parts", "reads", "whole")  # each submit makes one: no dataclass

    def __init__(self) -> None:
        self.reads: set[Key] = set()  # variables that are looked up by name
        self.parts: set[Key] = set()  # objects inside it that are values of variables
        self.modules: set[str] = set()  # modules of the program that it gets hold of
        self.mentions: set[str] = set()  # names of attributes
        self.builtins: set[Key] = set()  # names of built-ins, which variables may have hidden before
        self.whole: set[str] = set()  # modules of which it may read all names, also those that come later

    def __bool__(self) -> bool:
        return bool(self.reads or self.parts or self.modules or self.whole)

    def add(self, other: Reach) -> None:
        """Add all that another one reaches."""
        self.reads |= other.reads
        self.parts |= other.parts
        self.add_lookups(other)

    def add_lookups(self, other: Reach) -> None:
        """Add what another one may look up in modules, without its own variables and parts."""
        self.modules |= other.modules
        self.mentions |= other.mentions
        self.builtins |= other.builtins
        self.whole |= other.whole

    def add_module(self, module: types.ModuleType, names: tuple[str, ...] = ()) -> None:
        """Note that code gets hold of a module of the program, or of these names of it."""
        name = getattr(module, "__name__", None)
        if type(name) is not str or sys.modules.get(name) is not module or not is_program(name):
            return
        name = canonical(name)
        if "__getattr__" in vars(module):
            self.reads.add((name, "__getattr__"))
        if not names:
            self.modules.add(name)
        elif "*" in names:
            self.whole.add(name)
        else:
            self.reads.update((name, attribute) for attribute in names)


class Names(NamedTuple):
    """Names in a code object and those inside it."""

    loaded: frozenset[str]  # globals that it loads, sets or deletes
    imported: frozenset[tuple[str, tuple[str, ...]]]  # modules, each with the names from it; (): the module itself
    mentioned: frozenset[str]  # all names, also of attributes
    words: frozenset[str]  # constants that may be names of modules


@functools.lru_cache(maxsize=4096)
def names_of(code: types.CodeType) -> Names:
    """Return the names in code.

    >>> names_of(compile("import json; json.dumps(x)", "", "exec")).imported
    frozenset({('json', ())})
    """
    loaded, imported = set(), set()
    mentioned = set(code.co_names)
    words = {text for text in code.co_consts if isinstance(text, str) and _MODULE_NAME.fullmatch(text)}
    extended, constant = 0, None
    for at in range(0, len(code.co_code), 2):
        operation, argument = code.co_code[at], code.co_code[at + 1] | extended
        extended = argument << 8 if operation == opcode.EXTENDED_ARG else 0
        if operation in _LOADS:
            loaded.add(code.co_names[argument >> _LOADS[operation]])
        elif operation == _CONSTANT:
            constant = code.co_consts[argument]
        elif operation == _IMPORT:
            imported.add((code.co_names[argument], constant if type(constant) is tuple else ()))
    for inner_code in code.co_consts:
        if isinstance(inner_code, types.CodeType):
            inner = names_of(inner_code)
            loaded |= inner.loaded
            imported |= inner.imported
            mentioned |= inner.mentioned
            words |= inner.words
    return Names(frozenset(loaded), frozenset(imported), frozenset(mentioned), frozenset(words))


def reach_of(function: types.FunctionType) -> Reach:
    """Return what a function of the program reaches by name, also names that are not there."""
    reach = Reach()
    home = home_of(function.__globals__)
    if home is None or not is_program(home):
        return reach
    names = names_of(function.__code__)
    reach.mentions |= names.mentioned
    if names.loaded & _OF_MODULE:
        reach.whole.add(home)
    _add_what_is_found_by_text(reach, names, home)
    for name in names.loaded:
        value = function.__globals__.get(name, MISSING)
        if not _is_name(name, home):
            continue
        if value is MISSING and hasattr(builtins, name):
            reach.builtins.add((home, name))
            continue
        reach.reads.add((home, name))
        if isinstance(value, types.ModuleType):
            reach.add_module(value)
    for name, parts in names.imported:
        for module in _loaded_as(name, function.__globals__):
            reach.add_module(module, parts)
    return reach


def _add_what_is_found_by_text(reach: Reach, names: Names, home: str) -> None:
    if names.mentioned & _IMPORTS or "modules" in names.mentioned:
        starts = tuple(word for word in names.words if word.endswith("."))
        found = [module for module in program_modules() if module in names.words or module.startswith(starts)]
        if "__name__" in names.loaded:
            found.append(home)
        if not found and (names.mentioned & _IMPORTS or not names.words):
            found = program_modules()
        reach.whole.update(found)
    if "__subclasses__" in names.mentioned:
        for module in program_modules():
            values = (namespace(module) or {}).copy()
            reach.reads.update((module, name) for name, value in values.items() if isinstance(value, type))


def keys_in_modules(reach: Reach, known: Iterable[Key]) -> set[Key]:
    """Return the variables in modules that may be read, and those of `known` that are gone."""
    whole = reach.whole | reach.modules if reach.mentions & _OF_ATTRIBUTES else reach.whole
    keys = {
        key
        for key in known
        if key[0] in whole or key in reach.builtins or (key[0] in reach.modules and key[1] in reach.mentions)
    }
    for module in whole:
        keys.update((module, name) for name in list(namespace(module) or ()) if _is_name(name, module))
    for module in reach.modules - whole:
        names = namespace(module) or {}
        keys.update((module, name) for name in reach.mentions if name in names and _is_name(name, module))
    return keys


def _is_name(name: Any, module: str) -> bool:
    """Whether a module has a variable of this name: no attribute that its import sets.

    The program itself may not be imported by Workers, so ``__file__`` is a variable there. That of another module may
    be another path on each host (:mod:`..worker.package_files`).
    """
    return type(name) is str and name not in _GENERATED and (name != "__file__" or module in MAIN_NAMES)


def _loaded_as(name: str, names: dict[str, Any]) -> list[types.ModuleType]:
    """Return the loaded modules, with parents, that an import statement in these globals may mean."""
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
