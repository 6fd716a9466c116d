"""The mutants apply, and the simulator notices the easy ones; ``python -m tests.simulation.mutants`` tries all."""

from __future__ import annotations

import pytest

from fedfutures.federation.terms import Terms

from .mutant_page import NOT_JUDGED, Row, read_page, write_page
from .mutant_table import ALL, BY_NAME, Mutant
from .mutants import PAGE, REASONS, sound_verdict, verdict_of
from .planting import DoesNotApply, function_of, mutated, planted, watched

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


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_applies_and_is_another_code(mutant: Mutant) -> None:
    sound = function_of(mutant.where).__code__
    with planted(mutant):
        code = function_of(mutant.where).__code__
        assert code is not sound
        assert (code.co_code, code.co_consts, code.co_names) != (sound.co_code, sound.co_consts, sound.co_names)
    assert function_of(mutant.where).__code__ is sound


def test_it_is_told_which_mutants_would_change_what_is_reached() -> None:
    with watched(ALL) as reached:
        assert sum(function_of(mutant.where).__code__.co_filename.startswith("<mutant") for mutant in ALL) == len(ALL)
        Terms("o", b"f", "o", 0, 1, 0).after_loss()
    assert reached == {"same-attempt-again", "attempts-without-end"}
    Terms("o", b"f", "o", 0, 1, 0).after_return("n", 1, 0)
    assert len(reached) == 2


def test_a_schedule_goes_on_as_it_did_when_it_is_watched() -> None:
    (verdict, reached), plain = sound_verdict(7), verdict_of(7)
    assert (verdict.events, verdict.executions) == (plain.events, plain.executions)
    assert 20 < len(reached) < len(ALL)


@pytest.mark.parametrize("name", EASY)
def test_few_schedules_notice_an_easy_mutant(name: str) -> None:
    with planted(BY_NAME[name]):
        assert any(verdict_of(seed).broken is not None for seed in range(1, SCHEDULES + 1))


def test_names_are_unique_and_reasons_are_of_mutants() -> None:
    assert len(BY_NAME) == len(ALL) >= 34
    assert REASONS.keys() <= BY_NAME.keys()


def test_the_page_has_every_mutant_as_the_tool_would_write_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = read_page(text)
    assert list(rows) == [mutant.name for mutant in ALL]
    assert write_page(ALL, rows) == text


def test_who_was_not_judged_is_counted_as_not_noticed() -> None:
    text = write_page(
        ALL[:3], {ALL[0].name: Row("S1 Law", "seed 3", "abc, 9"), ALL[1].name: Row("tests", "``t``", "earlier")}
    )
    assert "Of 3 bugs the simulator alone notices 1 (33%), together with the tests 2 (67%)." in text
    assert [row.by for row in read_page(text).values()] == ["S1 Law", "tests", NOT_JUDGED]
    assert read_page(text)[ALL[0].name] == Row("S1 Law", "seed 3", "abc, 9")


@pytest.mark.parametrize(
    "change",
    [{"old": "no such text"}, {"where": "broker.machine.BrokerMachine.no_such_method"}, {"where": "no.module"}],
)
def test_a_mutant_of_other_code_does_not_apply(change: dict[str, str]) -> None:
    with pytest.raises(DoesNotApply):
        mutated(ALL[0]._replace(**change))
