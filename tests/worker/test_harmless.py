"""Which functions are known to change nothing around them."""

from __future__ import annotations

import gc
import math
import operator
import os
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from fedfutures.worker import harmless
from fedfutures.worker.harmless import is_harmless

NUMBER, TABLE, MODULE = 3, [1, 2], math


def identity(item: int) -> int:
    return item


def square(x: float) -> float:
    return x * x


def loops(x: int) -> int:
    total = 0
    for number in range(x):
        total += number * number
    return total


def calls_harmless(x: int) -> float:
    return square(x) + loops(2) + NUMBER


def formats(x: int) -> str:
    return f"{x}-{len(str(x))}"


def of_math(x: float) -> float:
    return math.sin(x) * math.pi + max(x, 2)


def chooses(x: int, y: int = 3) -> Any:
    return [x, (y, x)] if x > y else {"x": x}[{1: "x"}[1]]


def adder(more: Any) -> Callable[[int], int]:
    return lambda x: x + more  # type: ignore[no-any-return]


HARMLESS = [
    identity, square, loops, calls_harmless, formats, of_math, chooses, adder(3), abs, pow, math.sqrt, operator.add,
    int,
]  # fmt: skip


def sets_a_variable(x: int) -> int:
    os.environ["A"] = "1"
    return x


def asks(x: int) -> int:
    return os.getpid()


def sets_a_global(x: int) -> None:
    global NUMBER
    NUMBER = x


def appends(x: list[int]) -> None:
    x.append(1)


def sets_an_item(x: list[int]) -> None:
    x[0] = 1


def deletes_an_item(x: list[int]) -> None:
    del x[0]


def sets_an_attribute(x: Any) -> None:
    x.y = 1


def reads_an_attribute(x: Any) -> Any:
    return x.y


def imports(x: int) -> Any:
    import decimal

    return decimal


def opens(x: str) -> None:
    with open(x):
        pass


def calls_harm(x: int) -> int:
    return sets_a_variable(x)


def reads_a_list(x: int) -> int:
    return TABLE[x]


def gives_a_module(x: int) -> Any:
    return MODULE


def gives_a_module_and_reads_it(x: int) -> Any:
    return MODULE, MODULE.pi


def makes_a_function(x: int) -> Any:
    return lambda: x


def generates(x: int) -> Any:
    yield x


async def awaits(x: int) -> int:
    return x


def tries(x: int) -> int:
    try:
        return x
    finally:
        print(x)


def has_a_default(x: int, change: Any = os.chdir) -> Any:
    return change(x)


def has_a_keyword_default(x: int, *, change: Any = os.chdir) -> Any:
    return change(x)


class CallableObject:
    def __call__(self, x: int) -> int:
        return x

    def method(self, x: int) -> int:
        return x


def deep_0(x: int) -> int:
    return x


def deep_1(x: int) -> int:
    return deep_0(x)


def deep_2(x: int) -> int:
    return deep_1(x)


def deep_3(x: int) -> int:
    return deep_2(x)


def itself(x: int) -> int:
    return itself(x - 1) if x else 0


NOT = [
    sets_a_variable, asks, sets_a_global, appends, sets_an_item, deletes_an_item, sets_an_attribute,
    reads_an_attribute, imports, opens, calls_harm, reads_a_list, gives_a_module, gives_a_module_and_reads_it,
    makes_a_function, generates, awaits, tries, has_a_default, has_a_keyword_default, CallableObject(),
    CallableObject().method, CallableObject, deep_3, itself, adder([]), print, setattr, exec, open, [].append,
    operator.setitem, os.chdir, types.FunctionType, str.upper,
]  # fmt: skip


@pytest.mark.parametrize("function", HARMLESS)
def test_harmless(function: Any) -> None:
    assert is_harmless(function)
    assert is_harmless(function)  # also as it is remembered


@pytest.mark.parametrize("function", NOT)
def test_not_known_to_be_harmless(function: Any) -> None:
    assert not is_harmless(function)


def test_what_a_name_means_now_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_harmless(calls_harmless)
    monkeypatch.setitem(globals(), "square", sets_a_variable)
    assert not is_harmless(calls_harmless)


def test_an_empty_cell() -> None:
    def function(x: int) -> int:
        return x + later

    assert not is_harmless(function)
    later = 3
    assert is_harmless(function)


def test_few_codes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harmless, "_known", {})
    monkeypatch.setattr(harmless, "_KNOWN_AT_MOST", 3)
    codes = []
    for number in range(10):
        function = eval(f"lambda x: x + {number}")
        assert is_harmless(function)
        codes.append(weakref.ref(function.__code__))
    del function
    gc.collect()
    assert 1 <= sum(code() is not None for code in codes) <= 3
