"""A program withstands a Broker that answers twice, and one that has ended; one with a bug does not."""

from __future__ import annotations

import pytest

from fedfutures.simulation.node_trial import NodeTrial
from fedfutures.simulation.records import LawBroken

from .cases import Case
from .mutant_table import BY_NAME
from .planting import planted


def trial_of(case: Case) -> NodeTrial:
    return NodeTrial(case.origin, case.system.brokers["b"].incarnation)


def test_a_sound_node_withstands_it() -> None:
    case = Case()
    trial_of(case).run()
    assert not case.origin.machine.statistics()["given"]


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("old-unmet-demand", "T20 late_news"),
        ("keeps-a-dead-session", "T22 dead_broker"),
        ("waits-for-a-dead-broker", "T23 rejoins"),
        ("bye-is-lost", "T24 leaves"),
    ],
)
def test_a_bug_is_found(name: str, law: str) -> None:
    with planted(BY_NAME[name]), pytest.raises(LawBroken) as error:
        trial_of(Case()).run()
    assert error.value.law == law


def test_a_node_that_takes_results_twice_fails() -> None:
    with planted(BY_NAME["counts-duplicate-results"]), pytest.raises(KeyError):
        trial_of(Case()).run()
