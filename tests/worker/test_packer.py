"""Calls are packed when they are submitted; what cannot travel is an error that names function and argument."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from fedfutures.program.process import ProcessChanges
from fedfutures.wire.functions import Definition, FunctionCache
from fedfutures.wire.payload import Payloads
from fedfutures.wire.segments import SHARED_FROM_BYTES
from fedfutures.worker.definer import Definer
from fedfutures.worker.future import Future
from fedfutures.worker.packer import Packer, Submitter, plain_payload


@pytest.fixture
def packer() -> Packer:
    payloads = Payloads()
    return Packer(payloads, Definer(payloads, FunctionCache(payloads), ProcessChanges()))


def work(number: int, factor: int = 1) -> int:
    return number * factor


@pytest.mark.parametrize("args", [(), (1, 2.5, "a", b"", None, True, 2j)])
def test_plain_arguments_are_the_payload_that_any_arguments_have(args: tuple[Any, ...]) -> None:
    payload = plain_payload(args)
    assert payload is not None
    assert Payloads().load(payload) == (args, {})


@pytest.mark.parametrize("args", [([],), (1, print), (b"a" * SHARED_FROM_BYTES,)])
def test_what_may_reach_something_or_is_large_is_not_plain(args: tuple[Any, ...]) -> None:
    assert plain_payload(args) is None


def test_a_call_is_packed_as_it_was_passed(packer: Packer) -> None:
    definition = packer.define(work)
    items = [1]
    found, payload = packer.pack(definition, work, (items,), {"factor": 2})
    items.append(2)
    assert found is definition
    assert packer.payloads.load(payload) == (([1],), {"factor": 2})


def test_an_argument_that_cannot_travel_is_named(packer: Packer) -> None:
    with pytest.raises(pickle.PicklingError, match="factor"):
        packer.pack(packer.define(work), work, (1,), {"factor": threading.Lock()})


def test_a_function_that_cannot_travel_is_named(packer: Packer) -> None:
    lock = threading.Lock()

    def locked() -> Any:
        return lock

    with pytest.raises(pickle.PicklingError, match="locked"):
        packer.define(locked)


def test_a_submitter_defines_once_and_tells_the_size(packer: Packer) -> None:
    submitted: list[tuple[Definition, bytes]] = []
    future: Future[Any] = Future()

    def submit(definition: Definition, payload: bytes) -> Future[Any]:
        submitted.append((definition, payload))
        return future

    submitter = Submitter(packer, work, submit)
    asked: list[int] = []
    submitter.attend(lambda: bool(asked.append(1)))
    assert [submitter((number,)) for number in (1, 2)] == [(future, len(payload)) for _, payload in submitted]
    assert len(asked) == 2
    assert [packer.payloads.load(payload) for _, payload in submitted] == [((1,), {}), ((2,), {})]
    assert submitted[0][0] is submitted[1][0]
    assert submitter.digest == submitted[0][0].digest
    submitter.close()
