"""A node that submits: its own Futures are given oldest first, as far as they are wanted, and come back in order."""

from __future__ import annotations

import pytest

from fedfutures.federation.events import Arrived, Send
from fedfutures.node import events as rules
from fedfutures.node.pace import BATCH_FUTURES_AT_MOST
from fedfutures.simulation.observer import Listener
from fedfutures.simulation.system import System
from fedfutures.simulation.world import World
from fedfutures.wire.messages import Batch, Demand


class Heard(Listener):
    """Notes what befalls the node, the Batches that it gives, and its outcomes."""

    def __init__(self) -> None:
        self.given: list[tuple[bytes, list[int], int]] = []
        self.incidents: list[str] = []
        self.outcomes: list[tuple[int, bytes, int | None]] = []

    def on_send(self, now: float, sender: str, peer: str, action: Send) -> None:
        if sender == "o" and type(action.message) is Batch:
            self.given.append((action.message.function, action.message.ids, action.message.priority))

    def on_incident(self, now: float, name: str, what: str) -> None:
        self.incidents.append(what)

    def on_outcomes(self, node: str, ids: list[int], outcomes: list[bytes], odd: dict[int, int]) -> None:
        self.outcomes += [(number, outcome, odd.get(number)) for number, outcome in zip(ids, outcomes)]


class Case:
    """An Origin linked to a Broker without Workers: it gives nothing but what the test has wanted."""

    def __init__(self) -> None:
        world, self.heard = World(1, checked_of=1), Heard()
        world.observer.register(self.heard)
        self.system = System(world, 1)
        self.system.add_broker("b")
        self.origin = self.system.add_origin("b", "o")
        world.clock.run(until=1.0)

    def want(self, count: int) -> None:
        """Have the Broker ask for so many."""
        sequence = self.system.brokers["b"].machine.peers["o"].channel.last + 1
        self.origin.step(Arrived("", sequence, 0, Demand(count, 0)))
        self.origin.offer()


@pytest.fixture
def case() -> Case:
    return Case()


def submit(case: Case, count: int, function: bytes = b"f", priority: int = 0) -> list[int]:
    return [case.origin.submit(b"p", function, priority) for _ in range(count)]


def test_what_nobody_wants_stays(case: Case) -> None:
    assert submit(case, 3) == [1, 2, 3]
    case.origin.offer()
    assert (case.heard.given, case.origin.backlog()) == ([], 3)


def test_the_oldest_that_share_function_and_priority_are_given_together(case: Case) -> None:
    submit(case, 2)
    submit(case, 1, b"g")
    submit(case, 1, b"g", priority=-1)
    submit(case, 2)
    case.want(5)
    assert case.heard.given == [(b"f", [1, 2], 0), (b"g", [3], 0), (b"g", [4], -1), (b"f", [5], 0)]
    assert list(case.origin.own) == [6]


def test_no_batch_is_larger_than_a_batch_may_be(case: Case) -> None:
    submit(case, BATCH_FUTURES_AT_MOST + 5)
    case.want(BATCH_FUTURES_AT_MOST + 9)
    assert [len(ids) for _, ids, _ in case.heard.given] == [BATCH_FUTURES_AT_MOST, 5]


def test_reclaimed_futures_go_before_those_that_wait(case: Case) -> None:
    submit(case, 4)
    case.want(3)
    case.origin.act(rules.Reclaim([1, 2, 3]))
    assert list(case.origin.own) == [1, 2, 3, 4]
    assert case.heard.incidents == ["has 3 Futures back: the Broker was started again"]


def test_outcomes_are_told_and_their_futures_forgotten(case: Case) -> None:
    submit(case, 3)
    case.origin.act(rules.Resolve([1, 3], [b"one", b"three"], [(3, 7)]))
    assert case.heard.outcomes == [(1, b"one", None), (3, b"three", 7)]
    assert case.origin.calls.keys() == {2}


def test_answers_are_kept_by_who_gave_them_until_the_last(case: Case) -> None:
    def told(name: str, *, last: bool) -> rules.Told:
        return rules.Told(1, name, b"report", last)

    case.origin.act(told("early", last=True))
    assert (case.origin.answers, case.origin.told_all) == (None, False)
    case.origin.answers = {}
    case.origin.act(told("b", last=True))
    case.origin.act(told("w", last=False))
    assert (case.origin.answers.keys(), case.origin.told_all) == ({"b", "w"}, True)


def test_a_refusal_ends_the_run(case: Case) -> None:
    with pytest.raises(AssertionError, match="o was refused: why"):
        case.origin.act(rules.Denied("why"))
