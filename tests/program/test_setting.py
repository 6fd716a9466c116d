"""Setting variables: one by one, in an order that follows from what they consist of, and the hooks of classes."""

from __future__ import annotations

import sys
import types

import pytest

from fedfutures.program.given import Given
from fedfutures.program.modules import MISSING, Key, lookup
from fedfutures.program.pickling import dump_variable
from fedfutures.program.setting import Setting, assign
from fedfutures.program.snapshots import Seen
from fedfutures.program.tokens import Named

from .programs import BESIDE, make


def test_assigning(monkeypatch: pytest.MonkeyPatch) -> None:
    module = make("class Thing:\n    level = 1\n    class Inner: pass\nNUMBER = 1", monkeypatch)
    assign((BESIDE, "NUMBER"), 2)
    assign((BESIDE, "Thing.level"), 3)
    assign((BESIDE, "Thing.Inner.depth"), 4)
    assert (module.NUMBER, module.Thing.level, module.Thing.Inner.depth) == (2, 3, 4)
    assign((BESIDE, "NUMBER"), MISSING)
    assign((BESIDE, "Thing.level"), MISSING)
    assert not hasattr(module, "NUMBER")
    assert not hasattr(module.Thing, "level")
    for name in ("NUMBER", "Thing.level", "no.such", "Thing.no.such"):
        assign((BESIDE, name), MISSING)
    assign(("no_such_module", "NUMBER"), 1)
    assert "no_such_module" not in sys.modules


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    return make("INNER = [1]\nOUTER = [INNER]", monkeypatch)


def set_all(given: Given, bodies: dict[Key, bytes], order: list[str], token: bytes = b"new") -> None:
    keys = [(BESIDE, name) for name in order]
    seen = Seen(dict.fromkeys(keys, token), {}, {}, [])
    Setting(given, seen, keys, bodies, lambda body, unpickle: unpickle(body, ())).run()


@pytest.mark.parametrize("order", [["INNER", "OUTER"], ["OUTER", "INNER"]])
def test_what_a_value_consists_of_is_set_first(program: types.ModuleType, order: list[str]) -> None:
    before, given = program.INNER, Given()
    keys = [(BESIDE, name) for name in order]
    given.take_stock(keys)
    bodies = {key: dump_variable(lookup(key), key, Named())[0] for key in keys}
    set_all(given, bodies, order)
    assert program.OUTER[0] is program.INNER
    assert program.INNER is not before
    assert all(given.is_right(key, b"new") for key in keys)


def test_what_has_no_body_is_the_object_that_was_kept(program: types.ModuleType) -> None:
    first, given = program.INNER, Given()
    given.take_stock([(BESIDE, "INNER")])
    key = (BESIDE, "INNER")
    set_all(given, {key: dump_variable([2], key, Named())[0]}, ["INNER"])
    second = program.INNER
    set_all(given, {key: dump_variable([3], key, Named())[0]}, ["INNER"], b"newer")
    set_all(given, {}, ["INNER"])
    assert program.INNER is second
    assert first is not second
