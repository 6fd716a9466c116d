"""Callables as they stand when they are submitted."""

from __future__ import annotations

import functools
import threading
import types
from typing import Any

import pytest

from fedfutures.program.copying import isolated
from fedfutures.wire.functions import Wrapper
from fedfutures.wire.payload import Payloads

from .programs import make


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The program's module."""
    return make("TABLE = [1]\ndef function(x=TABLE): return x, TABLE\nclass Thing: pass", monkeypatch)


def of(function: Any) -> Any:
    """Return the isolated callable; a copy is what arrives."""
    payloads = Payloads()
    return isolated(function, lambda value: payloads.load(payloads.dump(value)))


def test_a_loop_variable() -> None:
    assert [function() for function in [of(lambda: i) for i in range(3)]] == [0, 1, 2]  # noqa: B023


def test_what_a_closure_has_captured() -> None:
    items, text = [1], "text"

    def closure(x: Any = items, *, y: Any = items) -> Any:
        return items, text, x, y

    made = of(closure)
    items.append(2)
    text = "other"
    assert made() == ([1], "text", [1], [1])
    assert closure() == ([1, 2], "other", [1, 2], [1, 2])


def test_it_is_the_same_function_otherwise() -> None:
    items = [1]

    def closure() -> Any:
        """Say something."""
        return items

    closure.note = 5  # type: ignore[attr-defined]
    made = of(closure)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__code__", "__globals__", "note"):
        assert getattr(made, name) == getattr(closure, name)


def test_functions_inside_of_functions() -> None:
    items = [1]

    def inner() -> Any:
        return items

    def outer() -> Any:
        return inner(), inner

    made = of(outer)
    items.append(2)
    assert made()[0] == [1]
    assert inner() == [1, 2]


def test_a_function_that_calls_itself() -> None:
    items = [1]

    def recursive(n: int) -> Any:
        return recursive(n - 1) if n else (items, recursive)

    made = of(recursive)
    items.append(2)
    found, itself = made(3)
    assert found == [1]
    assert itself is made


def test_a_cell_that_is_not_filled_yet() -> None:
    def outer() -> Any:
        def inner() -> Any:
            return later

        made = of(inner)
        later = 1
        return made

    with pytest.raises(NameError):
        outer()()


def test_what_has_no_state_is_taken_as_it_is(program: types.ModuleType) -> None:
    cached = functools.lru_cache(lambda x: x)
    for function in (len, str.upper, dict, program.function, program.Thing, cached, eval("lambda x=1: x")):
        assert of(function) is function
    assert of(dict.fromkeys)([1]) == {1: None}


def test_bound_objects_and_partials() -> None:
    items = [1]
    bound, partial = of(items.copy), of(functools.partial(sorted, items))
    items.append(2)
    assert (bound(), partial()) == ([1], [1])


def test_a_method_of_an_object(program: types.ModuleType) -> None:
    class Thing:
        def __init__(self) -> None:
            self.level = 1

        def read(self) -> int:
            return self.level

        @classmethod
        def of_class(cls) -> type:
            return cls

    thing = Thing()
    made = of(thing.read)
    thing.level = 2
    assert made() == 1
    assert of(Thing.of_class)() is Thing


def test_what_cannot_be_copied_is_taken_as_it_is() -> None:
    lock = threading.Lock()

    def closure() -> Any:
        return lock

    assert of(closure)() is lock


class Wrapping(Wrapper):
    """Calls both of its functions."""

    def __call__(self) -> Any:
        return [inner() for inner in self.inner]


def test_wrappers_are_looked_into() -> None:
    items = [1]
    made = of(Wrapping(lambda: items, items.copy))
    items.append(2)
    assert type(made) is Wrapping
    assert made() == [[1], [1]]


def test_a_wrapper_stays_bound() -> None:
    """It needs that to say what has failed in it."""
    payloads = Payloads()
    assert isolated(Wrapper(abs).bind(payloads), lambda value: value).payloads is payloads
