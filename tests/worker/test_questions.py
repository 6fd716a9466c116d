"""Questions to the Federation."""

from __future__ import annotations

import threading
import time
from typing import Any

import msgpack
import pytest

from fedfutures.errors import FederationLost
from fedfutures.wire.messages import (
    Answer,
    Inquire,
)

from .benches import Bench


def answered(bench: Bench, *answers: tuple[str, Any, bool]) -> None:
    def answer() -> None:
        deadline = time.monotonic() + 5
        while not (asked := bench.heard(Inquire)) and time.monotonic() < deadline:
            time.sleep(0.005)
        for name, report, last in answers:
            bench.say(Answer(asked[0].number, name, msgpack.packb(report) if report else b"", last))

    threading.Thread(target=answer).start()


@pytest.mark.parametrize("kind", ["origin", "worker"])
def test_answers_come_one_by_one(kind: str, request: pytest.FixtureRequest) -> None:
    bench: Bench = request.getfixturevalue(kind)
    answered(bench, ("w.1", {"held": 1}, False), ("w.2", None, False), ("b", {"queued": 2}, True))
    found: list[Any] = []

    def ask() -> None:
        found.append(bench.node.questions.ask("statistics", "", 0, 5.0))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    answers, complete = found[0]
    assert complete
    assert [(name, report and msgpack.unpackb(report)) for name, report in answers] == [
        ("w.1", {"held": 1}), ("w.2", b""), ("b", {"queued": 2}),
    ]  # fmt: skip


def test_nobody_answers(origin: Bench) -> None:
    began = time.monotonic()
    assert origin.node.questions.ask("explain", "o", 1, 0.05) == ([], False)
    assert time.monotonic() - began < 2.0
    (asked,) = origin.heard(Inquire)
    assert (asked.subject, asked.submitter, asked.future) == ("explain", "o", 1)
    assert asked.seconds < 0.05
    origin.say(Answer(asked.number, "b", b"", True))  # too late: nobody waits for it


def test_a_lost_node_asks_nobody(origin: Bench) -> None:
    origin.node.submissions.lose(FederationLost("over"))
    assert origin.node.questions.ask("statistics", "", 0, 9.0) == ([], False)
