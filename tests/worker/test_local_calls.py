"""Calls of a Worker's own Futures: copied when they are submitted, packed when they are given, unpacked if they return.

A function that travels as an argument: wrappers are taken apart, and made again where they are called.
"""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures.wire.functions import FunctionCache, Wrapper
from fedfutures.wire.messages import Stranger
from fedfutures.wire.payload import Payloads
from fedfutures.worker import current, local_calls
from fedfutures.worker.call_terms import CallTerms
from fedfutures.worker.context import Packed
from fedfutures.worker.future_fields import call_of
from fedfutures.worker.local_calls import Parts, call, parts_of
from fedfutures.worker.slices import Fold, Slice, Star

from .benches import Bench


def add(one: int, other: int) -> int:
    return one + other


def adder(values: list[int]) -> Any:
    return lambda value: [*values, value]


def test_a_plain_function_travels_as_it_is() -> None:
    assert parts_of(add) is add
    assert call(add, 1, other=2) == 3


def test_wrappers_travel_as_their_kinds_and_what_is_inside() -> None:
    parts = parts_of(Slice(Star(add)))
    assert parts == Parts("Slice", [Parts("Star", [add])])
    assert pickle.loads(pickle.dumps(parts)) == parts


def test_a_wrapper_is_made_again_and_bound_to_the_payloads_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    payloads = Payloads()
    monkeypatch.setattr(current, "node", SimpleNamespace(payloads=payloads))
    bound: list[tuple[type, Payloads]] = []
    plain = Wrapper.bind

    def bind(wrapper: Wrapper, given: Payloads) -> Wrapper:
        bound.append((type(wrapper), given))
        return plain(wrapper, given)

    monkeypatch.setattr(Wrapper, "bind", bind)
    assert call(parts_of(Fold(add)), [1, 2, 3]) == 6
    assert bound == [(Fold, payloads)]
    assert call(parts_of(Star(add)), (1, 2)) == 3


def test_what_is_passed_may_be_changed_by_who_has_submitted(worker: Bench) -> None:
    values, captured = [1], [7]
    future = worker.node.submit(sum, (values,), {})
    other = worker.node.submit(adder(captured), (8,), {})
    values.append(10)
    captured.append(10)
    worker.run()
    assert (future.result(), other.result()) == (1, [7, 8])


def test_an_argument_that_cannot_be_copied_is_an_error_at_the_call(worker: Bench) -> None:
    with pytest.raises(pickle.PicklingError, match="generator"):
        worker.node.submit(sum, ((number for number in range(3)),), {})
    assert not worker.node.own


def test_a_call_that_was_packed_and_comes_back_runs_here(worker: Bench) -> None:
    future = worker.node.submit(add, (1, 2), {}, CallTerms(5))
    worker.node.service()
    assert len(call_of(future)) == 3  # it was given
    worker.node.submissions.size = 1
    worker.say(Stranger())
    worker.link(6)  # a Broker that knows nothing of it: it has come back
    function, args, kwargs, context = call_of(future)
    assert type(function) is Packed
    assert (args, kwargs, context.priority) == ((), {}, 5)
    worker.run()
    assert future.result() == 3


def test_a_function_too_large_for_a_definition_is_packed_as_an_argument(
    worker: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = FunctionCache.define

    def define(cache: FunctionCache, function: Any, *more: Any) -> Any:
        if function is not call:
            raise pickle.PicklingError("too large")
        return plain(cache, function, *more)

    monkeypatch.setattr(FunctionCache, "define", define)
    future = worker.node.submit(add, (1, 2), {})
    worker.publish(1, unmet=1)
    definition, payload, _ = call_of(future)
    args, kwargs = worker.node.payloads.load(payload)
    assert definition.name == "call"
    assert call(*args, **kwargs) == 3


@pytest.mark.parametrize(("size", "given", "room"), [(1, 0, 0), (3, 0, 4), (3, 3, 1), (3, 9, 0)])
def test_some_urgent_futures_for_each_other_worker(size: int, given: int, room: int) -> None:
    machine: Any = SimpleNamespace(own=SimpleNamespace(count=given), urgent=lambda: 100)
    none: Any = None
    calls = local_calls.LocalCalls(none, none, none, machine, lambda: size)
    assert calls.urgent() == room
    machine.urgent = lambda: 0
    assert calls.urgent() == 0
