"""Tells which modules are the program's: ``__main__``, and all that are neither in the standard library nor installed.

A name in one of them is a *key*: the module and the qualified name, as ``("__main__", "Model.level")``.
"""

from __future__ import annotations

import builtins
import enum
import functools
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

MAIN = "__main__"
MAIN_NAMES = (MAIN, "__mp_main__")
"""The program's module, in the Origin and in Workers.

``multiprocessing`` uses the second name in processes that it spawns. So those of a Future, and the program's Managers,
find functions and classes by the name that Workers give them.
"""
OWN = frozenset({"fedfutures", "fedfutures_launcher"})
SHARED = ""  # the module in the keys of objects that variables share and that have no name of their own
MISSING: Any = type("MISSING", (), {"__repr__": lambda self: "MISSING", "__slots__": ()})()
"""The value of a name that is not there."""

Key = tuple[str, str]

_OF_EVERY_CLASS = frozenset({
    "__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__", "__annotate__",
    "__annotate_func__", "__annotations_cache__", "__abstractmethods__", "_abc_impl", "__slots__", "__firstlineno__",
    "__static_attributes__", "__orig_bases__", "__parameters__", "__classdictcell__", "__classcell__",
    "__type_params__", "__slotnames__", "__name__", "__file__",
})  # fmt: skip
_CODE = (types.FunctionType, property, classmethod, staticmethod)
_SLOT_TYPES = (types.MemberDescriptorType, types.GetSetDescriptorType)
MEMBERS = "<members>"  # the name of a class's list of members, by which Workers see which ones are gone

shared_objects: dict[str, Any] = {}
_STANDARD = os.path.dirname(os.__file__) + os.sep
verdicts: dict[str, tuple[types.ModuleType, bool]] = {}
"""The modules that :func:`is_program` has looked at, and whether each is the program's."""
last_modules: tuple[tuple[int, str], list[str]] = (-1, ""), []
"""The size and the last name of ``sys.modules`` at the last call of :func:`program_modules`, and its value."""
_main: dict[str, Any] | None = None


def canonical(name: str) -> str:
    """Return the name by which Origin and Workers both know a module.

    >>> canonical("__mp_main__"), canonical("settings")
    ('__main__', 'settings')
    """
    return MAIN if name in MAIN_NAMES else name


def namespace(name: str) -> dict[str, Any] | None:
    """Return the globals of a loaded module, else None."""
    if _main is not None and name in MAIN_NAMES:
        return _main
    if name == SHARED:
        return shared_objects
    module = sys.modules.get(canonical(name))
    return None if module is None else getattr(module, "__dict__", None)


def home_of(names: dict[str, Any]) -> str | None:
    """Return the name of the module with these globals; None if there is none.

    A profiler or debugger runs a program in other globals than those of ``sys.modules["__main__"]``: the first such
    globals count as the program's.
    """
    global _main
    name = names.get("__name__")
    if type(name) is not str:
        return None
    if namespace(name) is names:
        return canonical(name)
    if name == MAIN and _main is None and "__builtins__" in names and "__file__" in names:
        _main = names
        return MAIN
    return None


def is_installed(file: str) -> bool:
    """Whether a file is of the standard library or of an installed package."""
    if "site-packages" in file or "dist-packages" in file:
        return True
    return os.path.realpath(file).startswith(_standard_places())


@functools.cache
def _standard_places() -> tuple[str, ...]:
    from sysconfig import get_paths

    paths = get_paths()
    return tuple({os.path.realpath(paths[kind]) + os.sep for kind in ("stdlib", "platstdlib")})


def is_program(name: str) -> bool:
    """Whether a loaded module is the program's.

    >>> is_program("__main__"), is_program("json"), is_program("fedfutures.futures")
    (True, False, False)
    """
    module = sys.modules.get(name)
    known = verdicts.get(name)
    if known is not None and known[0] is module:
        return known[1]
    verdict = name in MAIN_NAMES or (module is not None and _is_of_program(name, module))
    if module is not None:
        verdicts[name] = (module, verdict)
    return verdict


def _is_of_program(name: str, module: types.ModuleType) -> bool:
    top = name.partition(".")[0]
    if top in OWN or type(getattr(module, "__dict__", None)) is not dict:
        return False
    file = getattr(module, "__file__", None)
    if top in sys.stdlib_module_names and (not isinstance(file, str) or file.startswith(_STANDARD)):
        return False  # unless the file is the program's own
    if isinstance(file, str):
        return not is_installed(file) and not file.endswith((".so", ".pyd"))
    if getattr(module, "__spec__", None) is None:  # made at run time
        return top == name or top not in sys.modules or is_program(top)
    places = [place for place in getattr(module, "__path__", ()) if isinstance(place, str)]
    return bool(places) and not any(map(is_installed, places))


def program_modules() -> list[str]:
    """Return the canonical names of the program's modules that are loaded, sorted; the same list until one is added."""
    global last_modules
    seen = len(sys.modules), next(reversed(sys.modules), "")
    found_at, names = last_modules
    if found_at != seen:
        names = sorted({canonical(name) for name in list(sys.modules) if is_program(name)})
        last_modules = seen, names
    return names


def lookup(key: Key) -> Any:
    """Return the object of a key, from the dict of its module or class, or MISSING."""
    names = namespace(key[0])
    if names is None:
        return MISSING
    owner, _, name = key[1].rpartition(".")
    if owner:
        holder = lookup((key[0], owner))
        if not isinstance(holder, type):
            return MISSING
        if name == MEMBERS:
            return tuple(sorted(members_of(holder)))
        return vars(holder).get(name, MISSING)
    return names.get(name, MISSING)


def attribute_of(module: str, qualname: str) -> Any:
    """Return the object that pickle finds under a qualified name of a loaded module, or MISSING.

    >>> attribute_of("json", "JSONDecoder.decode").__name__, attribute_of("json", "no_such")
    ('decode', MISSING)
    """
    found: Any = sys.modules.get(module, MISSING)
    for part in qualname.split("."):
        found = getattr(found, part, MISSING)
    return found


def unwrapped(value: Any) -> Any:
    """Return the function of a static or class method; any other object itself."""
    return value.__func__ if isinstance(value, (classmethod, staticmethod)) else value


def members_of(cls: type) -> Iterator[str]:
    """Yield the names of a class's members, without those that every class has."""
    made_with_it: Any = cls.__members__ if isinstance(cls, enum.EnumMeta) else None
    for name, value in list(vars(cls).items()):
        if name in _OF_EVERY_CLASS or isinstance(value, _SLOT_TYPES):
            continue
        if made_with_it is not None and not isinstance(value, _CODE) and (name[0] == "_" or name in made_with_it):
            continue  # cannot be set
        yield name


def made_module(name: str) -> types.ModuleType:
    """Return a new, empty module, with the built-ins that C code expects in globals."""
    module = types.ModuleType(name)
    vars(module)["__builtins__"] = builtins
    return module


def describe(key: Key) -> str:
    """Return the name of a variable for people: ``CONFIG``, or ``settings.FACTOR`` outside of ``__main__``.

    >>> describe(("__main__", "CONFIG")), describe(("settings", "FACTOR"))
    ('CONFIG', 'settings.FACTOR')
    """
    if key[0] == SHARED:
        return "an object that variables share"
    return key[1] if key[0] == MAIN else f"{key[0]}.{key[1]}"
