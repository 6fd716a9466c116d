"""The settings of a Federation on this machine. Loads little: a launcher starts its host process before all else."""

from __future__ import annotations

import _ast
import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any

from ..program import stand_ins
from .batch import scheduler_of
from .flags import interpreter_flags
from .settings import Settings
from .system import processors


def settings_here(workers: int, **more: Any) -> Settings:
    """Return the settings of a Federation of `workers` Workers; `more` replaces the usual ones."""
    usual: dict[str, Any] = {
        "host": host_here(),
        "workers": workers,
        "size": workers,
        "argv": list(sys.argv),
        "path": [os.path.abspath(place) if place in ("", ".") else place for place in sys.path],
        "directory": directory_here(),
        "threads": max(1, processors() // workers),
        "authkey": authkey_here(),
        "flags": interpreter_flags(),
        "stand_ins": stand_ins.installed(),
        "in_job": scheduler_of(os.environ) is not None,
        "unbuffered": bool(getattr(sys.__stdout__, "write_through", False)),
    }
    return Settings(**(usual | more))


def authkey_here() -> bytes:
    """Return this process's key of ``multiprocessing``, else a new one (:func:`..program.process.adopt_authkey`)."""
    process = sys.modules.get("multiprocessing.process")
    return os.urandom(32) if process is None else bytes(process.current_process().authkey)


def modules_in(directory: str) -> list[str]:
    """Return the names of the modules and packages in a directory that the standard library does not have."""
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


def host_here() -> str:
    """Return the name by which people know this machine."""
    return os.uname().nodename.partition(".")[0] or "localhost"


def directory_here() -> str | None:
    """Return the working directory."""
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def program_here() -> tuple[str, str] | None:
    """Return what Workers may import as the program: the file or module of ``__main__``, if it has a main guard."""
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    found = [("module", spec.name)] if spec is not None else []
    found += [("file", os.path.abspath(file))] if file is not None else []
    return next((program for program in found if importable_program(*program)), None)


def importable_program(kind: str, place: str) -> bool:
    """Whether Workers may import the program: it has a main guard. `kind` is "file" or "module"."""
    try:
        if kind == "module":
            spec = importlib.util.find_spec(place)
            loader: Any = spec and spec.loader
            source: str | bytes | None = loader.get_source(place) if loader is not None else None
        else:
            with open(place, "rb") as file:
                source = file.read()
    except (OSError, ImportError, AttributeError, ValueError):
        return False
    return source is not None and has_main_guard(source)


def has_main_guard(source: str | bytes) -> bool:
    """Whether importing a program does not run it: an ``if`` of its top level compares ``__name__``.

    >>> has_main_guard("if __name__ == '__main__': main()"), has_main_guard("print(__name__)  # '__main__'")
    (True, False)
    """
    words = ("__main__", "__name__") if isinstance(source, str) else (b"__main__", b"__name__")
    if not all(word in source for word in words):  # type: ignore[operator]
        return False
    try:
        tree: Any = compile(source, "<program>", "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    guards = [statement.test for statement in statements_in(tree) if isinstance(statement, _ast.If)]
    return any(_compares_name(part) for guard in guards for part in _expressions(guard))


def statements_in(tree: Any, *, of_functions: bool = False) -> Iterator[Any]:
    """Yield the statements of the top level, those inside of ``try``, ``with`` and ``if`` too, in no order.

    `of_functions`: also those inside of functions and classes.
    """
    todo = [tree]
    while todo:
        node = todo.pop()
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            for part in getattr(node, block, ()):
                yield part
                if of_functions or not isinstance(part, (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)):
                    todo.append(part)


def _expressions(node: Any) -> Iterator[Any]:
    yield node
    for part in (*getattr(node, "values", ()), getattr(node, "operand", None)):
        if part is not None:
            yield from _expressions(part)


def _compares_name(node: Any) -> bool:
    if not isinstance(node, _ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    sides += [part for side in sides for part in getattr(side, "elts", ())]
    return any(isinstance(side, _ast.Name) and side.id == "__name__" for side in sides) and any(
        isinstance(side, _ast.Constant) and side.value == "__main__" for side in sides
    )
