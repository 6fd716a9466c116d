"""The points at which handlers of signals may run: each does its one thing, and looks first for what is due."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from fedfutures.program import postponing, safe_points


class Interrupt(Exception):
    """What a handler raises."""


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler is due, and raises."""

    def deliver() -> None:
        raise Interrupt

    monkeypatch.setattr(postponing.pending, "due", True)
    monkeypatch.setattr(postponing, "deliver", deliver)


@pytest.mark.parametrize(
    "wait",
    [
        safe_points.check, lambda: safe_points.poll(select.poll(), 10_000), lambda: safe_points.sleep(60),
        lambda: safe_points.ring(threading.Lock(), 60),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("due")
def test_what_is_due_runs_before_a_wait(wait: Callable[[], Any]) -> None:
    with pytest.raises(Interrupt):
        wait()


@pytest.mark.usefixtures("due")
def test_a_function_that_is_to_be_called_once_is_called() -> None:
    assert safe_points.call(abs, -3) == 3


def test_a_bell_that_was_rung_ends_the_wait() -> None:
    bell = threading.Lock()
    began = time.monotonic()
    safe_points.ring(bell, 60)
    assert bell.locked()
    safe_points.ring(bell, 0)
    assert time.monotonic() - began < 30


def test_descriptors_are_polled() -> None:
    reader, writer = os.pipe()
    try:
        poller = select.poll()
        poller.register(reader, select.POLLIN)
        assert safe_points.poll(poller, 0) == []
        os.write(writer, b"x")
        assert safe_points.poll(poller, 1000) == [(reader, select.POLLIN)]
    finally:
        os.close(reader)
        os.close(writer)


def test_what_came_before_an_error_is_kept() -> None:
    def rows() -> Any:
        yield 1
        raise Interrupt

    found: list[int] = []
    with pytest.raises(Interrupt):
        safe_points.extend(found, rows())
    assert found == [1]
    assert list(safe_points.each([1, 2])) == [1, 2]


def test_anything_may_be_applied() -> None:
    assert safe_points.apply(int, "11", base=2) == 3
