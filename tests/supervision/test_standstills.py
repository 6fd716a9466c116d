"""Who stands still, and who only waits."""

from __future__ import annotations

import pytest

from fedfutures.supervision.standstills import LOOK_SECONDS, LOOKS_AT_A_STANDSTILL, Looks, Sight, Standstills


def test_looks_come_one_after_the_other_and_are_not_made_up_for() -> None:
    looks = Looks(0.0)
    assert [looks.is_due(now) for now in (0.0, LOOK_SECONDS, LOOK_SECONDS, 99.0, 99.0)] == [0, 1, 0, 1, 0]
    assert looks.next_deadline() == 99.0 + LOOK_SECONDS


@pytest.mark.parametrize("state", ["R", "S", "T", "Z", ""])
def test_no_other_state_is_a_standstill(state: str) -> None:
    standstills = Standstills()
    assert not any(standstills.look({0: Sight(state, ())}) for _ in range(99))


@pytest.mark.parametrize("state", ["D", "t"])
def test_whoever_moves_between_two_looks_does_not_stand_still(state: str) -> None:
    standstills = Standstills()
    assert not any(standstills.look({0: Sight(state, (str(look // LOOKS_AT_A_STANDSTILL),))}) for look in range(99))


def test_one_that_has_ended_is_forgotten() -> None:
    standstills = Standstills()
    still = {0: Sight("D", ())}
    assert [standstills.look(still) for _ in range(LOOKS_AT_A_STANDSTILL + 1)][-1] == {0: "suspend"}
    assert standstills.is_blocked(0)
    standstills.forget(0)
    assert not standstills.is_blocked(0)
    assert standstills.look(still) == {}
