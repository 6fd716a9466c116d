"""A Broker withstands liars, and one with a bug does not."""

from __future__ import annotations

import pytest

from fedfutures.simulation import guests
from fedfutures.simulation.records import LawBroken
from fedfutures.simulation.trial import LATER_ON, STARTED_AGAIN, Trial

from .cases import Case
from .mutant_table import BY_NAME
from .planting import planted

NOTICED = {
    "claims-all-believed": "T1 claims",
    "claims-recovery-never-ends": "T1 claims",
    "claims-believed-again": "T1 claims",
    "results-of-no-piece": "T1 claims",
    "running-of-others": "T2 reports",
    "cancelled-by-nobody": "T2 reports",
    "segments-read-by-all": "T4 segments",
    "results-name-anything": "T4 segments",
    "alone-is-believed": "T5 single_use",
    "wants-not-said-again": "T6 wants",
    "collected-results-lost": "T7 collected",
    "gone-where-not-yet": "T9 not_yet",
    "never-forgets": "T10 forgotten",
    "claims-unproven": "T11 proofs",
    "claims-without-outcome": "T11 proofs",
    "claims-numbers-unbounded": "T11 proofs",
    "claims-any-session": "T12 first_session",
    "orphans-of-the-silent": "T14 orphans",
    "orphans-never-expire": "T14 orphans",
}
CRASHES = (
    "believes-any-load",
    "believes-any-backlog",
    "attempts-without-end",
    "segments-dropped-by-all",
    "two-hold-one",
)
"""The machine fails, or says what cannot be said."""


def test_a_sound_broker_withstands_liars() -> None:
    case = Case()
    broker = case.system.brokers["b"]
    before = broker.incarnation
    Trial(broker).run()
    assert broker.incarnation != before, "it was started again"


@pytest.mark.parametrize("name", NOTICED)
def test_liars_find_a_bug(name: str) -> None:
    case = Case()
    broker = case.system.brokers["b"]
    case.system.broker_died(broker, keeps_mail=False)
    case.system.broker_starts(broker)
    case.wait(1.0)
    with planted(BY_NAME[name]), pytest.raises(LawBroken) as error:
        Trial(broker).run()
    assert error.value.law == NOTICED[name]


@pytest.mark.parametrize("name", CRASHES)
def test_a_bug_that_fails_is_found(name: str) -> None:
    with planted(BY_NAME[name]), pytest.raises(Exception) as error:
        Trial(Case().system.brokers["b"]).run()
    assert error.type is not LawBroken


def test_each_part_has_a_code_of_its_own() -> None:
    names = [part.__name__.partition("_")[0] for part in (*LATER_ON, *STARTED_AGAIN)]
    assert len(names) == len(set(names))
    assert guests.FORGED not in map(guests.payload_of_guest, range(9))
