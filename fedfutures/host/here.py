"""The settings of a Federation on this machine, for the program that runs here.

Light on purpose: a launcher has its host process under way before it loads anything else.
"""

from __future__ import annotations

import _ast
import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any

from .flags import interpreter_flags
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
        "authkey": authkey_here(),
        "flags": interpreter_flags(),
        "unbuffered": bool(getattr(sys.__stdout__, "write_through", False)),
    }
    return Settings(**(usual | more))


def authkey_here() -> bytes:
    """Return the key by which this process and its children know each other in ``multiprocessing``.

    A program that has not imported that yet is given this one when it has a Federation
    (:func:`fedfutures.program.process.adopt_authkey`).
    """
    process = sys.modules.get("multiprocessing.process")
    return os.urandom(32) if process is None else bytes(process.current_process().authkey)


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
            source: str | bytes | None = loader.get_source(place) if loader is not None else None
        else:
            with open(place, "rb") as file:
                source = file.read()
    except (OSError, ImportError, AttributeError, ValueError):
        return False
    return source is not None and has_main_guard(source)


def has_main_guard(source: str | bytes) -> bool:
    """Whether a program keeps from being run when it is imported: an ``if`` of its top level asks for ``__name__``.

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
    return any(map(_asks_for_name, _statements(tree)))


def _statements(node: Any) -> Iterator[Any]:
    """Yield the statements of the top level, those inside of ``try``, ``with`` and ``if`` too."""
    for statement in getattr(node, "body", ()):
        yield statement
        if not isinstance(statement, (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)):
            yield from _statements(statement)
    for statement in (*getattr(node, "orelse", ()), *getattr(node, "finalbody", ())):
        yield statement
        yield from _statements(statement)
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield from _statements(part)


def _asks_for_name(statement: Any) -> bool:
    return isinstance(statement, _ast.If) and any(map(_compares_name, _expressions(statement.test)))


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
