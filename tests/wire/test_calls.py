"""Calls in words: short, quick, and without secrets or code of the program."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from fedfutures.wire.calls import CHARACTERS_AT_MOST, arguments_text, call_text, value_text


def price(row: int, /, *, rate: float = 0.1, password: str = "") -> float:
    return row * rate


class Loud:
    def __repr__(self) -> str:
        raise AssertionError("code of the program ran")

    def method(self, x: int) -> None: ...


def test_no_code_of_the_program_runs() -> None:
    assert call_text(price, (Loud(),)) == "price(row=<Loud>)"
    assert call_text(Loud().method, (3,)) == "Loud.method(x=3)"


@pytest.mark.parametrize("name", ["password", "api_key", "TOKEN", "my_secret", "private_key"])
def test_secrets_are_not_written(name: str) -> None:
    assert call_text(price, (17,), {name: "hunter2"}) == f"price(row=17, {name}=...)"
    assert value_text({name: "hunter2"}) == f"{{{name!r}: ...}}"


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, b"x" * 10**6, 10**10_000, [0] * 10**6, {n: n for n in range(10**5)}],
    ids=lambda value: type(value).__name__,
)
def test_large_values_are_short(value: Any) -> None:
    assert len(value_text(value)) < CHARACTERS_AT_MOST


def test_many_arguments_are_cut() -> None:
    text = call_text(max, tuple(range(1000)))
    assert text.endswith(", ...)")
    assert len(text) < 3 * CHARACTERS_AT_MOST  # commas are not counted


@pytest.mark.parametrize(
    ("value", "text"),
    [((), "()"), ((1,), "(1,)"), (set(), "set()"), (frozenset({1}), "frozenset({1})"), ([[[1]]], "[[[...]]]"),
     (True, "True"), (None, "None"), ({"a": [1]}, "{'a': [1]}")],
)  # fmt: skip
def test_values(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_what_has_no_parameters_has_places() -> None:
    assert call_text(functools.partial(pow, 2), (3,)) == "pow(3)"
    assert arguments_text("outer.<locals>.inner", None, (1,), {"x": 2}) == "inner(1, x=2)"
