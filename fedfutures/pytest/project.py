"""The files of a suite for hosts that do not have them: the directory of the project, and modules from elsewhere.

What git would ignore stays here, as do hidden directories and virtual environments. What is installed here must be
installed there as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from .. import shared
from .suite import Project

AT_MOST_BYTES = 200_000_000
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_LEFT_OUT = frozenset({"__pycache__", "node_modules"})


def pack(root: Path, path: list[str]) -> Project:
    """Put the files into an archive that Workers can read. Raises UsageError if they are too large.

    root:
        pytest's rootdir.
    path:
        ``sys.path``; what of it is in the root belongs into that of the Workers.
    """
    own = [place for place in loaded() if not is_installed(place)]
    inside = [place for place in own if place.is_relative_to(root)]
    places = {file: Path("0") / file.relative_to(root) for file in files_of(root, inside)}
    for module in own:
        if module not in inside:
            places.update((file, Path("1") / file.relative_to(module.parent)) for file in walked(module))
    size = sum(file.stat().st_size for file in places)
    if size > AT_MOST_BYTES:
        largest = max(places, key=lambda file: file.stat().st_size)
        raise pytest.UsageError(
            f"the files of {root} have {size / 1e6:.0f} MB, and would be sent to each host; the largest is {largest}. "
            "List in .gitignore what the tests do not need"
        )
    descriptor, archive = tempfile.mkstemp(suffix=".tar")
    with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as made:
        for file, place in places.items():
            made.add(file, str(place), recursive=False)
    parts = [Path(place) for place in path if Path(place).is_relative_to(root) and not is_installed(Path(place))]
    parts += sorted({place.parent for place in inside})  # as "src", which an editable install does not show in the path
    names = dict.fromkeys((Path("0") / place.relative_to(root)).as_posix() for place in parts)
    return Project(shared.file(archive), [*names, "1"], str(root))


def files_of(root: Path, packages: Iterable[Path]) -> list[Path]:
    """Return the files of a project: those that git knows or would add, else all that are not hidden.

    packages:
        Those of which all files are needed, also what git ignores: they may have been built in place.
    """
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        listed = b""
    found = [root / os.fsdecode(name) for name in listed.split(b"\0") if name] or [*walked(root)]
    found += (file for package in packages for file in walked(package))
    return [file for file in dict.fromkeys(found) if file.is_file()]


def walked(root: Path) -> Iterator[Path]:
    """Yield the files below a directory, but for what is hidden, made by Python, or of a virtual environment."""
    if root.is_file():
        yield root
    for place, directories, files in os.walk(root):
        directories[:] = [
            name for name in directories
            if name not in _LEFT_OUT and not name.startswith(".") and not Path(place, name, "pyvenv.cfg").exists()
        ]  # fmt: skip
        yield from (Path(place, name) for name in files if not name.endswith(".pyc"))


def is_installed(place: Path) -> bool:
    """Whether a module or directory is of Python itself, or was put there by an installer."""
    libraries = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    return bool(_INSTALLED.intersection(place.parts)) or any(place.is_relative_to(library) for library in libraries)


def loaded() -> set[Path]:
    """Return the files and directories of what was imported; a part of a package is not listed for itself."""
    found = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and "." not in name and not name.startswith(("__", "fedfutures")) and os.path.isfile(file):
            place = Path(file).resolve()
            found.add(place.parent if place.name == "__init__.py" else place)
    return found
