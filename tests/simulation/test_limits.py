"""The law of time limits holds for what is as it should be, and is broken by what it forbids."""

from __future__ import annotations

import pytest

from fedfutures.simulation.limits import AtMostOnce, OwnWorker
from fedfutures.simulation.running import BegunFuture
from fedfutures.simulation.schedule import draw_limit
from fedfutures.simulation.specs import payload_of
from fedfutures.wire.messages import APART_FLAG, BEGUN_ONCE, ONCE_FLAG, OUT_OF_MEMORY, OVERRAN, POISONED, VALUE

from .cases import KEY, Case, batch, is_broken

LIMITED = payload_of(7, 0.5, limit=900)


@pytest.fixture
def case() -> Case:
    made = Case()
    made.records.futures["o", 2] = type(made.record)(LIMITED)
    return made


def test_a_limit_goes_where_its_future_goes(case: Case) -> None:
    law = case.law(OwnWorker)
    assert not is_broken(law, law.gives, "b", "b.1", batch(2, limit=900), 1)
    assert not is_broken(law, law.gives, "b", "b.1", batch(1), 1)
    assert is_broken(law, law.gives, "b", "c", batch(2, limit=0), 1)
    assert is_broken(law, law.gives, "b", "c", batch(1, limit=900), 1)
    assert not is_broken(law, law.gives, "b", "c", batch(1, flags=APART_FLAG), 1), "as a Broker may say after a crash"
    assert is_broken(law, law.gives, "b", "c", batch(1, flags=ONCE_FLAG), 1)


def test_a_stand_in_has_nothing_else(case: Case) -> None:
    law = case.law(OwnWorker)
    assert not is_broken(law, law.gives, "b", "b.s1", batch(2, limit=900), 1)
    assert is_broken(law, law.gives, "b", "b.s1", batch(1), 1)


def test_it_begins_where_no_other_waits(case: Case) -> None:
    law = case.law(OwnWorker)
    assert not is_broken(law, law.started, "b.1", ("o", 2), 1)
    case.records.futures["b.1", 1] = type(case.record)(LIMITED)
    assert is_broken(law, law.started, "b.1", ("b.1", 1), 1), "inside the one that waits for it"
    case.worker.parents.wait(BegunFuture(None, 1, payload_of(8, 0.5, 1, 1), b"f", 0.0))
    assert is_broken(law, law.started, "b.1", ("o", 2), 1)
    assert not is_broken(law, law.started, "b.1", KEY, 1)


def test_only_one_that_was_late_is_said_to_be(case: Case) -> None:
    law, record = case.law(OwnWorker), case.records.futures["o", 2]
    assert is_broken(law, law.resolves, ("o", 2), record, OVERRAN, b"")
    assert not is_broken(law, law.resolves, ("o", 2), record, VALUE, b"")
    record.be_late()
    assert not is_broken(law, law.resolves, ("o", 2), record, OVERRAN, b"")
    assert is_broken(law, law.resolves, ("o", 2), record, VALUE, b"")


def test_only_one_that_has_grown_is_said_to_have_used_too_much(case: Case) -> None:
    law, record = case.law(OwnWorker), case.records.futures["o", 2]
    assert is_broken(law, law.resolves, ("o", 2), record, OUT_OF_MEMORY, b"")
    record.grow()
    assert not is_broken(law, law.resolves, ("o", 2), record, OUT_OF_MEMORY, b"")
    assert is_broken(law, law.resolves, ("o", 2), record, VALUE, b"")


def test_limits_are_short_or_ample() -> None:
    from random import Random

    found = [draw_limit(Random(seed), payload_of(0, 2.0, 1, 1)) for seed in range(50)]
    assert min(found) < 4000 < 80_000 < max(found)


def test_what_starts_once_does(case: Case) -> None:
    law, record = case.law(AtMostOnce), type(case.record)(payload_of(7, 0.5, flags=ONCE_FLAG))
    case.records.futures["o", 2] = record
    assert not is_broken(law, law.gives, "b", "b.1", batch(2, flags=ONCE_FLAG), 1)
    assert is_broken(law, law.gives, "b", "b.1", batch(2, flags=ONCE_FLAG, attempt=2), 1)
    assert is_broken(law, law.resolves, ("o", 2), record, BEGUN_ONCE, b""), "nobody was lost, and it has not begun"
    record.start()
    assert not is_broken(law, law.started, "b.1", ("o", 2), 1)
    assert not is_broken(law, law.resolves, ("o", 2), record, BEGUN_ONCE, b"")
    assert is_broken(law, law.resolves, ("o", 2), record, POISONED, b"")
    assert is_broken(law, law.resolves, KEY, case.record, BEGUN_ONCE, b"")
    record.start()
    assert is_broken(law, law.started, "b.1", ("o", 2), 1)
