"""States are numbered."""

from __future__ import annotations

from fedfutures.broker.events import Publish
from fedfutures.broker.outbox import Outbox
from fedfutures.broker.states import TO_WORKERS, States
from fedfutures.wire.messages import State


def test_each_one_has_the_next_number() -> None:
    states = States(7, outbox := Outbox())
    states.publish(TO_WORKERS, 1, 2, 3)
    states.publish("b.2", 4, 5, 6)
    assert outbox.take() == [Publish("", State(7, 1, 1, 2, 3)), Publish("b.2", State(7, 2, 4, 5, 6))]
