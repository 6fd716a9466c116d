"""Modules on their way: what asks for one, and what it is."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, strategies as st

from fedfutures.program.snapshots import PREFIXES
from fedfutures.wire.modules import Module, is_module, key_of, name_of, unpack

NAMES = st.text(st.characters() | st.sampled_from("\udce9"), max_size=20)  # files need be no UTF-8


@given(st.builds(Module, st.booleans(), NAMES, st.binary(max_size=40)))
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


@pytest.mark.parametrize("values", [None, [], [True, "f"], [1, "f", b""], [True, b"f", b""], [True, "f", b"", 1]])
def test_what_is_no_module(values: object) -> None:
    with pytest.raises(ValueError, match="not a module"):
        unpack(msgpack.packb(values))
