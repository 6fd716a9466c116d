"""Plans: they tell each change of what a call reaches, and nothing else."""

from __future__ import annotations

import types

import pytest

from fedfutures.program.plans import Plan
from fedfutures.program.reach import Reach
from fedfutures.program.variables import Variables

from .programs import reach_of, run_in
from .test_variables import CHANGES, followed, key, program

__all__ = ["followed", "program"]


def plan(followed: Variables, *names: str) -> Plan:
    reach = reach_of(map(key, names))
    return Plan(None, None, "definition", followed.reached_from(reach), reach)


@pytest.mark.parametrize(("name", "forth", "back"), CHANGES)
def test_a_plan_tells_changes(program: types.ModuleType, followed: Variables, name: str, forth: str, back: str) -> None:
    made = plan(followed, name)
    assert made.is_current(None)
    assert made.is_current(None)
    run_in(program, forth)
    assert not made.is_current(None)
    assert plan(followed, name).is_current(None)


def test_a_plan_looks_at_its_function(program: types.ModuleType) -> None:
    made = Plan(program.alone, key("alone"), "definition", {}, Reach())
    assert (made.is_current(program.alone), made.definition) == (True, "definition")
    program.alone.__defaults__ = (1,)
    assert not made.is_current(program.alone)
    made = Plan(program.alone, key("alone"), "definition", {}, Reach())
    kept = program.alone
    run_in(program, "def alone(x): return x")
    assert not made.is_current(kept)
    assert not made.is_current(program.alone)


def test_a_plan_looks_at_what_it_is_told_to_watch(program: types.ModuleType, followed: Variables) -> None:
    made, answers = plan(followed, "alone"), [True, False]
    made.watch(lambda: answers.pop(0))
    assert (made.is_current(None), made.is_current(None)) == (True, False)


def test_a_plan_looks_at_what_is_much_in_turn(program: types.ModuleType, followed: Variables) -> None:
    """Twenty values of 50,000 bytes are more than are compared at each submit, but none is forgotten."""
    count = 20
    for number in range(count):
        setattr(program, f"MUCH{number}", [number, b"x" * 50_000])
    names = [f"MUCH{number}" for number in range(count)]
    for name in names:
        made = plan(followed, *names)
        getattr(program, name)[0] = "other"
        assert not all(made.is_current(None) for _ in range(count + 1)), name
