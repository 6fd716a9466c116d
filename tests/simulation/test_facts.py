"""The law of what is known of Futures holds for what is so, and is broken by what is not."""

from __future__ import annotations

from fedfutures.simulation.facts import TrueFacts
from fedfutures.wire.facts import Fact
from fedfutures.wire.messages import CANCELLED, ERROR, LOST, POISONED, VALUE

from .cases import KEY, Case, is_broken


def test_who_has_run_it_is_said_of_each_that_has_run() -> None:
    case = Case()
    law, record = case.law(TrueFacts), case.record
    here, there, twice = Fact("b.1", "b", 1, 0.5), Fact("c.1", "c", 1, 0.5), Fact("b.1", "b", 2, 0.5)
    assert not is_broken(law, law.knows, KEY, record, LOST, None)
    assert not is_broken(law, law.knows, KEY, record, CANCELLED, here)
    assert is_broken(law, law.knows, KEY, record, VALUE, here), "it was never begun"
    record.start("b.1")
    for kind in (VALUE, ERROR, POISONED):
        assert not is_broken(law, law.knows, KEY, record, kind, here)
        assert is_broken(law, law.knows, KEY, record, kind, there)
        assert is_broken(law, law.knows, KEY, record, kind, twice)
    assert is_broken(law, law.knows, KEY, record, VALUE, None)
    assert is_broken(law, law.knows, KEY, record, ERROR, None)
