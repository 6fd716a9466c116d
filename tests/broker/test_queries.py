"""Questions that go around: everybody concerned is asked, everybody is answered for, nobody waits for ever."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from fedfutures.broker.queries import SHARE_OF_TIME
from fedfutures.federation.link import SILENT_AFTER_SECONDS
from fedfutures.wire.messages import Ack, Answer, Bye, Demand, Inquire

from .bench import Bench


@pytest.fixture
def wide(bench: Bench) -> Bench:
    """A Worker, and a neighbour."""
    bench.join("w", demand=1)
    bench.neighbour("n", Demand(0, 0, 1))
    return bench


def told(bench: Bench) -> list[tuple[str, Any, bool]]:
    """What the asker has heard since."""
    answers = bench.heard_by("o", Answer)
    assert all(answer.number == 5 for answer in answers)
    return [(answer.name, msgpack.unpackb(answer.report) if answer.report else None, answer.last) for answer in answers]


def report(what: Any) -> bytes:
    packed: bytes = msgpack.packb(what)
    return packed


def test_statistics_come_from_everybody_and_from_the_broker_last(wide: Bench) -> None:
    wide.say("o", Inquire(5, "statistics", 1.0))
    (to_worker,), (to_neighbour,) = wide.heard_by("w", Inquire), wide.heard_by("n", Inquire)
    assert (to_worker.subject, to_worker.seconds) == ("statistics", SHARE_OF_TIME)
    wide.say("n", Answer(to_neighbour.number, "behind n", report("x"), False))
    assert told(wide) == [("behind n", "x", False)]
    wide.say("w", Answer(to_worker.number, "w", report("y"), True))
    wide.say("n", Answer(to_neighbour.number, "n", report("z"), True))
    first, second, last = told(wide)
    assert (first, second) == (("w", "y", False), ("n", "z", False))
    assert last[0] == "b"
    assert last[1]["workers"] == 1
    assert last[2]
    wide.say("n", Answer(to_neighbour.number, "n", report("late"), True))
    assert told(wide) == []


def test_only_who_holds_a_future_is_asked_about_it(wide: Bench) -> None:
    wide.submit(ids=[3])
    wide.say("o", Inquire(5, "explain", 1.0, "o", 3))
    (question,) = wide.heard_by("w", Inquire)
    assert (question.submitter, question.future) == ("o", 3)
    assert wide.heard_by("n", Inquire) == []
    wide.say("w", Answer(question.number, "w", report("runs"), True))
    assert told(wide) == [("w", "runs", False), ("b", "with w, attempt 1, 0 crashes", True)]


def test_the_answer_is_immediate_where_nobody_else_is_concerned(wide: Bench) -> None:
    wide.say("o", Inquire(5, "explain", 1.0, "o", 9))
    assert told(wide) == [("b", "not known to Broker b", True)]


def test_who_does_not_answer_in_time_is_named(wide: Bench) -> None:
    wide.say("o", Inquire(5, "statistics", 0.5))
    assert wide.broker.next_deadline() is not None
    wide.tick(0.4)
    assert told(wide) == []
    wide.tick(0.1)
    assert [(name, last) for name, _, last in told(wide)] == [("n", False), ("w", False), ("b", True)]
    assert not wide.broker.queries.open


def test_a_silent_neighbour_is_not_asked(wide: Bench) -> None:
    wide.tick(SILENT_AFTER_SECONDS)
    wide.say("o", Inquire(5, "statistics", 1.0))
    assert wide.heard_by("n", Inquire) == []
    assert told(wide) == [("n", None, False)]


def test_who_goes_meanwhile_is_answered_for(wide: Bench) -> None:
    wide.say("o", Inquire(5, "statistics", 9.0))
    wide.lose("w")
    assert told(wide) == [("w", None, False)]
    wide.say("o", Ack())
    wide.tick(SILENT_AFTER_SECONDS)
    assert [(name, last) for name, _, last in told(wide)] == [("n", False), ("b", True)]


def test_a_question_ends_with_its_asker(wide: Bench) -> None:
    wide.join("p", "origin")
    wide.say("p", Inquire(5, "statistics", 9.0))
    (question,) = wide.heard_by("w", Inquire)
    wide.say("p", Bye("done"))
    assert not wide.broker.queries.open
    wide.say("w", Answer(question.number, "w", report("late"), True))
    assert wide.heard_by("p", Answer) == []
