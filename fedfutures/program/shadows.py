"""Modules of the program that have the name of one that is loaded already.

A program that has a ``random.py`` or ``msgpack.py`` beside it gets that one under plain ``python``, since its
directory stands first in ``sys.path``. Here the launcher, or the host process, has loaded the other one for itself
before. The launcher keeps its module; code that imports the name from now on gets the program's.
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
"""Before anything of a program is looked for."""
_IN_PICKLES = frozenset({"cloudpickle"})
"""What travels between processes speaks of this; a program that has another one under the name does not get it."""
_ENDINGS = (".py", *importlib.machinery.EXTENSION_SUFFIXES)


def shadowed(places: Iterable[str]) -> list[str]:
    """Return the names of modules in these directories that are loaded, but not from there."""
    names = {name.partition(".")[0] for name in list(sys.modules)} - {
        *MAIN_NAMES, *OWN, *_LOADED_BY_PYTHON, *_IN_PICKLES,
    }  # fmt: skip
    names -= set(sys.builtin_module_names)
    found = set()
    for place in places:
        try:
            entries = os.listdir(place or ".")
        except OSError:
            continue
        for entry in entries:
            name, dot, _ = entry.partition(".")
            if name in names and _is_module(place, entry, bool(dot)) and not _is_from(place, name):
                found.add(name)
    return sorted(found)


def _is_module(place: str, entry: str, has_ending: bool) -> bool:
    if has_ending:
        return entry.endswith(_ENDINGS)
    return os.path.isfile(os.path.join(place, entry, "__init__.py"))


def _is_from(place: str, name: str) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    if not isinstance(file, str):
        return isinstance(getattr(sys.modules.get(name), "__loader__", None), importlib.machinery.FrozenImporter)
    return os.path.realpath(file).startswith(os.path.realpath(place) + os.sep)


def make_room(names: Iterable[str]) -> None:
    """Remove modules of these names from ``sys.modules``: the next import of one finds the program's."""
    tops = frozenset(names)
    if tops:
        for name in list(sys.modules):
            if name.partition(".")[0] in tops:
                del sys.modules[name]


def before_the_standard_library(path: Iterable[str]) -> list[str]:
    """Return the places of ``sys.path`` whose modules go before those of the standard library.

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
