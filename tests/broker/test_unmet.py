"""When own Workers are told of unmet demand."""

from __future__ import annotations

import pytest

from fedfutures.broker.events import Publish
from fedfutures.broker.outbox import Outbox
from fedfutures.broker.states import States
from fedfutures.broker.unmet import (
    UNMET_AFTER_SECONDS,
    UNMET_REPEAT_AT_MOST_SECONDS,
    UNMET_REPEAT_SECONDS,
    UnmetDemand,
)


class Told:
    """What own Workers of a Broker are told, look by look."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.demand = UnmetDemand(States(1, self.outbox))

    def look(self, unmet: int, now: float, *, works: bool = True) -> list[int]:
        self.demand.look(unmet, 0, 2, now, works=works)
        return self.heard()

    def heard(self) -> list[int]:
        return [action.state.unmet for action in self.outbox.take() if isinstance(action, Publish)]


@pytest.fixture
def told() -> Told:
    return Told()


def test_it_has_to_last_for_a_moment(told: Told) -> None:
    assert told.look(3, 1.0) == []
    assert (told.demand.due, told.demand.lasts) == (1.0 + UNMET_AFTER_SECONDS, False)
    assert told.look(2, 1.0 + UNMET_AFTER_SECONDS) == [2]
    assert told.demand.lasts


def test_what_was_over_by_then_was_never_told(told: Told) -> None:
    assert told.look(3, 1.0) == told.look(0, 1.0001) == []
    assert (told.demand.due, told.demand.lasts) == (None, False)


def test_its_end_is_told_once(told: Told) -> None:
    told.look(1, 1.0)
    assert [told.look(1, 1.1), told.look(0, 1.2), told.look(0, 1.3)] == [[1], [0], []]


def test_it_is_repeated_ever_more_rarely(told: Told) -> None:
    now, waits = 1.0, []
    told.look(1, now)
    for _ in range(9):
        assert told.demand.due is not None
        waits.append(told.demand.due - now)
        now = told.demand.due
        assert told.look(1, now) == [1]
    doubled = [min(UNMET_REPEAT_SECONDS * 2**n, UNMET_REPEAT_AT_MOST_SECONDS) for n in range(8)]
    assert waits == pytest.approx([UNMET_AFTER_SECONDS, *doubled])


def test_idle_workers_are_told_nothing(told: Told) -> None:
    told.look(1, 1.0)
    assert told.look(1, 1.1, works=False) == []
    assert told.demand.lasts, "neighbours hear of it"


def test_a_new_broker_tells_what_it_knows(told: Told) -> None:
    told.demand.tell_again(0, 2)
    assert told.heard() == [0]
    told.look(5, 1.0)
    told.look(5, 1.1)
    told.heard()
    told.demand.tell_again(0, 2)
    assert told.heard() == [5]
