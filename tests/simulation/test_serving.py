"""Laws of who is served: each holds for what is as it should be, and is broken by what it forbids."""

from __future__ import annotations

from collections import deque

import pytest

from fedfutures.federation.terms import Terms
from fedfutures.simulation import serving
from fedfutures.simulation.records import FutureRecord
from fedfutures.simulation.running import BegunFuture
from fedfutures.wire.messages import VALUE

from .cases import KEY, PAYLOAD, Case, batch, is_broken


@pytest.fixture
def case() -> Case:
    return Case()


def wait_at(case: Case, *roots: str, priority: int = 0) -> None:
    """Let a Future of each root wait at the Broker."""
    for number, root in enumerate(roots, 100):
        terms = Terms("o", b"f", root, priority, 1, 0)
        case.system.brokers["b"].machine.ledger.admit("o", number, terms, [number], [b""])


@pytest.mark.parametrize("how", ["resolved", "cancelled", "left"])
def test_what_nobody_wants_is_not_begun_once_workers_know(case: Case, how: str) -> None:
    law, now = case.law(serving.NobodyRunsInVain), case.system.clock.now
    case.wait(9.0)
    assert not is_broken(law, law.started, "b.1", KEY, 1)
    if how == "resolved":
        case.record.resolve(VALUE, now + 9.0)
    elif how == "cancelled":
        case.record.ask_cancel(now + 9.0)
    else:
        case.records.leave("o", now + 9.0)
    assert not is_broken(law, law.started, "b.1", KEY, 1)
    case.wait(0.1)
    assert is_broken(law, law.started, "b.1", KEY, 1)
    case.records.disturb("broker", now)
    assert not is_broken(law, law.started, "b.1", KEY, 1), "messages may be lost"
    case.records.heal(now)
    assert not is_broken(law, law.started, "b.1", KEY, 1), "they have only just begun to arrive again"
    case.wait(serving.VAIN_SECONDS)
    known = how == "resolved"  # a new Broker knows of no cancel, and may not have heard the program's Bye
    assert is_broken(law, law.started, "b.1", KEY, 1) == known


def test_a_future_keeps_its_priority(case: Case) -> None:
    law = case.law(serving.OwnPriority)
    case.records.futures["o", 2] = FutureRecord(PAYLOAD, 3)
    assert not is_broken(law, law.gives, "b", "c", batch(2, priority=3), 1)
    assert is_broken(law, law.gives, "b", "c", batch(1, 2, priority=3), 1)


def test_a_broker_gives_the_urgent_first(case: Case) -> None:
    law = case.law(serving.UrgentFirst)
    wait_at(case, "o", priority=1)
    assert not is_broken(law, law.gives, "b", "b.1", batch(1, priority=1), 1)
    assert not is_broken(law, law.gives, "b", "c", batch(1), 1), "what a neighbour may have is another matter"
    assert is_broken(law, law.gives, "b", "b.1", batch(1), 1)


def test_a_worker_begins_the_urgent_first(case: Case) -> None:
    law, workload = case.law(serving.UrgentFirst), case.worker.workload
    workload.hold(batch(5, piece=1, priority=1))
    assert not is_broken(law, law.started, "b.1", KEY, 1), "it is not here yet"
    workload.enqueue(1, "definition")
    assert is_broken(law, law.started, "b.1", KEY, 1)
    workload.queue[0].todo.clear()
    assert not is_broken(law, law.started, "b.1", KEY, 1)


def test_suspects_travel_alone_and_not_for_ever(case: Case) -> None:
    law = case.law(serving.SuspectsAlone)
    assert not is_broken(law, law.gives, "b", "b.1", batch(1, crashes=1, spent=True), 1)
    assert not is_broken(law, law.gives, "b", "c", batch(1, crashes=1), 1)
    assert not is_broken(law, law.gives, "b", "b.1", batch(1, 2), 1)
    assert is_broken(law, law.gives, "b", "b.1", batch(1, crashes=1), 1)
    assert is_broken(law, law.gives, "b", "c", batch(1, 2, crashes=1, spent=True), 1)
    for _ in range(3):
        assert not is_broken(law, law.started, "b.1", KEY, 1)
        case.record.blame()
    assert is_broken(law, law.started, "b.1", KEY, 1)


def test_nobody_is_given_more_than_it_has_asked_for(case: Case) -> None:
    law = case.law(serving.NoMoreThanAsked)
    law.asks("b.1", "b", 3, 10)
    assert not is_broken(law, law.gives, "b", "b.1", batch(1, 2), 11)
    assert not is_broken(law, law.gives, "b", "b.1", batch(3), 12)
    law.asks("b.1", "b", 2, 11)
    assert not is_broken(law, law.gives, "b", "b.1", batch(4), 13)
    law.asks("b.1", "b", 3, 12)
    assert not is_broken(law, law.gives, "b", "b.1", batch(5, 6), 14)
    assert is_broken(law, law.gives, "b", "b.1", batch(7), 15)
    assert not is_broken(law, law.gives, "b.1", "b", batch(1, 2, 3, 4), 1), "a Worker gives what others lack"
    case.records.disturb("cut")
    assert not is_broken(law, law.gives, "b", "b.1", batch(7), 15)


def test_no_origin_is_passed_over_again_and_again(case: Case) -> None:
    law = case.law(serving.EqualShares)
    wait_at(case, "p", "o")
    for _ in range(2):
        for _ in range(serving.PASSED_OVER):
            assert not is_broken(law, law.gives, "b", "b.1", batch(1, root="o"), 1)
        assert not is_broken(law, law.gives, "b", "b.1", batch(1, root="p"), 1), "its turn"
    for _ in range(serving.PASSED_OVER):
        assert not is_broken(law, law.gives, "b", "b.1", batch(1, root="o"), 1)
    assert not is_broken(law, law.gives, "b", "b.1", batch(1, root="o", priority=2), 1), "more urgent"
    assert is_broken(law, law.gives, "b", "b.1", batch(1, root="o"), 1)


def test_while_nothing_happens_nobody_rests_for_a_second_beside_work(case: Case) -> None:
    law = case.law(serving.NobodyIdlesWhileCalm)
    case.origin.own = deque([1])
    case.wait(1.0)
    law.sampled(False)
    case.wait(0.9)
    assert not is_broken(law, law.sampled, False)
    case.wait(0.2)
    assert is_broken(law, law.sampled, False)
    case.records.disturb("worker")
    assert not is_broken(law, law.sampled, False)


def test_a_future_that_runs_begins_nowhere_else_when_a_broker_was_started_again(case: Case) -> None:
    del case.system.brokers["c"]
    other = case.system.add_worker("b", 2)
    law = case.law(serving.RunsInOnePlace)
    law.started("b.1", KEY, 1)
    assert not is_broken(law, law.started, other.name, KEY, 1), "it has ended there"
    case.worker.workload.hold(batch(1))
    piece = case.worker.workload.pieces[1]
    case.worker.current = BegunFuture(piece, 1, PAYLOAD, b"f", 0.0)
    law.started("b.1", KEY, 1)
    case.records.disturb("broker")
    assert is_broken(law, law.started, other.name, KEY, 2)
    case.records.disturb("cut")
    assert not is_broken(law, law.started, other.name, KEY, 2)


def test_a_program_whose_broker_has_ended_is_soon_known_to_the_next(case: Case) -> None:
    law, broker = case.law(serving.KnownAgain), case.system.brokers["b"]
    case.system.host_process_died("b")
    case.records.disturb("broker")
    case.wait(1.0)
    law.sampled(False)
    case.wait(1.0)
    assert not is_broken(law, law.sampled, False), "there is no Broker"
    case.system.host_process_starts("b")
    law.sampled(False)
    case.wait(0.5)
    assert "o" in broker.machine.peers
    assert not is_broken(law, law.sampled, False)
    case.origin.bereft = True
    law.sampled(False)
    case.wait(0.4)
    assert is_broken(law, law.sampled, False)
    case.records.disturb("cut")
    assert not is_broken(law, law.sampled, False)
