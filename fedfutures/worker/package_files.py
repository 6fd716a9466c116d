"""Data files of packages that come from the Origin: read there, and put into a directory that the host's Workers share.

A package whose directory holds other files than its modules is put on disk as a whole when it is first imported, its
texts too, once for each host. ``__file__`` of its modules is there, so ``open`` beside it, ``importlib.resources`` and
``pkgutil.get_data`` find what they look for. What is larger than :data:`BYTES_AT_MOST` does not travel by itself: then
``__file__`` is the path at the Origin, and the error says to use ``shared.file``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

from ..wire.modules import Module

BYTES_AT_MOST = 16 << 20
"""Of all files of a package."""
FILES_AT_MOST = 2000
_CODE = (".py", ".pyc", ".pyo", ".so", ".pyd")


# -- at the Origin -----------------------------------------------------------------------------------------------------


def has_data(directory: str) -> bool:
    """Whether there are files of a package that are no modules, and may travel."""
    return any(not path.endswith(_CODE) for path, _ in _files_in(directory))


def read_files(directory: str) -> dict[str, bytes]:
    """Return the files of a package, by their path in its directory. Raises OSError, and ValueError for too many."""
    found: dict[str, bytes] = {}
    size = 0
    for path, place in _files_in(directory):
        if path.endswith(_CODE[1:]):
            continue
        with open(place, "rb") as file:
            found[path] = file.read(BYTES_AT_MOST + 1 - size)
        size += len(found[path])
        if size > BYTES_AT_MOST or len(found) > FILES_AT_MOST:
            raise ValueError(f"its files are more than {BYTES_AT_MOST >> 20} MiB, or more than {FILES_AT_MOST}")
    return found


def _files_in(directory: str) -> Iterator[tuple[str, str]]:
    """Yield the files below a directory, as (path in it, whole path), but those that nobody would open."""
    for place, inside, names in os.walk(directory):
        inside[:] = sorted(name for name in inside if name != "__pycache__" and not name.startswith("."))
        for name in sorted(names):
            whole = os.path.join(place, name)
            if os.path.isfile(whole):
                yield os.path.relpath(whole, directory), whole


# -- at a Worker -------------------------------------------------------------------------------------------------------


class PackageFiles:
    """Where the files of packages are on this host.

    root: the directory for all of them; fetch: returns the files of a package, None where there are none to be had.
    """

    def __init__(self, root: str, fetch: Callable[[str], dict[str, bytes] | None]) -> None:
        self._root, self._fetch = root, fetch
        self._places: dict[str, str] = {}  # the directory of a package at the Origin -> here

    def place_of(self, name: str, module: Module) -> str:
        """Return the path here of a module's file: at the Origin, where it is not on this host."""
        directory = os.path.dirname(module.file)
        if module.has_data and not any(map(directory.startswith, self._places)):
            place = os.path.join(self._root, "packages", name)
            if os.path.isdir(place) or self._put(place, name):
                self._places[directory + os.sep] = place
        for origin, place in self._places.items():
            if module.file.startswith(origin):
                return os.path.join(place, module.file[len(origin) :])
        return module.file

    def _put(self, place: str, name: str) -> bool:
        """Fetch the files of a package; what another Worker has put there meanwhile is as good."""
        files = self._fetch(name)
        if files is None:
            return False
        unfinished = f"{place}.{os.getpid()}"
        try:
            for path, content in files.items():
                whole = os.path.join(unfinished, path)
                os.makedirs(os.path.dirname(whole), exist_ok=True)
                with open(whole, "wb") as file:
                    file.write(content)
            os.rename(unfinished, place)
        except OSError:  # it is there, or there is no room
            shutil.rmtree(unfinished, ignore_errors=True)
        return os.path.isdir(place)
