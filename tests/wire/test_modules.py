"""Modules on their way: what asks for one, and what it is."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, strategies as st

from fedfutures.program.snapshots import PREFIXES
from fedfutures.wire.modules import (
    Module,
    files_key_of,
    is_files,
    is_module,
    key_of,
    name_of,
    pack_files,
    unpack,
    unpack_files,
)

NAMES = st.text(st.characters() | st.sampled_from("\udce9"), max_size=20)  # files need be no UTF-8


@given(st.builds(Module, st.booleans(), NAMES, st.binary(max_size=40), st.booleans()))
def test_a_module_survives(module: Module) -> None:
    assert unpack(module.pack()) == module


@given(NAMES)
def test_a_key_says_its_name(name: str) -> None:
    assert name_of(key_of(name)) == name
    assert is_module(key_of(name))


@given(st.binary(max_size=20))
def test_any_key_has_a_name(key: bytes) -> None:
    name_of(key_of("") + key).encode("utf-8", "surrogatepass")


def test_digests_of_functions_ask_for_no_module() -> None:
    assert not is_module(b"0123456789abcdef")
    for prefix in PREFIXES:
        assert is_module(prefix + b"x")


@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?", fullmatch=True), st.binary(max_size=9), max_size=3))
def test_the_files_of_a_package_survive(files: dict[str, bytes]) -> None:
    assert unpack_files(pack_files(files)) == files
    assert is_files(files_key_of("a"))
    assert is_module(files_key_of("a"))
    assert not is_files(key_of("files a"))


@pytest.mark.parametrize("path", ["", "/etc/x", "../x", "a/../x", "a//b", "a/", "./a", "a\0b"])
def test_no_file_of_a_package_is_anywhere_else(path: str) -> None:
    with pytest.raises(ValueError, match="not the files"):
        unpack_files(pack_files({path: b""}))


@pytest.mark.parametrize("values", [None, {}, [1], [["a"]], [["a", "b"]], [[b"a", b""]], [["a", b"", 1]]])
def test_what_is_no_files(values: object) -> None:
    with pytest.raises(ValueError, match="not the files"):
        unpack_files(msgpack.packb(values))


SHORT: list[object] = [None, [], [True, "f"], [True, "f", b""], [1, "f", b"", True], [True, b"f", b"", True]]


@pytest.mark.parametrize("values", [*SHORT, [True, "f", b"", 1], [True, "f", b"", True, 1]])
def test_what_is_no_module(values: object) -> None:
    with pytest.raises(ValueError, match="not a module"):
        unpack(msgpack.packb(values))
