"""Questions that go around: all concerned are asked and answered for, nobody waits for ever; what a Broker says."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from fedfutures.broker.events import AskHost, HostAsks, HostReported, TellHost
from fedfutures.broker.lots import Lot
from fedfutures.broker.queries import SHARE_OF_TIME
from fedfutures.federation.link import SILENT_AFTER_SECONDS
from fedfutures.federation.terms import Terms
from fedfutures.wire.messages import Ack, Answer, Bye, Demand, Function, Inquire

from .bench import Bench, results


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


# -- what the Broker says itself -------------------------------------------------------------------------------------


def admit(bench: Bench, *ids: int, number: int, key: Any = None, submitter: str = "o", crashes: int = 0) -> Lot:
    terms = Terms(submitter, b"\xab\xcd\xef\x01\x23", "o", 0, 2, crashes)
    return bench.broker.ledger.admit("o", number, terms, list(ids), [b"p"] * len(ids), key)


def changes(bench: Bench, before: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in bench.broker.statistics().items() if count != before[name]}


def test_counts_follow_what_the_parts_hold(wide: Bench) -> None:
    broker, ledger, before = wide.broker, wide.broker.ledger, wide.broker.statistics()
    assert before == {
        "peers": 3, "workers": 1, "neighbours": 1, "queued": 0, "held": 0, "functions": 1, "resolved": 0, "crashes": 0,
        "violations": 0, "fetching": 0, "fetched_bytes": 0,
    }  # fmt: skip
    lot = admit(wide, 1, 2, 3, number=8)
    admit(wide, 4, number=9, key=b"digest")
    assert changes(wide, before) == {"queued": 3}
    number, _, _ = ledger.give(lot, 2, "w", 0.0)
    assert changes(wide, before) == {"queued": 1, "held": 2}
    ledger.settle(ledger.accounts["w"].held[number], [1])
    assert changes(wide, before) == {"queued": 1, "held": 1, "resolved": 1}
    broker.functions.on_function(broker.peers["o"], Function(b"digest", "f", b"body"), 0.0)
    broker.sessions.note_violation()
    assert changes(wide, before) == {"queued": 2, "held": 1, "resolved": 1, "functions": 2, "violations": 1}


def test_a_queued_future_is_explained_by_the_room_of_workers(wide: Bench) -> None:
    admit(wide, 1, 2, number=8)
    assert wide.broker.explain("o", 2) == "queued at Broker b, 2 in all; Workers have room for 1"
    wide.broker.load.on_demand("w", Demand(3, 0))
    assert wide.broker.explain("o", 2) == "queued at Broker b, 2 in all; Workers have room for 3"


def test_a_parked_future_is_explained_by_what_it_waits_for(wide: Bench) -> None:
    admit(wide, 1, number=8, key=b"\xab\xcd\xef\x01\x23")
    assert wide.broker.explain("o", 1) == "waits at Broker b for the definition of function abcdef01"


def test_a_given_future_is_explained_by_its_holder(wide: Bench) -> None:
    wide.broker.ledger.give(admit(wide, 1, 2, number=8, crashes=1), 2, "n", 0.0)
    assert wide.broker.explain("o", 2) == "with n, attempt 2, 1 crashes"


def test_a_future_is_known_by_submitter_and_number_together(wide: Bench) -> None:
    admit(wide, 1, number=8)
    wide.broker.ledger.give(admit(wide, 2, number=9), 1, "w", 0.0)
    asked = [("o", 3), ("w", 1), ("w", 2)]
    assert [wide.broker.explain(*each) for each in asked] == ["not known to Broker b"] * 3


def of_host(bench: Bench, kind: type[Any]) -> list[Any]:
    """What the host process was asked or told since."""
    found = [want for want in bench.wants if isinstance(want, kind)]
    bench.wants = [want for want in bench.wants if not isinstance(want, kind)]
    return found


def test_what_goes_on_the_host_process_says_too(wide: Bench) -> None:
    wide.say("o", Inquire(5, "status", 1.0))
    ((to_worker,), (to_neighbour,)), (ask,) = (wide.heard_by(name, Inquire) for name in "wn"), of_host(wide, AskHost)
    assert (to_worker.subject, to_neighbour.subject, ask.subject) == ("status",) * 3
    wide.step(HostReported(ask.number, report({"role": "host"})))
    wide.step(HostReported(ask.number, report("again")))
    assert told(wide) == [("b", {"role": "host"}, False)], "the host has the name that its Broker's begins with"
    wide.say("w", Answer(to_worker.number, "w", report("y"), True))
    wide.say("n", Answer(to_neighbour.number, "n", report("z"), True))
    assert [(name, last) for name, _, last in told(wide)] == [("w", False), ("n", False), ("b", True)]


def test_of_stacks_workers_are_not_asked_for_they_may_be_stuck(wide: Bench) -> None:
    wide.join("p", "origin")
    wide.say("o", Inquire(5, "stack", 1.0, "w"))
    (to_neighbour,), (ask,) = wide.heard_by("n", Inquire), of_host(wide, AskHost)
    (to_origin,) = wide.heard_by("p", Inquire)
    assert to_origin.subject == "stack"
    assert wide.heard_by("w", Inquire) == []
    assert (to_neighbour.submitter, ask.worker) == ("w", "w")
    wide.tick(1.0)
    assert [(name, said, last) for name, said, last in told(wide)] == [
        ("b", None, False), ("n", None, False), ("p", None, False), ("b", {}, True)
    ]  # fmt: skip


def test_the_host_process_asks_as_a_peer_does(wide: Bench) -> None:
    wide.say("o", Function(b"f", "function", b"body"))
    wide.submit(ids=[3])
    (piece,) = wide.broker.ledger.held("o", 3)
    wide.say("w", results(piece.number, [3], seconds=0.5))
    wide.step(HostAsks(9, "status", 1.0))
    (ask,) = of_host(wide, AskHost)
    wide.step(HostReported(ask.number, report("here")))
    for name in ("w", "n", "o"):
        (question,) = wide.heard_by(name, Inquire)
        wide.say(name, Answer(question.number, name, report(name), True))
    answers = [tell.answer for tell in of_host(wide, TellHost)]
    assert [(answer.number, answer.name, answer.last) for answer in answers] == [
        (9, "b", False), (9, "w", False), (9, "n", False), (9, "o", False), (9, "b", True)
    ]  # fmt: skip
    assert msgpack.unpackb(answers[-1].report)["means"] == {b"f".hex(): 0.5}
    links = msgpack.unpackb(answers[-1].report)["links"]
    assert (links["n"]["workers"], links["n"]["there"], links["n"]["given"]) == (1, 0, 0)
    assert not wide.broker.queries.open
    wide.step(HostReported(ask.number, report("late")))
    assert of_host(wide, TellHost) == []


def test_workers_and_neighbours_are_asked_what_has_run_and_the_broker_says_what_it_has_sent(wide: Bench) -> None:
    wide.say("o", Inquire(5, "ran", 1.0, "page"))
    (to_worker,), (to_neighbour,) = wide.heard_by("w", Inquire), wide.heard_by("n", Inquire)
    assert to_worker.submitter == to_neighbour.submitter == "page"
    assert wide.heard_by("o", Inquire) == []
    wide.say("w", Answer(to_worker.number, "w", report({}), True))
    wide.say("n", Answer(to_neighbour.number, "n", report({}), True))
    assert told(wide)[-1] == ("b", {"role": "broker", "sent": {}}, True)
