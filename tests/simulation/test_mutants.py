"""The mutants apply, and the simulator notices the easy ones; ``python -m tests.simulation.mutants`` tries all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .mutant_table import ALL, BY_NAME, Mutant
from .mutants import REASONS, verdict_of
from .planting import DoesNotApply, function_of, mutated, planted

SCHEDULES = 12
EASY = (
    "accepts-out-of-order",
    "acks-what-it-drops",
    "never-repeats",
    "submitter-gives-only-once",
    "crashes-not-counted",
    "dead-worker-keeps-all",
    "innocents-blamed",
    "codec-loses-odd",
    "no-strangers",
)
PAGE = Path(__file__).parents[2] / "docs" / "mutants.rst"


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_applies_and_is_another_code(mutant: Mutant) -> None:
    sound = function_of(mutant.where).__code__
    with planted(mutant):
        code = function_of(mutant.where).__code__
        assert code is not sound
        assert (code.co_code, code.co_consts, code.co_names) != (sound.co_code, sound.co_consts, sound.co_names)
    assert function_of(mutant.where).__code__ is sound


@pytest.mark.parametrize("name", EASY)
def test_few_schedules_notice_an_easy_mutant(name: str) -> None:
    with planted(BY_NAME[name]):
        assert any(verdict_of(seed).broken is not None for seed in range(1, SCHEDULES + 1))


def test_names_are_unique_and_reasons_are_of_mutants() -> None:
    assert len(BY_NAME) == len(ALL) >= 34
    assert REASONS.keys() <= BY_NAME.keys()


def test_the_page_has_every_mutant() -> None:
    named = re.findall(r"^   \* - ([a-z-]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == [mutant.name for mutant in ALL]


@pytest.mark.parametrize(
    "change",
    [{"old": "no such text"}, {"where": "broker.machine.BrokerMachine.no_such_method"}, {"where": "no.module"}],
)
def test_a_mutant_of_other_code_does_not_apply(change: dict[str, str]) -> None:
    with pytest.raises(DoesNotApply):
        mutated(ALL[0]._replace(**change))
