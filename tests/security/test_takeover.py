"""A site that was taken over speaks the protocol well, and claims what it was not given."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from attacked import SECONDS, Attacker, Pair
from launching import eventually
from test_members import Canary, Member

from fedfutures.wire.messages import Cancel, Chunk, Demand, Drop, Get, Holding, Results
from fedfutures.worker.future_fields import number_of

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.host

FUTURES = 60
ARRAYS = 4


def wait_for(number: int, path: str) -> int:
    """Run until the test lets go."""
    while not os.path.exists(path):
        time.sleep(0.01)
    return number


def total(array: Any, path: str) -> float:
    """Use an argument after the test lets go."""
    wait_for(0, path)
    return float(array.sum())


@pytest.fixture
def member(pair: Pair, attacker: Attacker) -> Member:
    member = Member(pair, attacker, "taken.broker").join()
    member.say(Demand(0, 0, 0), numbered=True)
    return member


def test_it_answers_nothing_that_it_was_not_given(pair: Pair, member: Member, tmp_path: Path) -> None:
    gate, sang = str(tmp_path / "gate"), tmp_path / "sang"
    futures = [pair.submit(wait_for, number, gate) for number in range(FUTURES)]
    assert eventually(lambda: any(future.running() for future in futures), SECONDS)
    numbers = list(map(number_of, futures))
    member.say(Holding(1, pair.origin.name, b"x", 1, 0, numbers, [b"guess"] * FUTURES), numbered=True)
    refused = member.hears(Cancel)
    forged = pickle.dumps(Canary(sang))
    for piece in (1, 2):
        member.say(Results(piece, 1, numbers, [forged] * FUTURES), numbered=True)
    Path(gate).touch()
    assert [future.result(timeout=SECONDS) for future in futures] == list(range(FUTURES))
    assert refused == Cancel(1, numbers)
    assert not sang.exists(), "code of its choice has run in the program"


def test_it_reads_and_removes_no_segments_of_others(pair: Pair, member: Member, tmp_path: Path) -> None:
    gate, shared = str(tmp_path / "gate"), Path(pair.down.handle.facts["shared"])
    arrays = [np.arange(1 << 16, dtype="f8") + number for number in range(ARRAYS)]

    def found() -> list[str]:
        names = (path.name for path in shared.iterdir() if not path.name.startswith((".", "free-")))
        return sorted(set(names).difference(before))

    before: list[str] = []
    before = found()  # constants, which every member may read
    futures = [pair.submit(total, array, gate) for array in arrays]

    assert eventually(lambda: len(found()) > 0, SECONDS), "nothing of this has come to the attacked host"
    names = found()
    for name in names:
        member.say(Get(name, 0, 64))
        assert member.hears(Chunk) == Chunk(name, 0, -1)
    member.say(Drop(names), numbered=True)
    member.say(Get(names[0], 0, 64))
    assert member.hears(Chunk) is not None, "the Drop before it has been heard"
    assert set(names).issubset(found())
    Path(gate).touch()
    assert [future.result(timeout=SECONDS) for future in futures] == [float(array.sum()) for array in arrays]
