"""What an Origin finds of a module, without importing it, and what it says of one that it cannot give."""

from __future__ import annotations

import importlib.machinery
import sys
import zipfile
from pathlib import Path

import pytest

from fedfutures.wire.modules import Module, is_module, key_of, name_of, unpack
from fedfutures.worker.providing import NotToBeHad, find_module, program_module


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on ``sys.path``."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def put(path: Path, text: str = "raise AssertionError('imported')\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_modules_and_packages_are_found_and_not_imported(place: Path) -> None:
    one, package, deep = put(place / "found_one.py"), put(place / "found_p/__init__.py"), put(place / "found_p/q/r.py")
    for name, path, is_package in (
        ("found_one", one, False), ("found_p", package, True), ("found_p.q.r", deep, False),
    ):  # fmt: skip
        assert find_module(name, "h") == Module(is_package, str(path), path.read_bytes())
        assert name not in sys.modules


def test_directories_without_init_add_up(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    sys.path.append(str(other))
    try:
        put(place / "found_spread/one.py")
        second = put(other / "found_spread/deep/two.py")
        assert find_module("found_spread", "h") == find_module("found_spread.deep", "h") == Module(True, "", b"")
        assert find_module("found_spread.deep.two", "h").file == str(second)
    finally:
        sys.path.remove(str(other))


def test_modules_in_archives_are_found(place: Path) -> None:
    archive = place / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("found_packed.py", "x = 1\n")
    sys.path.append(str(archive))
    try:
        assert find_module("found_packed", "h") == Module(False, str(archive / "found_packed.py"), b"x = 1\n")
    finally:
        sys.path.remove(str(archive))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("found_nowhere.sub", "the Origin on h lacks it too: it is neither installed nor beside the program"),
        ("found_one.sub", "the Origin on h lacks it too: it is neither installed nor beside the program"),
        ("found_p.nothing", "the Origin on h lacks it too: it is neither installed nor beside the program"),
        ("pytest", "it is installed on h (site-packages) but not on {host}"),
        ("fedfutures.nothing", "fedfutures has to be installed on each host"),
        ("json.nothing", "it belongs to the standard library of Python "),
        ("found_built", "it is a compiled extension on h"),
        ("found_old", "on h there is only bytecode of it"),
    ],
)
def test_what_does_not_travel(place: Path, name: str, why: str) -> None:
    put(place / "found_one.py")
    put(place / "found_p/__init__.py")
    put(place / f"found_built{importlib.machinery.EXTENSION_SUFFIXES[0]}")
    (place / "found_old.pyc").write_bytes(importlib.util.MAGIC_NUMBER + bytes(12))
    with pytest.raises(NotToBeHad) as caught:
        find_module(name, "h")
    assert str(caught.value).startswith(why)


def test_a_remedy_has_the_name_that_pip_knows() -> None:
    """``import _pytest`` is a part of what pip calls pytest."""
    with pytest.raises(NotToBeHad, match=r"but not on \{host\}; install it there: .* -m pip install pytest==[\d.]+$"):
        find_module("_pytest", "h")


def test_what_is_installed_and_of_no_distribution_has_no_remedy(place: Path) -> None:
    put(place / "site-packages" / "found_bought.py")
    sys.path.append(str(place / "site-packages"))
    try:
        with pytest.raises(NotToBeHad, match=r"but not on \{host\}$"):
            find_module("found_bought", "h")
    finally:
        sys.path.pop()


def test_an_editable_package_of_ones_own_travels(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setuptools puts a finder into ``sys.meta_path``, and the sources are in no place of ``sys.path``."""
    source = put(place / "checkout" / "found_mine" / "__init__.py")
    inner = put(place / "checkout" / "found_mine" / "inner.py")

    class EditableFinder:
        @classmethod
        def find_spec(cls, name: str, path: object = None, target: object = None) -> object:
            if name != "found_mine":
                return None
            return importlib.util.spec_from_file_location(name, source, submodule_search_locations=[str(source.parent)])

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, EditableFinder])
    assert find_module("found_mine", "h") == Module(True, str(source), source.read_bytes())
    assert find_module("found_mine.inner", "h") == Module(False, str(inner), inner.read_bytes())


def test_the_program(place: Path) -> None:
    path = put(place / "found_program.py")
    assert program_module(("file", str(path))) == Module(False, str(path), path.read_bytes())
    assert program_module(("module", "found_program")) == Module(False, str(path), path.read_bytes())
    with pytest.raises(NotToBeHad, match="no main guard"):
        program_module(None)
    with pytest.raises(NotToBeHad, match="is no file"):
        program_module(("module", "found_nowhere"))


@pytest.mark.parametrize("name", ["a", "a.b.c", "ä", "__main__"])
def test_keys_say_names(name: str) -> None:
    assert is_module(key_of(name))
    assert name_of(key_of(name)) == name


@pytest.mark.parametrize("body", [b"\x01", b"\x93\xc3\xa0", b"\x93\x01\xa0\xc4\x00", b"\xc1"])
def test_other_bodies_are_no_modules(body: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(body)


def test_a_package_says_whether_it_has_data(place: Path) -> None:
    put(place / "found_plain/__init__.py")
    put(place / "found_data/__init__.py")
    put(place / "found_data/sub/table.txt", "42")
    assert [find_module(name, "h").has_data for name in ("found_plain", "found_data")] == [False, True]
