"""Running the user's program as ``__main__``, so that it and its errors look as under plain ``python``."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import linecache
import os
import sys
import types
import zipimport
from dataclasses import dataclass
from importlib.machinery import PathFinder
from types import CodeType
from typing import Any, NoReturn

from fedfutures.errors import StartFailed
from fedfutures.program.shadows import make_room, shadowed

from ..arguments.suggestions import similar_file
from ..verbs import refusals
from .options import Options

SAFE_PATH = bool(getattr(sys.flags, "safe_path", sys.flags.isolated))
"""Whether ``python -P`` or ``-I`` forbids to put the program's directory in front of ``sys.path``."""


@dataclass(slots=True)
class Program:
    """A program ready to run."""

    code: CodeType
    argv0: str
    path0: str | None  # what stands in front of sys.path
    file: str | None
    spec: Any
    importable: tuple[str, str] | None  # what Workers may import


def fail(text: str, code: int = 2) -> NoReturn:
    """Say one line and exit."""
    print(f"fedfutures: {text}", file=sys.stderr)
    raise SystemExit(code)


def fail_to_start(error: StartFailed) -> NoReturn:
    """Say in one line why the run did not start, in another one where that is explained, and exit."""
    raise SystemExit(refusals.say(error))


def load(options: Options) -> Program:
    """Find and compile the program; when that fails, print what ``python`` prints, and start nothing."""
    if options.kind == "code":
        code = _compile(options.place, "<string>")
        if sys.version_info >= (3, 13):  # whose tracebacks show the lines of -c
            lines = options.place.splitlines(keepends=True)
            linecache.cache["<string>"] = (len(options.place), None, lines, "<string>")
        return Program(code, "-c", _unless_safe(""), None, None, None)
    if options.kind == "stdin":
        code = _compile(sys.stdin.read(), "<stdin>")
        return Program(code, "-", _unless_safe(""), "<stdin>", None, None)
    if options.kind == "module":
        return _load_module(options.place)
    return _load_file(options.place)


def _unless_safe(path: str) -> str | None:
    return None if SAFE_PATH else path


def _compile(source: str | bytes, name: str) -> CodeType:
    try:
        return compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        error.__traceback__ = None
        sys.excepthook(type(error), error, None)
        raise SystemExit(1) from None


def _load_file(path: str) -> Program:
    from fedfutures.host.here import importable_program

    if os.path.isdir(path) or _is_zip(path):
        return _load_directory(path)
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        fail(f"can't open file {path!r}: [Errno {error.errno}] {error.strerror}{similar_file(path)}")
    place = os.path.abspath(path)
    importable = ("file", place) if importable_program("file", place) else None
    directory, name = os.path.dirname(os.path.realpath(path)), _joined(path)
    return Program(_compile(source, name), path, _unless_safe(directory), name, None, importable)


def _joined(path: str) -> str:
    """The absolute path that ``python`` gives to ``__file__`` and ``sys.path[0]``: not normalized."""
    return os.path.join(os.getcwd(), path)


def _is_zip(path: str) -> bool:
    try:
        zipimport.zipimporter(path)
    except (zipimport.ZipImportError, OSError):
        return False
    return True


def _load_directory(path: str) -> Program:
    place = _joined(path)
    spec = PathFinder.find_spec("__main__", [place])
    loader: Any = spec and spec.loader
    code = loader.get_code("__main__") if loader is not None else None
    if code is None:
        fail(f"can't find '__main__' module in {path!r}", 1)
    return Program(code, path, place, getattr(spec, "origin", None), spec, None)


def _load_module(name: str) -> Program:
    from fedfutures.host.here import importable_program

    directory = _unless_safe(os.getcwd())
    if directory is not None:
        sys.path.insert(0, directory)
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name += ".__main__"
            spec = importlib.util.find_spec(name)
        importable = ("module", name) if importable_program("module", name) else None
    except (ImportError, ValueError, AttributeError) as error:
        fail(f"error while finding module {name!r}: {error}", 1)
    finally:
        if directory is not None:
            sys.path.remove(directory)
    loader: Any = spec and spec.loader
    code = loader.get_code(name) if loader is not None and hasattr(loader, "get_code") else None
    if spec is None or code is None:
        fail(f"no module named {name}", 1)
    return Program(code, spec.origin or name, directory, spec.origin, spec, importable)


def enter(program: Program) -> None:
    """Put the program's directory in front of ``sys.path``, as ``python`` does."""
    if program.path0 is None:
        return
    names = shadowed([program.path0])
    if names:  # load our lazy modules now, before the program's hide them
        import cloudpickle  # noqa: F401

        from fedfutures import shared  # noqa: F401
        from fedfutures.futures import executor  # noqa: F401
    make_room(names)
    sys.path.insert(0, program.path0)


def run(program: Program, arguments: list[str]) -> None:
    """Run the program. Its exceptions pass through; their tracebacks still hold the launcher's frames."""
    main = types.ModuleType("__main__")
    main.__dict__.update(
        __builtins__=builtins, __file__=program.file, __spec__=program.spec, __cached__=None,
        __package__=program.spec.parent if program.spec is not None else None,
        __loader__=program.spec.loader if program.spec is not None else None,
    )  # fmt: skip
    if program.file is None:
        del main.__dict__["__file__"]
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    sys.argv[:] = [program.argv0, *arguments]
    exec(program.code, main.__dict__)
