"""Which installed packages a program imports, and in which versions."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from fedfutures_launcher.remote.packages import ProgramPackages, imported

PROGRAM = """
import os, msgpack.fallback
import beside
from . import nothing
def function():
    try:
        import zmq as z
    except ImportError:
        import no_such_module
    match os.sep:
        case "/":
            with open(os.devnull):
                from greenlet import greenlet
"""


def written(directory: Path, **files: str) -> str:
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)
    return str(directory)


def test_a_program_and_its_own_modules_are_read(tmp_path: Path) -> None:
    place = written(
        tmp_path, prog=PROGRAM, beside="import pack.part", pack__init="", pack__part="import paramiko\nimport prog"
    )
    (tmp_path / "pack" / "__init__.py").write_text("")
    found = imported(("file", f"{place}/prog.py"), [place, *sys.path])
    assert found == ["greenlet", "msgpack", "paramiko", "zmq"]


def test_a_program_that_is_a_module_of_a_package(tmp_path: Path) -> None:
    place = written(tmp_path, tool____main__="from .part import x", tool__part="import zmq")
    (tmp_path / "tool" / "__init__.py").write_text("")
    assert imported(("module", "tool"), [place, *sys.path]) == ["zmq"]


@pytest.mark.parametrize("text", ["import zmq (", "\0", "import " + "a." * 5000 + "a"])
def test_what_cannot_be_read_imports_nothing(tmp_path: Path, text: str) -> None:
    place = written(tmp_path, prog=text)
    assert imported(("file", f"{place}/prog.py"), [place, *sys.path]) == []
    assert imported(("file", f"{place}/none.py"), [place]) == imported(("module", "none"), [place]) == []


def test_versions_are_those_of_distributions(tmp_path: Path) -> None:
    """Also of one with another name than its module: pyzmq's is zmq."""
    place = written(tmp_path, prog="import zmq, msgpack, fedfutures")
    packages = ProgramPackages(("file", f"{place}/prog.py"), [place, *sys.path])
    assert packages.versions == {name: metadata.version(name) for name in ("msgpack", "pyzmq")}
    assert ProgramPackages(None, sys.path).versions == {}
