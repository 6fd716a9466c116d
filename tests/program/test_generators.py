"""Generators of random numbers in a Worker: which of them Futures have drawn from."""

from __future__ import annotations

import random
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from fedfutures.program.generators import Generators, digest_of_state, is_generator

numpy = pytest.importorskip("numpy")

MAKERS: list[Any] = [
    lambda: random.Random(1),
    lambda: numpy.random.default_rng(1),
    lambda: numpy.random.RandomState(1),
    lambda: numpy.random.Generator(numpy.random.MT19937(1)),
    lambda: type("Mine", (random.Random,), {})(1),
]


@pytest.fixture
def module() -> Iterator[Any]:
    """A module of the program."""
    made = types.ModuleType("generator_module")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


@pytest.mark.parametrize("make", MAKERS)
def test_one_that_was_drawn_from_is_told_with_its_type(module: Any, make: Any) -> None:
    module.RNG, module.OTHER, module.NUMBER = make(), make(), 5
    assert is_generator(module.RNG)
    generators = Generators()
    keys = [("generator_module", name) for name in ("RNG", "OTHER", "NUMBER", "missing")]
    generators.note(keys)
    assert generators.report()["variables"] == []
    module.RNG.random()
    [[where, name, kind]] = generators.report()["variables"]
    assert (where, name) == ("generator_module", "RNG")
    package = {"Random": "random.", "Mine": f"{__name__}."}.get(type(module.RNG).__name__, "numpy.random.")
    assert kind == package + type(module.RNG).__qualname__
    generators.note(keys)  # a new version has come
    assert len(generators.report()["variables"]) == 1


@pytest.mark.parametrize("make", MAKERS)
def test_one_that_is_replaced_is_looked_at_before(module: Any, make: Any) -> None:
    module.RNG = make()
    generators = Generators()
    generators.note([("generator_module", "RNG")])
    module.RNG.random()
    module.RNG = make()
    generators.note([("generator_module", "RNG")])
    assert len(generators.report()["variables"]) == 1


@pytest.mark.parametrize("value", [random.SystemRandom(), random, random.Random, numpy.random, 1, None, "x"])
def test_what_is_none(value: Any) -> None:
    assert not is_generator(value)


def test_one_that_does_not_tell_its_state() -> None:
    class Silent(random.Random):
        def getstate(self) -> Any:
            raise NotImplementedError

    assert digest_of_state(Silent()) == digest_of_state(Silent()) == b""


def test_the_global_ones() -> None:
    generators = Generators()
    generators.begin()
    assert generators.report()["global"] == {}
    random.random()
    assert set(generators.report()["global"]) == {"random"}
    numpy.random.random()
    report = generators.report()["global"]
    assert set(report) == {"random", "numpy.random"}
    random.seed(1)
    first, second = Generators(), Generators()
    first.begin()
    random.seed(1)
    second.begin()
    random.random()
    assert first.report()["global"] == second.report()["global"]
