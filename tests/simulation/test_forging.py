"""Outcomes that are forged on their way have wrong seals."""

from __future__ import annotations

from random import Random

import pytest

from fedfutures.simulation.forging import Forger
from fedfutures.simulation.frames import Frame
from fedfutures.simulation.specs import value_of
from fedfutures.wire.messages import CANCELLED, ERROR, Ack, Results
from fedfutures.wire.seal import Seal

from .cases import PAYLOAD

SEAL = Seal(bytes(32)).outcomes
TASKS = {number: b"task %d" % number for number in (1, 2, 3)}


def frame(*ids: int, kind: int = 0) -> Frame:
    """Return a frame with outcomes that are sealed as they should be, behind an Ack."""
    outcomes = [SEAL.seal(TASKS[number], kind, value_of(PAYLOAD)) for number in ids]
    return [(0, 1, Ack()), (7, 1, Results(1, 1, list(ids), outcomes, [(number, kind) for number in ids if kind]))]


@pytest.mark.parametrize("seed", range(12))
def test_one_outcome_is_forged_and_its_seal_shows_that(seed: int) -> None:
    forger = Forger(Random(seed))
    found = forger.forge(frame(1)) or forger.forge(frame(2, 3))
    assert found is not None
    sequence, acknowledged, results = found[1]
    assert (sequence, acknowledged, found[0]) == (7, 1, (0, 1, Ack()))
    assert isinstance(results, Results)
    kinds = dict(results.odd)
    opened = [
        SEAL.open(TASKS[number], kinds.get(number, 0), body) for number, body in zip(results.ids, results.outcomes)
    ]
    assert opened.count(None) == 1


def test_an_error_may_be_made_a_value() -> None:
    kinds = set()
    for seed in range(12):
        found = Forger(Random(seed)).forge(frame(1, kind=ERROR))
        if found is not None:
            assert isinstance(found[1][2], Results)
            kinds.add(tuple(found[1][2].odd))
    assert kinds == {(), ((1, ERROR),)}


def test_what_carries_no_seal_is_left_alone() -> None:
    assert Forger(Random(1)).forge([(0, 1, Ack())]) is None
    assert Forger(Random(1)).forge([(7, 1, Results(1, 1, [1], [b""], [(1, CANCELLED)]))]) is None
