"""Seals of given tasks: an outcome counts for the one task that it was made for."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.errors import SealBroken
from fedfutures.node.events import Resolve
from fedfutures.wire.facts import packed
from fedfutures.wire.functions import Definition
from fedfutures.wire.messages import (
    CANCELLED,
    ERROR,
    LOST,
    POISONED,
    VALUE,
    WITH_OUTPUT,
    Batch,
    Demand,
    Results,
    Stranger,
)  # fmt: skip
from fedfutures.wire.seal import Seal, proof_of
from fedfutures.worker.deferred import defer_outcomes
from fedfutures.worker.sealed import SealedFutures, broken_seal, named

from .benches import Bench, note, noted
from .test_calls import Canary, sealed_by

SEAL = Seal(bytes(range(32)))


def given_tasks(*numbers: int, function: bytes = b"f", submitter: str = "o") -> tuple[SealedFutures, dict[int, bytes]]:
    """The tasks of some Futures, given, and their seals, which everybody on the way may know."""
    tasks, stamp = SealedFutures(), SEAL.stamp(function, submitter)
    return tasks, {number: proof_of(tasks.give(number, stamp.seal(number, b"payload"))) for number in numbers}


def come(tasks: SealedFutures, *outcomes: tuple[int, int, bytes]) -> tuple[dict[int, bytes], list[int]]:
    """Outcomes come: those that are right, and which Futures have a broken one."""
    odd = [(number, kind) for number, kind, _ in outcomes if kind != VALUE]
    action = Resolve([number for number, *_ in outcomes], [outcome for *_, outcome in outcomes], odd)
    opened, broken = tasks.opened(SEAL.outcomes, action)
    assert opened.odd == odd
    return dict(zip(opened.ids, opened.outcomes)), [number for number, _ in broken]


@given(st.binary(max_size=100), st.sampled_from([VALUE, ERROR]))
def test_what_a_worker_has_made_is_right(outcome: bytes, kind: int) -> None:
    tasks, seals = given_tasks(1)
    assert come(tasks, (1, kind, SEAL.outcomes.seal(seals[1], kind, outcome))) == ({1: outcome}, [])
    assert len(tasks) == 0


@given(st.binary(max_size=50), st.sampled_from([VALUE, ERROR]), st.data())
def test_no_bit_of_an_outcome_can_be_changed(outcome: bytes, kind: int, data: st.DataObject) -> None:
    tasks, seals = given_tasks(1)
    sealed = bytearray(SEAL.outcomes.seal(seals[1], kind, outcome))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    assert come(tasks, (1, kind, bytes(sealed))) == ({}, [1])


@given(st.binary(max_size=50), st.integers(1, 66))
def test_no_outcome_can_be_cut_or_made_longer(outcome: bytes, count: int) -> None:
    for cut in (slice(None, -count), slice(count, None)):
        tasks, seals = given_tasks(1)
        assert come(tasks, (1, VALUE, SEAL.outcomes.seal(seals[1], VALUE, outcome)[cut])) == ({}, [1])
    tasks, seals = given_tasks(1)
    assert come(tasks, (1, VALUE, SEAL.outcomes.seal(seals[1], VALUE, outcome) + bytes(count))) == ({}, [1])


def test_a_value_is_no_exception_and_an_exception_no_value() -> None:
    for made, said in ((VALUE, ERROR), (ERROR, VALUE)):
        tasks, seals = given_tasks(1)
        assert come(tasks, (1, said, SEAL.outcomes.seal(seals[1], made, b"outcome"))) == ({}, [1])


def test_two_futures_cannot_be_given_each_others_outcomes() -> None:
    tasks, seals = given_tasks(1, 2, 3)
    made = {number: SEAL.outcomes.seal(seal, VALUE, b"%d" % number) for number, seal in seals.items()}
    assert come(tasks, (1, VALUE, made[2]), (2, VALUE, made[1]), (3, VALUE, made[3])) == ({3: b"3"}, [1, 2])


@pytest.mark.parametrize("other", [{"function": b"g"}, {"submitter": "p"}])
def test_an_outcome_is_of_one_function_and_one_submitter(other: Any) -> None:
    tasks, _ = given_tasks(1)
    _, seals = given_tasks(1, **other)
    assert come(tasks, (1, VALUE, SEAL.outcomes.seal(seals[1], VALUE, b"outcome"))) == ({}, [1])


def test_an_outcome_is_of_one_call() -> None:
    """An earlier process of the same name may have had a Future of this number, with other arguments."""
    tasks, _ = given_tasks(1)
    earlier = proof_of(SEAL.stamp(b"f", "o").seal(1, b"other payload"))
    assert come(tasks, (1, VALUE, SEAL.outcomes.seal(earlier, VALUE, b"outcome"))) == ({}, [1])


def test_another_key_seals_nothing() -> None:
    tasks, seals = given_tasks(1)
    assert come(tasks, (1, VALUE, Seal(bytes(32)).outcomes.seal(seals[1], VALUE, b"outcome"))) == ({}, [1])


def test_the_seal_of_a_task_is_none_of_an_outcome() -> None:
    """Whoever holds a task has its payload with the seal behind it: that is no outcome of any Future."""
    tasks = SealedFutures()
    sealed = tasks.give(1, SEAL.stamp(b"f", "o").seal(1, b"payload"))
    assert come(tasks, (1, VALUE, sealed)) == ({}, [1])


@pytest.mark.parametrize("kind", [CANCELLED, LOST, POISONED, 77])
def test_the_word_of_a_broker_has_no_seal(kind: int) -> None:
    tasks, _ = given_tasks(1)
    assert come(tasks, (1, kind, b"report")) == ({1: b"report"}, [])
    assert len(tasks) == 0


def test_an_outcome_of_nothing_that_was_given_is_left_out() -> None:
    tasks, seals = given_tasks(1, 2)
    tasks.forget([1, 9])
    made = SEAL.outcomes.seal(seals[1], VALUE, b"outcome")
    assert come(tasks, (1, VALUE, made), (7, LOST, b"")) == ({}, [])
    assert len(tasks) == 1
    tasks.clear()
    assert len(tasks) == 0


def test_the_error_names_the_call() -> None:
    error = broken_seal((Definition(b"", "price", b""), b"", ""), 17)
    assert type(error) is SealBroken
    assert "the outcome of price(), Future 17, was not opened" in str(error)
    assert "a function()" in str(broken_seal(None, 17))


def test_what_is_wrong_with_an_outcome_is_said_with_its_name() -> None:
    call = Definition(b"", "price", b""), b"", ""
    error = named(SealBroken("the segment s is not right"), call, 17)
    assert str(error).startswith("the outcome of price(), Future 17, was not opened: the segment s is not right. ")
    other = KeyError("x")
    assert named(other, call, 17) is other


# -- nodes: what a Broker on the way says ------------------------------------------------------------------------------


def run_sealed(sealing: tuple[Bench, Bench]) -> tuple[Any, Any]:
    """A Future of the Origin that the Worker has run, and what the Worker says of it."""
    worker, origin = sealing
    function, batch = sealed_by(origin, "sound")
    future = origin.node.futures[batch.ids[0]]
    worker.say(function, batch)
    assert worker.run() == ["sound"]
    worker.node.service()
    noted.clear()
    (said,) = worker.heard(Results)
    said.piece = batch.piece
    return future, said


def test_a_sealed_outcome_arrives(sealing: tuple[Bench, Bench]) -> None:
    future, said = run_sealed(sealing)
    sealing[1].say(said)
    assert future.result(0) == "sound"


@pytest.mark.parametrize("what", ["forged", "bare", "kind", "empty"])
def test_a_forged_outcome_is_not_opened(sealing: tuple[Bench, Bench], what: str) -> None:
    future, said = run_sealed(sealing)
    forged = pickle.dumps(Canary())
    if what == "kind":
        said.odd = [(said.ids[0], ERROR)]
    else:
        said.outcomes = [{"forged": forged + said.outcomes[0][-16:], "bare": forged, "empty": b""}[what]]
    sealing[1].say(said)
    with pytest.raises(SealBroken, match=r"the outcome of note\(\), Future 1, was not opened"):
        future.result(0)
    assert noted == []


@pytest.mark.parametrize("kind", [CANCELLED, POISONED, LOST, 77])
def test_what_a_broker_says_is_never_unpickled(sealing: tuple[Bench, Bench], kind: int) -> None:
    future, said = run_sealed(sealing)
    said.outcomes, said.odd = [pickle.dumps(Canary())], [(said.ids[0], kind)]
    sealing[1].say(said)
    assert future.done()
    assert noted == []


def test_an_own_future_of_a_worker_is_not_opened_either(sealing: tuple[Bench, Bench]) -> None:
    worker, _ = sealing
    for defers in (False, True):
        if defers:
            defer_outcomes(worker.node.driver, worker.node.submissions)
        future = worker.node.submit(note, ("",), {})
        worker.publish(1 + defers, unmet=1)
        (batch,) = worker.heard(Batch)
        worker.say(Results(batch.piece, 1, batch.ids, [pickle.dumps(Canary())]))
        with pytest.raises(SealBroken, match="note"):
            future.result(0)
        assert noted == []


def test_what_comes_back_may_be_given_again(sealing: tuple[Bench, Bench]) -> None:
    """A new session: the same task has the same seal, so whoever had it before may send the outcome."""
    future, said = run_sealed(sealing)
    _, origin = sealing
    origin.say(Stranger())
    origin.link(6)
    origin.say(Demand(4, 1, 3))
    (batch,) = origin.heard(Batch)
    said.piece = batch.piece
    origin.say(said)
    assert future.result(0) == "sound"


def test_an_outcome_with_what_was_printed_needs_its_seal_too() -> None:
    seal, futures = Seal(b"k" * 32), SealedFutures()
    stamp = seal.stamp(b"digest", "origin")
    tasks = [proof_of(futures.give(number, stamp.seal(number, b"task"))) for number in (1, 2, 3)]
    sealed = [seal.outcomes.seal(task, WITH_OUTPUT, b"outcome") for task in tasks]
    sealed[1] = seal.outcomes.seal(tasks[1], VALUE, b"outcome")
    odd, facts = [(number, WITH_OUTPUT) for number in (1, 2, 3)], packed("h.1", 1, [1.0, 2.0, 4.0])
    opened, broken = futures.opened(seal.outcomes, Resolve([1, 2, 3], sealed, odd, facts))
    assert (opened.ids, opened.outcomes) == ([1, 3], [b"outcome", b"outcome"])
    assert [number for number, _ in broken] == [2]
    assert opened.facts == packed("h.1", 1, [1.0, 4.0]), "the facts stay with their Futures"
