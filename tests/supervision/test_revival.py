"""When a host process is started again, and when not."""

from __future__ import annotations

import signal

import pytest

from fedfutures.supervision.attempts import (
    ENDS_LIMIT,
    ENDS_SECONDS,
    FIRST_DELAY_SECONDS,
    GIVE_UP_SECONDS,
    LONGEST_DELAY_SECONDS,
    SETTLED_SECONDS,
)
from fedfutures.supervision.revival import Revival

KILLED = -int(signal.SIGKILL)


@pytest.fixture
def revival() -> Revival:
    return Revival()


@pytest.mark.parametrize("code", [KILLED, -int(signal.SIGTERM), 0, 1, -int(signal.SIGSEGV)])
def test_one_that_has_settled_is_started_again_at_once_however_it_ended(revival: Revival, code: int) -> None:
    assert not revival.is_ready
    revival.on_ready(10.0)
    assert revival.is_ready
    assert revival.on_ended(code, 10.0 + SETTLED_SECONDS) == 0.0
    assert (revival.lives, revival.is_ready) == (1, False)


def test_one_that_is_killed_again_and_again_is_started_with_longer_pauses_and_given_up_by_time(
    revival: Revival,
) -> None:
    now, pauses = 0.0, []
    while isinstance(pause := revival.on_ended(KILLED, now), float):
        pauses.append(pause)
        now += pause + 0.01
        revival.on_ready(now)
        now += SETTLED_SECONDS / 2
    assert pauses[:3] == [FIRST_DELAY_SECONDS, 2 * FIRST_DELAY_SECONDS, 4 * FIRST_DELAY_SECONDS]
    assert pauses[-1] == LONGEST_DELAY_SECONDS
    assert GIVE_UP_SECONDS <= now < GIVE_UP_SECONDS + LONGEST_DELAY_SECONDS + 1
    assert pause == "it was ended as soon as it began, for 60 s; last: signal SIGKILL"
    assert revival.lives == len(pauses)


def test_one_that_settles_in_between_begins_with_the_shortest_pause(revival: Revival) -> None:
    for _ in range(3):
        revival.on_ended(KILLED, 0.0)
    revival.on_ready(100.0)
    assert revival.on_ended(KILLED, 102.0) == 0.0
    assert revival.on_ended(KILLED, 102.1) == FIRST_DELAY_SECONDS


def test_kills_that_it_survives_for_long_never_end_the_run(revival: Revival) -> None:
    for number in range(200):
        revival.on_ready(5.0 * number)
        assert revival.on_ended(KILLED, 5.0 * number + 2) == 0.0


@pytest.mark.parametrize("code", [0, 1, -int(signal.SIGSEGV)])
def test_ends_that_nobody_else_causes_are_counted_whether_it_has_settled_or_not(revival: Revival, code: int) -> None:
    for number in range(ENDS_LIMIT - 1):
        revival.on_ready(2.0 * number)
        assert revival.on_ended(code, 2.0 * number + (1.5 if number % 2 else 0.5)) in (0.0, FIRST_DELAY_SECONDS)
    revival.on_ready(20.0)
    found = revival.on_ended(code, 22.0)
    assert isinstance(found, str)
    assert found.startswith("it ended 5 times in a short time; last: ")


def test_starts_that_fail_slowly_are_counted_too(revival: Revival) -> None:
    found = [revival.on_ended(1, number * ENDS_SECONDS) for number in range(ENDS_LIMIT)]
    assert [type(each) for each in found] == [float] * (ENDS_LIMIT - 1) + [str]


def test_rare_ends_are_not_counted_together(revival: Revival) -> None:
    for number in range(20):
        revival.on_ready(number * ENDS_SECONDS)
        assert revival.on_ended(1, (number + 0.5) * ENDS_SECONDS) == 0.0


def test_one_that_ends_the_run_itself_is_not_started_again(revival: Revival) -> None:
    revival.on_ready(0.0)
    revival.on_given_up()
    assert revival.on_ended(0, 50.0) == ""
    assert revival.lives == 0
