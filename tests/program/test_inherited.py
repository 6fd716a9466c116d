"""Names of objects that Workers inherit."""

from __future__ import annotations

import gc
import multiprocessing
import threading
from typing import Any

import pytest

from fedfutures.program import inherited
from fedfutures.program.tokens import Named, examine
from fedfutures.worker.inheriting import spawning

KINDS = ["Lock", "Value", "Queue", "Event", "Pipe"]
_SPAWN = multiprocessing.get_context("spawn")


def make(kind: str) -> Any:
    made = getattr(_SPAWN, kind)(*("i", 0) if kind == "Value" else ())
    return made[0] if kind == "Pipe" else made


def token(value: object) -> bytes | None:
    return examine(value, Named(None)).token


@pytest.mark.parametrize("kind", KINDS)
def test_identity_tells_them_apart(kind: str) -> None:
    value, other = make(kind), make(kind)
    with spawning():
        known = token(value), token(other)
    assert None not in known
    assert (token(value), token(other)) == known
    assert known[0] != known[1]
    assert token([value]) != token([other])
    assert token(make(kind)) not in known


def test_what_it_holds_does_not_count() -> None:
    value = make("Value")
    with spawning():
        before = token(value)
    value.value = 17
    assert token(value) == before


def test_only_what_was_there_when_an_initializer_was_packed() -> None:
    value = make("Lock")
    assert inherited.name_of(value) is None
    with spawning():
        assert inherited.name_of(value) is not None
        assert inherited.name_of(threading.Lock()) is None
    assert inherited.name_of(value) is not None


def test_it_is_not_kept() -> None:
    value = make("Value")
    with spawning():
        first = inherited.name_of(value)
    del value
    gc.collect()
    with spawning():
        assert inherited.name_of(make("Value")) != first


def test_what_takes_no_weak_reference_has_no_name() -> None:
    kind = type("Slim", (), {"__slots__": (), "__module__": "multiprocessing.slim"})
    with spawning():
        assert inherited.name_of(kind()) is None
