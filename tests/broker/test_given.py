"""What a neighbour on another host was told of says which segments it may have."""

from __future__ import annotations

import pytest

from fedfutures.broker import given
from fedfutures.broker.given import GivenSegments
from fedfutures.wire.messages import Batch, Constant, Demand, Fetched, Function, Message, Results

from .hosts import manifest

TOLD = {
    "argument": Batch(1, "o", b"f", 1, 0, 0, False, [1, 2], [b"small", manifest("argument")]),
    "result": Results(1, 1, [1, 2], [b"small", manifest("result")]),
    "constant": Constant("c", 1, manifest("constant")),
    "function": Function(b"f", "f", manifest("function")),
    "file-1": Fetched("file-1", 9),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_was_told_of_may_be_read(name: str) -> None:
    told = GivenSegments()
    told.note(TOLD[name])
    assert [other for other in TOLD if told.may_read(other)] == [name]


@pytest.mark.parametrize("message", [Demand(1, 1), Fetched("file-1", -1), Constant("c", 1, b"small")])
def test_other_messages_tell_of_nothing(message: Message) -> None:
    told = GivenSegments()
    told.note(message)
    assert not told.may_read("file-1")


def test_results_are_dropped_once_and_nothing_else_is() -> None:
    told = GivenSegments()
    for message in TOLD.values():
        told.note(message)
    assert told.drop([*TOLD, "other", "result"]) == ["result"]
    assert told.drop(TOLD) == []
    assert not told.may_read("result")
    assert told.may_read("argument")


def test_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "RESULTS_REMEMBERED", 2)
    told = GivenSegments()
    for names in (["a", "b"], ["a", "c"]):
        told.note(Results(1, 1, [1], [manifest(*names)]))
    assert [name for name in "abc" if told.may_read(name)] == ["a", "c"]
