"""Which installed packages a program imports: the versions on other hosts should be those of here.

The text of the program is read, and that of its own modules that it imports; nothing is imported. What is imported
under another name than a literal one is not seen, so this is good for a warning and for nothing else.
"""

from __future__ import annotations

import _ast
import contextlib
import importlib.machinery
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from functools import cached_property

from fedfutures.host.here import statements_in
from fedfutures.program.modules import OWN, is_installed

FILES_AT_MOST = 200
"""Of the program's own modules: a larger program has named by then what it needs."""
BYTES_AT_MOST = 1 << 20
"""Of one file: a longer one is data."""


class ProgramPackages:
    """The packages of a program; `program` and `path` are those of the settings of a run."""

    def __init__(self, program: tuple[str, str] | None, path: Sequence[str]) -> None:
        self._program, self._path = program, list(path)

    @cached_property
    def versions(self) -> dict[str, str]:
        """By distribution, the version that is installed here."""
        names = imported(self._program, self._path)
        return _versions_of(names) if names else {}


def imported(program: tuple[str, str] | None, path: Sequence[str]) -> list[str]:
    """Return the installed top-level modules that a program imports, sorted.

    >>> imported(None, sys.path)
    []
    """
    if program is None:
        return []
    kind, place = program
    todo = [place] if kind == "file" else _files_of(place.partition(".")[0], path)[1]
    looked_at, seen, installed = set(todo), set[str](), set[str]()
    while todo and len(looked_at) <= FILES_AT_MOST:
        for name in _names_in(todo.pop()) - seen:
            seen.add(name)
            is_own, files = _files_of(name, path)
            if not is_own:
                installed.update([name] if files else [])
            else:
                todo += (new := [file for file in files if file not in looked_at])
                looked_at.update(new)
    return sorted(installed)


def _names_in(file: str) -> set[str]:
    """Return the top-level modules, but those of the standard library, that a file imports."""
    try:
        with open(file, "rb") as opened:
            text = opened.read(BYTES_AT_MOST)
        tree = compile(text, file, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in statements_in(tree, of_functions=True):
        if isinstance(node, _ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, _ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - OWN


def _files_of(name: str, path: Sequence[str]) -> tuple[bool, list[str]]:
    """Return whether a top-level module is the program's own, and its files; none if it is not there."""
    try:
        found = importlib.machinery.PathFinder.find_spec(name, list(path))
    except (ImportError, ValueError, OSError):
        return False, []
    if found is None:
        return False, []
    places = list(found.submodule_search_locations or ())
    origin = found.origin or next(iter(places), "")
    if is_installed(origin):
        return False, [origin]
    files = [origin] if origin.endswith(".py") else []
    for place in places:
        for directory, _, inside in os.walk(place):
            files += [os.path.join(directory, file) for file in sorted(inside) if file.endswith(".py")]
            if len(files) > FILES_AT_MOST:
                break
    return True, files


def _versions_of(names: Sequence[str]) -> dict[str, str]:
    """Return the versions here of the distributions that have brought these modules."""
    versions: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(Exception):  # of packages whose metadata is broken
            if (found := distribution_here(name)) is not None:
                versions[found.metadata["Name"]] = found.version
    return dict(sorted(versions.items()))


def distribution_here(name: str) -> importlib.metadata.Distribution | None:
    """Return what has brought a top-level module: mostly the distribution of its name, but scikit-learn has sklearn."""
    from fedfutures.worker.installed import distribution_of  # with what many programs do not need

    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return distribution_of(name)
