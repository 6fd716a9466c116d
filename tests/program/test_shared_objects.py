"""Objects that two variables hold and that have no name: they get one, once, and lose no other's."""

from __future__ import annotations

import types

import pytest

from fedfutures.program import modules, shared_objects, tokens
from fedfutures.program.modules import SHARED
from fedfutures.program.shared_objects import SharedObjects
from fedfutures.program.tokens import Named
from fedfutures.program.variables import Variables

from .programs import BESIDE, Sides, make, reach_of

A, B, C = (BESIDE, "A"), (BESIDE, "B"), (BESIDE, "C")


@pytest.fixture(autouse=True)
def _no_names_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, object] = {}
    for module in (modules, shared_objects, tokens):
        monkeypatch.setattr(module, "shared_objects", names)


def claims(*values: object) -> dict[int, object]:
    return {id(value): value for value in values}


def test_an_object_that_is_claimed_twice_gets_a_name() -> None:
    shared, named = SharedObjects(), Named()
    one, both = [1], [2]
    assert not shared.claim(A, claims(one, both), named)
    assert shared.claim(B, claims(both), named)
    assert shared.stale == {A}
    assert named.key_of(both) == (SHARED, "#1")
    assert modules.lookup((SHARED, "#1")) is both
    assert named.key_of(one) is None


def test_a_variable_may_claim_again_what_is_its_own() -> None:
    shared, named = SharedObjects(), Named()
    value = [1]
    assert not shared.claim(A, claims(value), named)
    assert not shared.claim(A, claims(value), named)
    shared.forget(A, [id(value)])
    assert not shared.claim(B, claims(value), named)
    assert shared.stale == set()


def test_a_value_that_has_a_name_is_looked_for_in_others() -> None:
    shared, named = SharedObjects(), Named()
    value = [1]
    shared.claim(A, claims(value), named)
    shared.has_a_name(A, value)
    assert shared.stale == set()
    shared.has_a_name(B, value)
    assert shared.stale == {A}


def test_names_are_bounded_and_so_are_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_objects, "KEPT", 3)
    monkeypatch.setattr(shared_objects, "CLAIMS_AT_MOST", 2)
    shared, named = SharedObjects(), Named()
    values = [[number] for number in range(6)]
    for value in values:
        shared.claim(A, claims(value), named)
        shared.claim(B, claims(value), named)
    assert len(modules.shared_objects) == 3
    many = claims([1], [2], [3])
    assert not shared.claim(C, many, named)
    assert many == {}


def test_variables_that_share_refer_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    program: types.ModuleType = make("A = [[1], 2]\nB = {'k': A[0]}\nC = [A[0]]", monkeypatch)
    found = Variables().reached_from(reach_of([A, B, C]))
    assert found[A].finding.reach.parts == found[B].finding.reach.parts == {(SHARED, "#1")}
    assert found[SHARED, "#1"].value is program.A[0]


def test_workers_have_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = Sides(monkeypatch, "A = [[1], 2]\nB = {'k': A[0]}")
    there = sides.switch(sides.snapshot("A", "B"))
    assert there.A[0] is there.B["k"]
    sides.change("A[0].append(5)")
    there = sides.switch(sides.snapshot("A", "B"))
    assert there.A[0] is there.B["k"]
    assert there.A == [[1, 5], 2]
    sides.change("B['k'] = [1, 5]")
    there = sides.switch(sides.snapshot("A", "B"))
    assert there.A[0] == there.B["k"]
    assert there.A[0] is not there.B["k"]
