"""Finds modules of the program whose names the launcher or the host process has loaded from elsewhere.

Under plain ``python`` a ``random.py`` beside the program comes first. So code that imports the name from now on gets
the program's; the launcher goes on with its own.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Iterable

from .modules import MAIN_NAMES, OWN

_LOADED_BY_PYTHON = frozenset({
    "abc", "codecs", "encodings", "genericpath", "importlib", "io", "os", "posixpath", "runpy", "site", "stat", "sys",
    "zipimport",
})  # fmt: skip
"""Python loads these before it looks for any module of a program."""
_IN_PICKLES = frozenset({"cloudpickle"})
"""Pickles between processes name this; a program never gets its own one of the name."""
_ENDINGS = (".py", *importlib.machinery.EXTENSION_SUFFIXES)


def shadowed(places: Iterable[str]) -> list[str]:
    """Return the names of modules in these directories that are loaded from elsewhere."""
    names, found = loaded(), set()
    for place in places:
        try:
            entries = os.listdir(place or ".")
        except OSError:
            continue
        for entry in entries:
            name = entry.partition(".")[0]
            if name in names and not _is_from(place, name):
                is_package = entry == name and os.path.isfile(os.path.join(place, name, "__init__.py"))
                if is_package or entry.endswith(_ENDINGS):
                    found.add(name)
    return sorted(found)


def loaded() -> set[str]:
    """Return the names of loaded modules of which a program may have its own: not those that processes are made of."""
    names = {name.partition(".")[0] for name in list(sys.modules)} - {
        *MAIN_NAMES, *OWN, *_LOADED_BY_PYTHON, *_IN_PICKLES,
    }  # fmt: skip
    return names - set(sys.builtin_module_names)


def _is_from(place: str, name: str) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    if not isinstance(file, str):
        return isinstance(getattr(sys.modules.get(name), "__loader__", None), importlib.machinery.FrozenImporter)
    return os.path.realpath(file).startswith(os.path.realpath(place) + os.sep)


def make_room(names: Iterable[str]) -> None:
    """Remove modules from ``sys.modules``: the next import of the name finds the program's."""
    tops = frozenset(names)
    if tops:
        for name in list(sys.modules):
            if name.partition(".")[0] in tops:
                del sys.modules[name]


def before_the_standard_library(path: Iterable[str]) -> list[str]:
    """Return the places of ``sys.path`` before the standard library.

    >>> before_the_standard_library(["/program", os.path.dirname(os.__file__), "/site"])
    ['/program']
    """
    standard = os.path.realpath(os.path.dirname(os.__file__))
    places = []
    for place in path:
        if os.path.realpath(place) == standard or place.endswith(".zip"):
            break
        places.append(place)
    return places
