"""The end of what Futures have submitted and not waited for: the Origin asks until nobody has anything."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from fedfutures.futures import nested
from fedfutures.node.machine import WorkerMachine


def report(**counts: int) -> bytes:
    packed: bytes = msgpack.packb({"held": 0, "own": 0, "given": 0, "busy": 0} | counts)
    return packed


IDLE = ([("h.1", report()), ("h.broker", msgpack.packb({"peers": 1}))], True)
BUSY = ([("h.1", report(own=2)), ("h.2", report(busy=1))], True)
SILENT = ([("h.1", b"")], False)


ODD = [msgpack.packb({"busy": "a"}), msgpack.packb({"busy": 1}), msgpack.packb(7), b"\xc1"]


def machine(*given: int) -> WorkerMachine:
    """Return a machine that has given these Futures."""
    made = WorkerMachine("origin", "origin", 1, 1)
    if given:
        made.own.define(b"f", "f", b"")
        made.own.give(b"f", list(given))
    return made


class Origin:
    """Answers what it is told, and then for ever that all are idle."""

    lost = None
    closed = False

    def __init__(self, *answers: Any, given: tuple[int, ...] = (1,)) -> None:
        self.machine, self.submissions = machine(*given), self
        self.answers = list(answers)
        self.asked = 0

    def ask(self, subject: str, submitter: str, number: int, timeout: float) -> Any:
        self.asked += 1
        return self.answers.pop(0) if self.answers else IDLE


@pytest.mark.parametrize(("answers", "asked"), [((), 2), ((BUSY,), 3), ((IDLE, BUSY), 4), ((IDLE, SILENT, IDLE), 4)])
def test_twice_in_a_row_nobody_has_anything(answers: tuple[Any, ...], asked: int) -> None:
    origin = Origin(*answers)
    nested.wait_until_idle(origin)
    assert origin.asked == asked


def test_a_worker_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "SILENT_SECONDS", 0.05)
    nested.wait_until_idle(Origin(*[SILENT] * 1000))


@pytest.mark.parametrize("junk", ODD)
def test_who_says_what_makes_no_sense_is_waited_for_as_who_says_nothing(
    junk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nested, "SILENT_SECONDS", 0.05)
    origin = Origin(*[([("h.1", junk)], True)] * 1000)
    nested.wait_until_idle(origin)
    assert 1 < origin.asked < 1000


def test_who_waits_long_is_told_for_what(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(nested, "NOTICE_SECONDS", 0.0)
    nested.wait_until_idle(Origin(BUSY))
    assert "waiting for 3 Futures that Futures have submitted and not waited for" in capsys.readouterr().err


def test_an_origin_that_gave_nothing_asks_nobody() -> None:
    origin = Origin(given=())
    nested.wait_until_idle(origin)
    assert origin.asked == 0
