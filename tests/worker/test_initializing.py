"""An initializer travels in one piece, with the values that it reaches; what cannot travel is an error here."""

from __future__ import annotations

import pickle
import threading

import pytest

from fedfutures.wire import functions
from fedfutures.wire.payload import Payloads
from fedfutures.worker import initializing
from fedfutures.worker.initializing import pack, unpack


def begin(number: int) -> int:
    return number + 1


def test_an_initializer_arrives_as_it_was_packed() -> None:
    packed = unpack(pack(begin, (3,)))
    payloads = Payloads()
    function = functions.load(packed.definition, payloads)
    arguments, keywords = payloads.load(packed.payload)
    assert function(*arguments, **keywords) == 4


def test_arguments_that_cannot_be_pickled_are_an_error_of_the_program() -> None:
    with pytest.raises((pickle.PicklingError, TypeError), match="lock"):
        pack(begin, (threading.Lock(),))


def test_what_is_too_large_is_said_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initializing, "BYTES_AT_MOST", 1 << 20)
    pack(begin, (bytes((1 << 20) - 1000),))
    with pytest.raises(pickle.PicklingError, match="more than 1 MiB"):
        pack(begin, (bytes(1 << 20),))


def test_no_descriptors_are_inherited_for_plain_arguments() -> None:
    descriptors = [7]
    pack(begin, (3,), descriptors)
    assert descriptors == [7]
