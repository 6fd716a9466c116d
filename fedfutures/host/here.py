"""The settings of a Federation on this machine, for the program that runs here.

Light on purpose: a launcher has its host process under way before it loads anything else.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

from .settings import Settings
from .system import processors


def settings_here(workers: int, **more: Any) -> Settings:
    """Return the settings of a Federation of `workers` Workers; `more` are those that differ from the usual."""
    usual: dict[str, Any] = {
        "host": os.uname().nodename.partition(".")[0] or "localhost",
        "workers": workers,
        "size": workers,
        "argv": list(sys.argv),
        "path": [os.path.abspath(place) if place in ("", ".") else place for place in sys.path],
        "directory": _directory(),
        "threads": max(1, processors() // workers),
    }
    return Settings(**(usual | more))


def modules_in(directory: str) -> list[str]:
    """Return the names of the modules and packages that stand in a directory, those of the standard library aside."""
    try:
        with os.scandir(directory or ".") as entries:
            names = [
                entry.name.removesuffix(".py")
                for entry in entries
                if entry.name.endswith(".py") or os.path.isfile(os.path.join(entry.path, "__init__.py"))
            ]
    except OSError:
        return []
    return sorted(name for name in names if name.isidentifier() and name not in sys.stdlib_module_names)


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def program_here() -> tuple[str, str] | None:
    """What Workers may import as the program: the file or module that runs as ``__main__``, if it has a main guard."""
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None and importable_program("module", spec.name):
        return ("module", spec.name)
    if file is not None and importable_program("file", os.path.abspath(file)):
        return ("file", os.path.abspath(file))
    return None


def importable_program(kind: str, place: str) -> bool:
    """Whether Workers may import the program: it has a main guard. `kind` is "file" or "module"."""
    try:
        if kind == "module":
            spec = importlib.util.find_spec(place)
            loader: Any = spec and spec.loader
            source: str | None = loader.get_source(place) if loader is not None else None
        else:
            with open(place, "rb") as file:
                source = file.read().decode("utf-8", "replace")
    except (OSError, ImportError, AttributeError, ValueError):
        return False
    return source is not None and "__main__" in source and "__name__" in source
