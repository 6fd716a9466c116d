"""Calls in words: read from payloads, without loading anything of the program."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from fedfutures.wire.functions import Definition
from fedfutures.worker.lost_calls import PLAIN_BYTES_AT_MOST, text_of_call


class Loud:
    """Says so when it is loaded."""

    def __reduce__(self) -> Any:
        return print, ("loaded",)


def definition(wrapped: str = "") -> Definition:
    inner = (None, None)
    reference: Any = None
    if wrapped:
        reference, inner = wrapped, (pickle.dumps((None, None), 5),)  # type: ignore[assignment]
    return Definition(b"d", "work", pickle.dumps((reference, inner), 5))


def payload(*args: Any, **kwargs: Any) -> bytes:
    return pickle.dumps((args, kwargs), 5)


@pytest.mark.parametrize("only_plain", [False, True])
def test_numbers_and_strings_are_written_out(only_plain: bool) -> None:
    assert text_of_call(definition(), payload(17, rate=0.5), only_plain=only_plain) == "work(17, rate=0.5)"
    assert text_of_call(definition("Star"), payload((1, 2)), only_plain=only_plain) == "work(1, 2)"
    assert text_of_call(definition("Slice"), payload([5], ["a"]), only_plain=only_plain) == "work(5, 'a')"
    assert text_of_call(definition("Slice"), payload([5, 6]), only_plain=only_plain) == "work(...)"
    assert text_of_call(definition(), b"no pickle", only_plain=only_plain) == "work(...)"


def test_objects_are_not_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert text_of_call(definition(), payload(Loud()), only_plain=True) == "work(...)"
    assert text_of_call(definition(), payload(Loud())).startswith("work(")
    assert capsys.readouterr().out == ""


def test_what_is_large_is_not_read_by_who_waits() -> None:
    text = "x" * PLAIN_BYTES_AT_MOST
    assert text_of_call(definition(), payload(text, 1), only_plain=True) == "work(...)"
