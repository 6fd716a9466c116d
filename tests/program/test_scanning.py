"""What a pickle names of the program, compared with what a pickler meets."""

from __future__ import annotations

import pickle
import types
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.program.pickling import dump_by_value
from fedfutures.program.scanning import keys_in

from .programs import BESIDE, look_anew, make

PROGRAM = """
    class Thing:
        class Inner: pass
        def method(self): pass
    class Other: pass
    def function(): pass
    def other(): pass
    NUMBER = 5
"""
NAMES = {"Thing", "Other", "function", "other", "Thing.Inner"}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The program's module."""
    return make(PROGRAM, monkeypatch)


def named(value: Any) -> set[str]:
    """Return what the pickle of a value names, by name."""
    found = keys_in(pickle.dumps(value, 5), value)
    assert {module for module, _ in found} <= {BESIDE}
    return {name for _, name in found}


def test_what_names_nothing() -> None:
    for value in (1, "beside", ["Thing", "beside"], {"a": b"\x93"}, print, json_like()):
        assert named(value) == set()


def json_like() -> Any:
    import fractions

    return [fractions.Fraction(1, 2), {1, 2}, (None, 1.5)]


def test_what_names_something(program: types.ModuleType) -> None:
    assert named(program.Thing) == {"Thing"}
    assert named([program.function, {"k": program.Thing()}]) == {"function", "Thing"}
    assert named(program.Thing.Inner()) == {"Thing.Inner"}
    assert {"Thing.method"} <= named(program.Thing.method) <= {"Thing.method", "Thing"}
    assert named(program.Thing().method) >= {"Thing"}


def test_names_that_stood_there_before(program: types.ModuleType) -> None:
    assert named(["Thing", program.Thing]) == {"Thing"}
    assert named(["beside", program.Thing, program.Other()]) == {"Thing", "Other"}
    assert named([*map(str, range(300)), "beside", "function", program.function]) == {"function"}
    assert named([program.Thing(), "other", program.other, program.function]) == {"Thing", "other", "function"}


def test_strings_that_look_like_it(program: types.ModuleType) -> None:
    assert "NUMBER" not in named([program.Thing, "NUMBER"])
    text = pickle.dumps(program.Thing, 5)
    assert named([text, 1]) <= {"Thing"}


def test_a_name_as_long_as_a_byte_counts(program: types.ModuleType) -> None:
    name = "x" * 255
    made = type(name, (), {"__module__": BESIDE})
    setattr(program, name, made)
    assert named(made) == {name}


def test_the_program_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    main = make(PROGRAM, monkeypatch, "__main__")
    monkeypatch.setitem(__import__("sys").modules, "__mp_main__", main)
    value = [main.Thing()]
    assert keys_in(pickle.dumps(value, 5), value) == {("__main__", "Thing")}
    main.Thing.__module__ = "__mp_main__"
    value = [main.Thing()]
    assert keys_in(pickle.dumps(value, 5), value) == {("__main__", "Thing")}


@given(st.data())
def test_as_a_pickler_meets_them(data: st.DataObject) -> None:
    """The fast way finds all that the naive one finds, and nothing that is not there."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        look_anew(monkeypatch, __name__)
        program = make(PROGRAM, monkeypatch)
        things = [program.Thing, program.Other, program.function, program.other, program.Thing.Inner]
        leaves = st.sampled_from([*things, program.Thing(), *NAMES, BESIDE, b"\x93", 5]) | st.text(max_size=3)
        value = data.draw(
            st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.integers(), inner), max_leaves=12)
        )
        found, met = keys_in(pickle.dumps(value, 5), value), dump_by_value(value)[1].parts
        assert {key for key in met if key[0] == BESIDE} <= found <= {(BESIDE, name) for name in NAMES}
