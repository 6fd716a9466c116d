"""All that can happen to the smallest system, as far as there is time for it here."""

from __future__ import annotations

import pytest
from effort import deeper

from . import exhaustive

DEEPER = deeper()
"""One step more in `make gate`: each takes three times as long as the one before."""


@pytest.mark.parametrize(
    ("depth", "faults", "linked", "states"),
    [(10, 0, True, 80), (12, 0, False, 100), (4 + DEEPER, 1, True, 60), (3 + DEEPER, 2, True, 80), (3, 2, False, 30)],
)
def test_everything_resolves_whatever_happens_first(depth: int, faults: int, linked: bool, states: int) -> None:
    assert exhaustive.search(depth, faults, linked=linked) >= states


def test_two_states_that_differ_in_the_time_of_day_are_one() -> None:
    early, late = exhaustive.start(linked=True), exhaustive.start(linked=True)
    assert exhaustive.key_of(early) == exhaustive.key_of(late)
    early.node("worker")
    assert exhaustive.key_of(early) != exhaustive.key_of(late)
