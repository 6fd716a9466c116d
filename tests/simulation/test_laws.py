"""Each law holds for what is as it should be, and is broken by what it forbids."""

from __future__ import annotations

from collections import deque

import pytest

from fedfutures.broker.dispatch import MOST_CROSSINGS
from fedfutures.simulation import laws
from fedfutures.simulation.checker import LAWS
from fedfutures.simulation.records import FutureRecord
from fedfutures.simulation.specs import CRASHES, RAISES, payload_of, value_of
from fedfutures.simulation.submitter import FORGED
from fedfutures.wire.messages import CANCELLED, ERROR, LOST, POISONED, VALUE

from .cases import KEY, PAYLOAD, Case, batch, is_broken


@pytest.fixture
def case() -> Case:
    return Case()


def test_every_law_has_a_code_of_its_own() -> None:
    codes = [law.code for law in LAWS]
    assert all(codes)
    assert len(set(codes)) == len(codes)


def test_a_future_resolves_once(case: Case) -> None:
    law = case.law(laws.ResolvesOnce)
    assert not is_broken(law, law.resolves, KEY, case.record, VALUE, b"")
    case.record.resolve(VALUE)
    assert is_broken(law, law.resolves, KEY, case.record, CANCELLED, b"")


def test_an_outcome_is_that_of_its_function(case: Case) -> None:
    law = case.law(laws.OwnValue)
    raises = FutureRecord(payload_of(8, 0.5, kind=RAISES))
    assert not is_broken(law, law.resolves, KEY, case.record, VALUE, value_of(PAYLOAD))
    assert not is_broken(law, law.resolves, KEY, raises, ERROR, value_of(raises.payload))
    assert not is_broken(law, law.resolves, KEY, case.record, CANCELLED, b"")
    assert is_broken(law, law.resolves, KEY, case.record, VALUE, value_of(raises.payload))
    assert is_broken(law, law.resolves, KEY, case.record, ERROR, value_of(PAYLOAD))
    assert is_broken(law, law.resolves, KEY, raises, VALUE, value_of(raises.payload))


def test_a_submitter_has_each_future_in_one_place(case: Case) -> None:
    law = case.law(laws.OnePlace)
    case.origin.submit(PAYLOAD, b"f")
    assert not is_broken(law, law.sampled, True)
    case.origin.own.append(1)
    assert is_broken(law, law.sampled, True)
    case.origin.own.clear()
    assert is_broken(law, law.sampled, True), "it is lost"
    case.origin.own.append(1)
    case.origin.calls.clear()
    assert is_broken(law, law.sampled, True), "it is there and has resolved"


def test_a_broken_seal_shows_that_somebody_forges(case: Case) -> None:
    law = case.law(laws.OwnValue)
    assert is_broken(law, law.resolves, KEY, case.record, FORGED, b"")
    case.records.forge()
    assert not is_broken(law, law.resolves, KEY, case.record, FORGED, b"")
    assert is_broken(law, law.resolves, KEY, case.record, VALUE, b"forged"), "its seal is checked"


def test_attempts_and_crashes_grow_while_it_is_calm(case: Case) -> None:
    law = case.law(laws.AttemptsGrow)
    for attempt, crashes in ((1, 0), (2, 1), (2, 1)):
        assert not is_broken(law, law.gives, "b", "c", batch(1, attempt=attempt, crashes=crashes), 1)
    assert not is_broken(law, law.gives, "c", "b", batch(1), 1), "another Broker"
    assert not is_broken(law, law.gives, "b", "c", batch(2), 1), "another Future"
    assert is_broken(law, law.gives, "b", "c", batch(1, attempt=2), 1)
    case.records.disturb("worker")
    assert not is_broken(law, law.gives, "b", "c", batch(1), 1)


def test_a_future_crosses_a_link_as_often_as_brokers_allow(case: Case) -> None:
    law = case.law(laws.CrossesTwice)
    for piece in range(MOST_CROSSINGS):
        assert not is_broken(law, law.gives, "b", "c", batch(1, piece=piece), 1)
    assert not is_broken(law, law.gives, "b", "c", batch(1, piece=0), 1), "said again"
    assert not is_broken(law, law.gives, "b", "c", batch(1, piece=9, attempt=2), 1)
    assert is_broken(law, law.gives, "b", "c", batch(1, piece=9), 1)
    law.gives("o", "b", batch(1, piece=2), 2)
    for piece in range(10, 10 + MOST_CROSSINGS):
        assert not is_broken(law, law.gives, "b", "c", batch(1, piece=piece), 1), "it has come again"
    assert is_broken(law, law.gives, "b", "c", batch(1, piece=12), 1)
    for piece in range(MOST_CROSSINGS + 1):
        assert not is_broken(law, law.gives, "c", "b", batch(1, piece=piece), 1), "nobody at c can run it"


def test_crashes_are_explained_by_workers_that_ended(case: Case) -> None:
    law, record = case.law(laws.CrashesExplained), case.record
    assert is_broken(law, law.gives, "b", "c", batch(1, crashes=1), 1)
    for blamed in range(1, laws.CRASH_LIMIT + 1):
        assert is_broken(law, law.resolves, KEY, record, POISONED, b"")
        record.blame()
        assert not is_broken(law, law.gives, "b", "c", batch(1, crashes=blamed), 1)
    assert not is_broken(law, law.resolves, KEY, record, POISONED, b"")
    assert is_broken(law, law.resolves, KEY, record, LOST, b"")
    case.records.give_up()
    assert not is_broken(law, law.resolves, KEY, record, LOST, b"")
    assert not is_broken(law, law.resolves, KEY, record, VALUE, b"")
    assert is_broken(law, law.resolves, KEY, FutureRecord(payload_of(1, 0.5, kind=CRASHES)), VALUE, b"")


def test_only_what_somebody_cancels_is_cancelled(case: Case) -> None:
    law = case.law(laws.CancelledIfAsked)
    assert is_broken(law, law.resolves, KEY, case.record, CANCELLED, b"")
    case.record.ask_cancel()
    assert not is_broken(law, law.resolves, KEY, case.record, CANCELLED, b"")


def test_what_is_held_in_the_end_is_left_over(case: Case) -> None:
    law = case.law(laws.NothingLeft)
    assert not is_broken(law, law.ends)
    case.origin.put(payload_of(1, 50.0), b"f")
    case.wait(1.0)
    assert is_broken(law, law.ends)
    assert isinstance(law, laws.NothingLeft)
    assert law.leftovers() == "b: held 1; b: intakes 1; b.1: held 1; o: given 1"
    case.system.host_died("b")
    assert not is_broken(law, law.ends), "what is cut off does not count"


def test_a_worker_does_not_rest_long_while_futures_wait(case: Case) -> None:
    law = case.law(laws.NobodyIdles)
    law.sampled(True)
    case.origin.own = deque([1])
    law.sampled(True)
    case.wait(laws.IDLE_SECONDS)
    assert not is_broken(law, law.sampled, True)
    case.wait(0.6)
    assert not is_broken(law, law.sampled, False), "nothing is required before healing"
    law.sampled(True)
    case.wait(laws.IDLE_SECONDS + 0.6)
    assert is_broken(law, law.sampled, True)


def test_nodes_know_the_same_constants_in_the_end(case: Case) -> None:
    law = case.law(laws.SameConstants)
    case.origin.constants["x"] = case.worker.constants["x"] = b"1"
    assert not is_broken(law, law.ends)
    case.worker.constants["x"] = b"2"
    assert is_broken(law, law.ends)
    del case.worker.constants["x"]
    assert is_broken(law, law.ends)
    case.records.leave("o")
    assert not is_broken(law, law.ends)


def test_each_disturbance_allows_one_more_execution(case: Case) -> None:
    law = case.law(laws.RunsOnce)
    case.record.start()
    assert not is_broken(law, law.started, "b.1", KEY, 1)
    case.record.start()
    assert is_broken(law, law.started, "b.1", KEY, 2)
    case.records.disturb("worker")
    assert not is_broken(law, law.started, "b.1", KEY, 2)
    assert not is_broken(law, law.started, "b.1", ("stranger", 1), 1)


def test_a_worker_that_is_one_too_many_begins_nothing_of_others(case: Case) -> None:
    law = case.law(laws.WithdrawnTakesNothing)
    assert not is_broken(law, law.started, "b.1", KEY, 1)
    case.worker.inbox.withdrawal.tell(stays=False)
    assert not is_broken(law, law.started, "b.1", KEY, 1), "it has not looked yet"
    case.worker.inbox.withdrawal.look()
    assert is_broken(law, law.started, "b.1", KEY, 1)
    assert not is_broken(law, law.started, "b.1", ("b.1", 1), 1)


def test_in_the_end_no_broker_asks_for_workers(case: Case) -> None:
    law = case.law(laws.WantsNothingInTheEnd)
    wants: list[int] = []
    broker = case.system.brokers["c"]
    broker.serve_others(2, wants.append)
    assert not is_broken(law, law.ends)
    case.origin.put(payload_of(1, 50.0), b"f")
    case.origin.put(payload_of(2, 50.0), b"f")
    broker.dial("b")
    case.wait(1.0)
    assert wants[-1:] == [1]
    assert is_broken(law, law.ends)
    assert isinstance(law, laws.WantsNothingInTheEnd)
    assert law.leftovers() == "c wants 1 Workers"
    case.system.host_died("c")
    assert not is_broken(law, law.ends), "what is cut off does not count"
