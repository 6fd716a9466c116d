"""Modules of the program that a function imports when it runs, and that the program itself has not loaded.

Nothing is known of their variables here, so their text counts, with that of the modules which they import in turn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from hashlib import blake2b
from types import FunctionType
from typing import Any

from ..program.modules import is_installed
from ..program.reach import names_of


def texts_for(function: FunctionType) -> dict[str, bytes]:
    """Return digests of the texts of modules that a function may import and nobody has loaded, by name."""
    package: Any = function.__globals__.get("__package__") or ""
    return texts_of(_meant(names_of(function.__code__).imported, str(package)))


def texts_of(names: Iterable[str]) -> dict[str, bytes]:
    """Return digests of the texts of modules of the program that are not loaded, and of those that they import."""
    found: dict[str, bytes] = {}
    left = set(names)
    while left:
        name = left.pop()
        if name in found or name in sys.modules:
            continue
        file = _file_of(name.split("."))
        if not file:
            continue
        try:
            with open(file, "rb") as opened:
                text = opened.read()
            found[name] = blake2b(text, digest_size=16).digest()
            imported = names_of(compile(text, file, "exec", dont_inherit=True)).imported
        except (OSError, SyntaxError, ValueError):
            continue
        is_package = os.path.basename(file) == "__init__.py"
        left |= _meant(imported, name if is_package else name.rpartition(".")[0])
    return found


def _meant(imported: Iterable[tuple[str, tuple[str, ...]]], package: str) -> set[str]:
    """Return the names of modules that import statements in a package may mean, absolute and relative."""
    places = [""]
    while package:
        places.append(package + ".")
        package = package.rpartition(".")[0]
    names: set[str] = set()
    for module, parts in imported:
        for place in places:
            whole = f"{place}{module}".strip(".").split(".")
            names.update(".".join(whole[:count]) for count in range(1, len(whole) + 1))
            names.update(".".join([*whole, part]).strip(".") for part in parts)
    return names - {""}


def _file_of(parts: list[str]) -> str:
    """Return the file of a module, if it is the program's own; an empty string for others."""
    for place in sys.path:
        base = os.path.join(place or os.curdir, *parts)
        for file in (os.path.join(base, "__init__.py"), f"{base}.py"):
            if os.path.isfile(file):
                return "" if is_installed(file) else file
    return ""
