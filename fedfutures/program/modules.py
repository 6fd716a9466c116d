"""Which modules belong to the program: Workers may have these in another state than the program has.

They are ``__main__`` and every module that is neither of the standard library nor of an installed package. A name in
one of them is a *key*: the module and the qualified name, as ``("__main__", "Model.level")``.
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
"""The program's module, in the Origin and (second name) as Workers import it.

The second one is the name that ``multiprocessing`` has for it in processes that it spawns: so those that a Future
starts, and Managers that the program has started, know the program's functions and classes by the name that Workers
give them.
"""
OWN = frozenset({"fedfutures", "fedfutures_launcher"})
SHARED = ""
"""Stands for a module in the keys of objects that variables share and that have no name of their own."""
MISSING: Any = type("MISSING", (), {"__repr__": lambda self: "MISSING", "__slots__": ()})()
"""Stands for the value of a name that is not there."""

Key = tuple[str, str]

_OF_EVERY_CLASS = frozenset({
    "__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__", "__annotate__",
    "__annotate_func__", "__annotations_cache__", "__abstractmethods__", "_abc_impl", "__slots__", "__firstlineno__",
    "__static_attributes__", "__orig_bases__", "__parameters__", "__classdictcell__", "__classcell__",
    "__type_params__", "__slotnames__", "__name__", "__file__",
})  # fmt: skip
_CODE = (types.FunctionType, property, classmethod, staticmethod)
_SLOT_TYPES = (types.MemberDescriptorType, types.GetSetDescriptorType)
MEMBERS = "<members>"
"""The name of a class's list of members, by which Workers know of those that are gone."""

shared_objects: dict[str, Any] = {}
_STANDARD = os.path.dirname(os.__file__) + os.sep
verdicts: dict[str, tuple[types.ModuleType, bool]] = {}
"""The modules that were looked at, and whether each is the program's."""
last_modules: tuple[tuple[int, str], list[str]] = (-1, ""), []
"""What :func:`program_modules` last returned, behind the size and the end of ``sys.modules`` at that time."""
_main: dict[str, Any] | None = None


def canonical(name: str) -> str:
    """Return the name by which Origin and Workers both know a module.

    >>> canonical("__mp_main__"), canonical("settings")
    ('__main__', 'settings')
    """
    return MAIN if name in MAIN_NAMES else name


def namespace(name: str) -> dict[str, Any] | None:
    """Return the globals of a module that is loaded, else None."""
    if _main is not None and name in MAIN_NAMES:
        return _main
    if name == SHARED:
        return shared_objects
    module = sys.modules.get(canonical(name))
    return None if module is None else getattr(module, "__dict__", None)


def home_of(names: dict[str, Any]) -> str | None:
    """Return the name of the module whose globals these are; None if they are no module's.

    A profiler or debugger runs a program as ``__main__`` in globals that are not those of ``sys.modules["__main__"]``;
    the first such globals count as the program's.
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
    """Whether a module that is loaded is the program's.

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
        return False  # the program may have one of that name
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
    """Return the object that a key names, from the module or class that holds it; MISSING if it is not there."""
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
    """Return what a loaded module has under a qualified name, found as pickle finds it; MISSING if it is not there.

    >>> attribute_of("json", "JSONDecoder.decode").__name__, attribute_of("json", "no_such")
    ('decode', MISSING)
    """
    found: Any = sys.modules.get(module, MISSING)
    for part in qualname.split("."):
        found = getattr(found, part, MISSING)
    return found


def unwrapped(value: Any) -> Any:
    """Return the function inside of a static or class method; anything else as it is."""
    return value.__func__ if isinstance(value, (classmethod, staticmethod)) else value


def members_of(cls: type) -> Iterator[str]:
    """Yield the names of what a class defines, besides what every class has by being one."""
    made_with_it: Any = cls.__members__ if isinstance(cls, enum.EnumMeta) else None
    for name, value in list(vars(cls).items()):
        if name in _OF_EVERY_CLASS or isinstance(value, _SLOT_TYPES):
            continue
        if made_with_it is not None and not isinstance(value, _CODE) and (name[0] == "_" or name in made_with_it):
            continue  # cannot be set
        yield name


def made_module(name: str) -> types.ModuleType:
    """Return a new, empty module, with what C code expects of the globals that it is called from."""
    module = types.ModuleType(name)
    vars(module)["__builtins__"] = builtins
    return module


def describe(key: Key) -> str:
    """Return what people call a variable: ``CONFIG``, or ``settings.FACTOR`` in another module than the program's.

    >>> describe(("__main__", "CONFIG")), describe(("settings", "FACTOR"))
    ('CONFIG', 'settings.FACTOR')
    """
    if key[0] == SHARED:
        return "an object that variables share"
    return key[1] if key[0] == MAIN else f"{key[0]}.{key[1]}"
