"""The law of cancelled Futures that run holds for what is as it should be, and is broken by what it forbids."""

from __future__ import annotations

import pytest

from fedfutures.node.workload import HeldPiece
from fedfutures.simulation.cancels import ENDS_SECONDS, CancelledEnds
from fedfutures.wire.messages import CANCELLED

from .cases import KEY, Case, batch, is_broken


@pytest.fixture
def case() -> Case:
    made = Case()
    made.worker.workload.pieces[1] = HeldPiece(batch(1))
    made.worker.workload.pieces[1].todo.clear()
    return made


def test_a_worker_is_ended_only_for_what_was_cancelled(case: Case) -> None:
    law = case.law(CancelledEnds)
    assert is_broken(law, law.ends_worker, "b.1", KEY)
    case.record.ask_cancel(1.0)
    assert is_broken(law, law.ends_worker, "b.1", KEY), "not if it runs"
    case.record.ask_cancel(1.0, running=True)
    assert not is_broken(law, law.ends_worker, "b.1", KEY)


def test_and_only_for_what_it_has_begun(case: Case) -> None:
    law = case.law(CancelledEnds)
    case.record.ask_cancel(1.0, running=True)
    case.worker.workload.pieces[1].todo.append((1, b""))
    assert is_broken(law, law.ends_worker, "b.1", KEY)


def test_and_only_for_what_is_open(case: Case) -> None:
    law = case.law(CancelledEnds)
    case.record.ask_cancel(1.0, running=True)
    case.record.resolve(CANCELLED, case.system.clock.now)
    assert not is_broken(law, law.ends_worker, "b.1", KEY), "it has only just resolved"
    case.wait(0.1)
    assert is_broken(law, law.ends_worker, "b.1", KEY)


def test_it_resolves_soon(case: Case) -> None:
    law = case.law(CancelledEnds)
    law.cancels(KEY)
    assert not is_broken(law, law.sampled, False)
    case.wait(ENDS_SECONDS + 0.5)
    assert is_broken(law, law.sampled, False)
    case.records.disturb("broker")
    assert not is_broken(law, law.sampled, False), "the question may be lost"
    case.records.kinds.clear()
    law.resolves(KEY, case.record, CANCELLED, b"")
    assert not is_broken(law, law.sampled, False)
