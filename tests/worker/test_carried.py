"""A function that travels as an argument: wrappers are taken apart, and made again where they are called."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest

from fedfutures.wire.functions import Wrapper
from fedfutures.wire.payload import Payloads
from fedfutures.worker import current
from fedfutures.worker.carried import Parts, call, parts_of
from fedfutures.worker.slices import Fold, Slice, Star


def add(one: int, other: int) -> int:
    return one + other


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
