"""Links to neighbours: sessions begin, fall silent, come back, are renewed or forgotten."""

from __future__ import annotations

import pytest

from fedfutures.broker.delivery import COLLECT_SECONDS
from fedfutures.broker.events import Dial
from fedfutures.federation.channel import WINDOW
from fedfutures.federation.link import FORGET_AFTER_SECONDS, SILENT_AFTER_SECONDS
from fedfutures.federation.session import HEARTBEAT_SECONDS
from fedfutures.wire.messages import (
    CANCELLED,
    PROTOCOL,
    Ack,
    Batch,
    Cancel,
    Constant,
    Demand,
    Function,
    Hello,
    Holding,
    Ping,
    Pong,
    Results,
    Return,
    Running,
    Stranger,
    Want,
    Welcome,
)

from .bench import BODY, Bench, results


@pytest.fixture
def lender(bench: Bench) -> Bench:
    """A neighbour was given three Futures in one piece."""
    bench.broker.durations.learn(b"f", 1e-3, 1)
    bench.neighbour("n", Demand(3, 3, 3))
    bench.submit(ids=[1, 2, 3], piece=8)
    bench.tick()
    assert bench.given_to("n") == [[1, 2, 3]]
    return bench


def silence(bench: Bench, seconds: float = SILENT_AFTER_SECONDS) -> None:
    """Time passes, and only the Origin acknowledges."""
    bench.tick(seconds)
    bench.say("o", Ack())


# -- beginning -------------------------------------------------------------------------------------------------------


def test_who_dials_introduces_itself_and_is_welcome(bench: Bench) -> None:
    bench.neighbour("n")
    (welcome,) = bench.heard_by("n", Welcome)
    assert (welcome.name, welcome.incarnation, welcome.greeter) == ("b", 7, 3)
    assert bench.broker.statistics()["neighbours"] == 1
    bench.say("n", Hello(PROTOCOL, "broker", "n", 3, 0))
    assert bench.heard_by("n", Welcome) == [welcome]


def test_hello_is_said_until_the_neighbour_answers(bench: Bench) -> None:
    bench.step(Dial("n"))
    bench.step(Dial("n"))
    assert len(bench.heard_by("n", Hello)) == 1
    for _ in range(3):
        bench.tick(bench.broker.next_deadline() - bench.now)  # type: ignore[operator]
        assert len(bench.heard_by("n", Hello)) <= 1
    bench.tick(1.5)
    bench.welcome("n", 500)
    assert bench.broker.peers["n"].session == 500
    bench.tick(0.5)
    assert bench.heard_by("n", Hello) == []


def test_a_welcome_nobody_waits_for_is_nothing(bench: Bench) -> None:
    bench.say("m", Welcome(PROTOCOL, "m", 3, 500, 1))
    bench.step(Dial("n"))
    bench.say("n", Welcome(PROTOCOL, "n", 3, 500, 12345))  # for an earlier process of our name
    assert bench.broker.statistics()["neighbours"] == 0


def test_only_an_answer_to_the_last_hello_begins_a_session(bench: Bench) -> None:
    bench.neighbour("n", dialled=True, session=500)
    bench.say("n", Stranger())
    bench.tick()
    (hello,) = bench.heard_by("n", Hello)
    assert (hello.session, hello.round) == (500, 1)
    for greeter, session in ((hello.incarnation, 502), (hello.incarnation + 1, 501), (hello.incarnation + 1, 503)):
        bench.say("n", Welcome(PROTOCOL, "n", 3, session, greeter))
    assert bench.broker.peers["n"].session == 501


def test_constants_come_with_the_link(bench: Bench) -> None:
    bench.say("o", Constant("name", 1, b"body"))
    bench.neighbour("n")
    assert bench.heard_by("n", Constant) == [Constant("name", 1, b"body")]
    bench.say("n", Constant("name", 1, b"a"), Constant("name", 1, b"c"))
    assert bench.heard_by("o", Constant) == [Constant("name", 1, b"c")]
    assert bench.heard_by("n", Constant) == []


def test_heartbeats_are_answered_and_measure_the_way(bench: Bench) -> None:
    bench.neighbour("n", dialled=True)
    bench.tick()
    (ping,) = bench.heard_by("n", Ping)
    bench.now += 0.2
    bench.say("n", Pong(ping.token), Ping(44))
    assert bench.heard_by("n", Pong) == [Pong(44)]
    link = bench.broker.peers["n"].link
    assert link is not None
    assert link.round_trip == pytest.approx(0.2)
    bench.tick(HEARTBEAT_SECONDS)
    assert len(bench.heard_by("n", Ping)) == 1


# -- results ---------------------------------------------------------------------------------------------------------


def test_results_for_a_neighbour_travel_together(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.neighbour("n")
    bench.say("n", BODY)
    bench.join("w", demand=9)
    bench.submit("n", [1, 2, 3, 4], piece=6, submitter="x")
    bench.tick(1.0)
    (batch,) = bench.heard_by("w", Batch)
    for i in (1, 2, 3):
        bench.say("w", results(batch.piece, [i], seconds=0.5, odd=[(i, 1)] if i == 3 else []))
    assert [each.ids for each in bench.heard_by("n", Results)] == [[1]]
    bench.tick(COLLECT_SECONDS)
    (together,) = bench.heard_by("n", Results)
    assert together == Results(6, 1, [2, 3], [b"r2", b"r3"], [(3, 1)], 1.0, 2)
    bench.say("w", results(batch.piece, [4]))
    bench.tick(COLLECT_SECONDS)
    assert [each.ids for each in bench.heard_by("n", Results)] == [[4]]


# -- silence ---------------------------------------------------------------------------------------------------------


def test_what_a_silent_neighbour_was_lent_is_given_out_again(lender: Bench) -> None:
    silence(lender, SILENT_AFTER_SECONDS - 0.1)
    assert lender.broker.statistics()["queued"] == 0
    silence(lender, 0.1)
    assert lender.broker.statistics()["queued"] == 3
    lender.join("w", demand=9)
    batches = lender.heard_by("w", Batch)
    assert [(batch.ids, batch.attempt) for batch in batches] == [([1, 2], 2)]
    assert lender.broker.statistics()["queued"] == 1


def test_nothing_is_repeated_to_a_silent_neighbour(lender: Bench) -> None:
    silence(lender)
    lender.heard_by("n", Batch)
    silence(lender, 9.0)
    assert lender.heard_by("n", Batch) == []
    lender.say("n", Ping(1), Ack())
    lender.tick(9.0)
    assert lender.heard_by("n", Batch) == []  # it had them


def test_a_late_result_counts_where_it_is_the_first(lender: Bench) -> None:
    silence(lender)
    lender.join("w", demand=1)
    (given,) = lender.heard_by("w", Batch)
    lender.say("n", results(1, [1, 2], seconds=0.1))
    assert sorted(i for each in lender.heard_by("o", Results) for i in each.ids) == [1, 2]
    assert [sorted(cancel.ids) for cancel in lender.heard_by("w", Cancel)] == [[i for i in given.ids if i < 3]]
    lender.say("w", results(given.piece, given.ids, attempt=2))
    lender.say("w", Demand(9, 1))
    for batch in lender.heard_by("w", Batch):
        lender.say("w", results(batch.piece, batch.ids, attempt=2))
    assert [each.ids for each in lender.heard_by("o", Results)] == [[3]]
    assert not lender.broker.ledger.intakes


def test_a_late_result_that_is_not_the_first_is_dropped(lender: Bench) -> None:
    silence(lender)
    lender.join("w", demand=9)
    for _ in range(2):
        for batch in lender.heard_by("w", Batch):
            lender.say("w", results(batch.piece, batch.ids, attempt=2), Demand(9, 1))
    assert sorted(i for each in lender.heard_by("o", Results) for i in each.ids) == [1, 2, 3]
    lender.say("n", results(1, [1]), results(1, [2, 3]), results(1, [3]))
    assert lender.heard_by("o", Results) == []
    assert not lender.broker.recovery.doubtful


def test_who_is_heard_again_is_asked_to_drop_what_others_do(lender: Bench) -> None:
    silence(lender)
    lender.say("n", Ping(1))
    assert lender.heard_by("n", Cancel) == [Cancel(1, [1, 2, 3])]
    lender.say("n", results(1, [1, 2, 3], odd=[(i, CANCELLED) for i in (1, 2, 3)]))
    assert lender.heard_by("o", Results) == []
    assert lender.broker.statistics()["queued"] == 3
    assert not lender.broker.recovery.doubtful


def test_who_is_heard_again_is_given_work_when_it_has_demand(lender: Bench) -> None:
    silence(lender)
    lender.say("n", Demand(3, 3, 3))
    lender.heard_by("n", Batch)  # the first one was said again
    lender.tick()
    assert [(batch.piece, batch.ids, batch.attempt) for batch in lender.heard_by("n", Batch)] == [(2, [1, 2, 3], 2)]


def test_a_late_word_about_what_was_taken_back_is_nothing(lender: Bench) -> None:
    silence(lender)
    lender.say("n", Running(1, [1]), Return(1, [2]))
    assert lender.heard_by("o", Running) == []
    assert lender.broker.statistics()["queued"] == 3


def test_what_it_returned_meanwhile_is_not_in_doubt(lender: Bench) -> None:
    silence(lender)
    lender.say("n", Return(1, [1, 2, 3]))
    assert not lender.broker.recovery.doubtful


def test_what_a_silent_neighbour_submitted_goes_on(bench: Bench) -> None:
    bench.neighbour("n")
    bench.say("n", BODY)
    bench.submit("n", [1], piece=6, submitter="x")
    bench.tick(SILENT_AFTER_SECONDS)
    bench.join("w", demand=1)
    (batch,) = bench.heard_by("w", Batch)
    bench.say("w", results(batch.piece, [1]))
    bench.say("n", Ping(1))
    bench.tick(1.0)
    assert [each.ids for each in bench.heard_by("n", Results)][:1] == [[1]]


# -- a new session ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialled", [False, True])
def test_what_it_was_lent_is_given_again_to_a_neighbour_that_was_started_again(bench: Bench, dialled: bool) -> None:
    """It, or its Workers, may still have it; it will be told which Futures they are."""
    bench.neighbour("n", Demand(9, 2, 2), dialled=dialled, session=500)
    bench.submit(ids=[1, 2], piece=8)
    bench.tick()
    assert bench.given_to("n") == [[1, 2]]
    bench.heard_by("n", Function)
    if dialled:
        bench.say("n", Stranger())
        bench.tick()
        bench.welcome("n", 900, incarnation=4)
    else:
        bench.say("n", Hello(PROTOCOL, "broker", "n", 4, 0))
    assert bench.heard_by("n", Function) == [BODY]
    assert [(batch.piece, batch.ids, batch.attempt) for batch in bench.heard_by("n", Batch)] == [(2, [1, 2], 2)]
    bench.say("n", results(2, [1, 2], attempt=2))
    assert [each.ids for each in bench.heard_by("o", Results)] == [[1, 2]]


def test_a_function_that_is_gone_is_fetched_for_what_is_given_again(bench: Bench) -> None:
    bench.neighbour("n", Demand(9, 1, 1))
    bench.submit()
    bench.tick()
    bench.broker.functions.forget(b"f")
    bench.neighbour("n", incarnation=4)
    assert bench.heard_by("o", Want) == [Want(b"f")]
    bench.say("o", BODY)
    bench.say("n", Demand(9, 1, 1))
    bench.tick()
    assert bench.given_to("n") == [[1], [1]]


def test_it_is_told_what_is_held_for_it_and_results_that_may_be_lost(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.neighbour("n")
    bench.say("n", BODY)
    bench.join("w", demand=2)
    bench.submit("n", [1, 2, 3], piece=6, submitter="x", attempt=5)
    bench.submit("n", [9], piece=7, submitter="x")
    bench.tick(1.0)
    (batch,) = bench.heard_by("w", Batch)
    bench.say("w", results(batch.piece, [1]))
    bench.heard_by("n", Results)
    bench.neighbour("n", incarnation=4)
    assert bench.heard_by("n", Holding) == [
        Holding(6, "x", b"f", 5, 0, [3, 2, 1], [b"3", b"2", b""]),
        Holding(7, "x", b"f", 1, 0, [9], [b"9"]),
    ]
    assert [each.ids for each in bench.heard_by("n", Results)] == [[1]]


def run_one_of_a_neighbour(bench: Bench) -> None:
    """Have a Worker here run Future 1 of the neighbour `n`, which is all of its piece 6."""
    bench.neighbour("n")
    bench.say("n", BODY)
    bench.join("w", demand=2)
    bench.submit("n", [1], piece=6, submitter="x")
    (batch,) = bench.heard_by("w", Batch)
    bench.now += 1.0
    bench.say("w", results(batch.piece, [1]))


def test_it_is_told_again_if_it_ends_before_it_has_acknowledged_that(bench: Bench) -> None:
    """Else the results would come alone, and count for what has that number in the session after."""
    run_one_of_a_neighbour(bench)
    bench.heard_by("n", Results)
    for incarnation in (4, 5, 6):
        bench.neighbour("n", incarnation=incarnation)
        assert bench.heard_by("n", Holding) == [Holding(6, "x", b"f", 1, 0, [1], [b""])]
        assert [(each.piece, each.ids) for each in bench.heard_by("n", Results)] == [(6, [1])]
    bench.say("n", Ack())
    bench.neighbour("n", incarnation=7)
    assert bench.heard_by("n", Holding) == bench.heard_by("n", Results) == []


def test_results_that_are_acknowledged_are_not_named_again(bench: Bench) -> None:
    run_one_of_a_neighbour(bench)
    bench.say("n", Ack())
    bench.heard_by("n", Results)
    bench.neighbour("n", incarnation=4)
    assert bench.heard_by("n", Holding) == bench.heard_by("n", Results) == []


def test_numbers_of_another_session_lead_to_a_new_one(bench: Bench) -> None:
    bench.neighbour("n", dialled=True)
    bench.neighbour("m")
    for name in ("m", "n"):
        bench.said[name] += WINDOW + 2
        bench.say(name, Demand(5, 0, 1))
    bench.tick()
    assert bench.heard_by("m", Stranger) == [Stranger()]  # it dials: it is to say Hello
    assert len(bench.heard_by("n", Hello)) == 1


def test_a_ping_of_somebody_who_is_no_neighbour_makes_it_a_stranger(bench: Bench) -> None:
    bench.say("o", Ping(1))
    assert bench.heard_by("o", Stranger) == [Stranger()]


# -- forgotten -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialled", [False, True])
def test_after_a_minute_a_silent_neighbour_is_forgotten(bench: Bench, dialled: bool) -> None:
    bench.neighbour("n", dialled=dialled)
    bench.say("n", BODY)
    bench.submit("n", [1], piece=6, submitter="x")
    silence(bench)
    bench.heard_by("n", Hello)
    silence(bench, FORGET_AFTER_SECONDS - SILENT_AFTER_SECONDS - 0.1)
    assert bench.broker.statistics()["neighbours"] == 1
    silence(bench, 0.2)
    assert bench.broker.statistics()["neighbours"] == 0
    assert not bench.broker.ledger.intakes  # it submits again what it had here
    bench.tick(1.5)
    if dialled:
        bench.welcome("n", 501)
    else:
        bench.neighbour("n", incarnation=5)
    assert bench.broker.statistics()["neighbours"] == 1


def test_a_late_result_after_a_minute_is_of_a_stranger(lender: Bench) -> None:
    silence(lender)
    silence(lender, FORGET_AFTER_SECONDS)
    lender.say("n", results(1, [1]))
    assert lender.heard_by("n", Stranger) == [Stranger()]
    assert lender.heard_by("o", Results) == []
