"""The Broker's rules, one by one: what is said to it, and what it says."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import msgpack
import pytest

from fedfutures.broker import files, functions, machine
from fedfutures.broker.events import (
    AskHost,
    AskStandIn,
    EndForCancel,
    GaveUp,
    PeerContinued,
    PeerStopped,
    Publish,
    TellHost,
    WantWorkers,
)
from fedfutures.broker.recovery import CRASH_LIMIT
from fedfutures.broker.unmet import UNMET_AFTER_SECONDS, UNMET_REPEAT_SECONDS
from fedfutures.errors import LocalProtocolError
from fedfutures.federation import schedule
from fedfutures.federation.channel import ACK_DELAY_SECONDS, ACK_EVERY_MESSAGES, REPEAT_AFTER_SECONDS, WINDOW, Channel
from fedfutures.federation.events import Arrived, Send
from fedfutures.wire.messages import (
    CANCELLED,
    LOST,
    POISONED,
    PROTOCOL,
    Ack,
    Batch,
    Bye,
    Cancel,
    Constant,
    Demand,
    Function,
    Hello,
    Ping,
    Pong,
    Refused,
    Results,
    Return,
    Running,
    State,
    Stranger,
    Want,
    Welcome,
)

from .bench import BODY, Bench, results

THOUSAND = 1000
PEER_BYTES_AT_MOST = 30 << 10

# -- links -----------------------------------------------------------------------------------------------------------


def test_a_peer_is_welcome(bench: Bench) -> None:
    bench.join("w")
    (welcome,) = bench.heard_by("w", Welcome)
    assert (welcome.protocol, welcome.name, welcome.incarnation) == (PROTOCOL, "b", 7)
    bench.say("w", Hello(PROTOCOL, "worker", "w", 1, 99))  # its Welcome was lost
    bench.say("w", Hello(PROTOCOL, "worker", "w", 1, 99, welcome.session))
    assert bench.heard_by("w", Welcome) == [welcome, welcome]
    assert bench.broker.statistics()["workers"] == 1


def test_every_session_has_its_number(bench: Bench) -> None:
    for name in ("v", "w"):
        bench.join(name)
    numbers = [bench.sessions[name] for name in ("o", "v", "w")]
    assert len(set(numbers)) == 3
    assert all(number > 7 for number in numbers)


def test_a_session_lasts_as_long_as_both_ends_whatever_a_hello_names(bench: Bench) -> None:
    bench.join("w", demand=5)
    bench.submit()
    for session in (0, 12345):
        bench.say("w", Hello(PROTOCOL, "worker", "w", 1, 99, session))
    assert len({welcome.session for welcome in bench.heard_by("w", Welcome)}) == 1
    assert bench.given_to("w") == [[1]]
    assert bench.broker.explain("o", 1) == "with w, attempt 1, 0 crashes"


@pytest.mark.fault("D13")
def test_another_protocol_is_refused_by_name(bench: Bench) -> None:
    bench.say("w", Hello(PROTOCOL + 1, "worker", "host.1", 1, 99))
    (refused,) = bench.heard_by("w", Refused)
    assert refused.reason == f"Broker b speaks protocol {PROTOCOL}, host.1 speaks {PROTOCOL + 1}"
    assert "w" not in bench.broker.peers


@pytest.mark.fault("D3")
def test_another_boot_is_another_process(bench: Bench) -> None:
    bench.join("w", demand=5)
    bench.submit()
    bench.join("w", incarnation=2, demand=5)
    (first, second) = bench.heard_by("w", Batch)
    assert (first.attempt, second.attempt) == (1, 2)
    assert len(bench.heard_by("w", Function)) == 2


def test_a_late_word_of_a_peer_that_is_gone_is_counted(bench: Bench) -> None:
    bench.say("nobody", Demand(5, 1))
    assert bench.broker.statistics()["violations"] == 1


def test_who_is_not_known_is_told_so(bench: Bench) -> None:
    bench.say("nobody", Demand(5, 1))
    bench.say("nobody", Ping(3))
    assert bench.heard_by("nobody", Stranger) == [Stranger(), Stranger()]
    bench.join("w")
    bench.lose("w")
    bench.say("w", Ack())  # it is dead: what is said to it now helps nobody
    assert bench.heard_by("w", Stranger) == []


def test_numbers_of_another_session_are_not_taken(bench: Bench) -> None:
    bench.said["o"] += WINDOW + 2
    bench.submit()
    assert bench.broker.statistics()["queued"] == 0
    assert bench.heard_by("o", Stranger) == [Stranger()]


def test_what_belongs_to_no_link_is_ignored_and_what_breaks_a_rule_is_counted(bench: Bench) -> None:
    bench.say("o", Welcome(PROTOCOL, "x", 1), Pong(1))
    bench.say("nobody", Pong(1), State(1, 1, 0, 5, 5), Stranger())
    assert bench.broker.statistics()["violations"] == 0
    bench.say("nobody", Refused(1, "of another version"))
    bench.submit(piece=1)
    bench.submit(piece=1)
    assert bench.broker.statistics()["violations"] == 2


def test_an_event_without_a_rule_is_our_own_bug(bench: Bench) -> None:
    with pytest.raises(LocalProtocolError, match="no rule"):
        bench.broker.step("event", 0.0)  # type: ignore[arg-type]


def test_a_message_that_comes_twice_is_taken_once(bench: Bench) -> None:
    bench.submit()
    bench.step(Arrived("o", bench.said["o"], 0, Batch(1, "o", b"f", 1, 0, 0, False, [1], [b"1"])))
    statistics = bench.broker.statistics()
    assert (statistics["queued"], statistics["violations"]) == (1, 0)


def test_acknowledgements_and_repetitions_are_due_in_time(bench: Bench) -> None:
    assert bench.broker.next_deadline() == ACK_DELAY_SECONDS
    bench.tick(ACK_DELAY_SECONDS)
    assert bench.heard_by("o", Ack) == [Ack()]
    assert bench.broker.next_deadline() is None
    bench.join("w", demand=5)
    bench.submit()
    assert len(bench.heard_by("w", Batch)) == 1
    bench.tick(REPEAT_AFTER_SECONDS)
    assert len(bench.heard_by("w", Batch)) == 1
    assert len(bench.heard_by("w", Function)) == 2
    for _ in range(ACK_EVERY_MESSAGES):
        bench.say("w", Running(99, []))
    assert bench.broker.next_deadline() == bench.now


def test_who_leaves_is_forgotten_and_what_it_held_runs_elsewhere(bench: Bench) -> None:
    bench.join("w", demand=5)
    bench.submit()
    bench.say("w", Bye("max_tasks_per_child"))
    bench.join("v", demand=5)
    (batch,) = bench.heard_by("v", Batch)
    assert (batch.ids, batch.attempt, batch.crashes) == ([1], 2, 0)


# -- Demand and dispatch ---------------------------------------------------------------------------------------------


def test_without_workers_nothing_is_asked_for(bench: Bench) -> None:
    bench.tick()
    assert bench.heard_by("o", Demand) == []
    bench.join("w", demand=3)
    bench.tick()
    assert bench.heard_by("o", Demand) == [Demand(3 + 2, 0, 0)]
    bench.tick()
    assert bench.heard_by("o", Demand) == []
    bench.lose("w")
    bench.tick()
    assert bench.heard_by("o", Demand) == [Demand(0, 0, 0)]


def test_demand_is_said_again_when_half_was_used(bench: Bench) -> None:
    bench.join("w", demand=8)
    bench.tick()
    assert bench.heard_by("o", Demand) == [Demand(10, 0, 0)]
    bench.submit(ids=range(8))
    bench.tick()
    assert bench.heard_by("o", Demand) == []
    for number in range(8):
        for batch in bench.heard_by("w", Batch):
            bench.say("w", results(batch.piece, batch.ids, seconds=1e-4), Demand(10 - number, 0))
    bench.tick()
    assert bench.heard_by("o", Demand)


@pytest.mark.fault("D12")
def test_a_queue_of_many_bytes_asks_for_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "QUEUE_BYTES_AT_MOST", 5)
    bench.join("w", demand=1)
    bench.tick()
    assert bench.heard_by("o", Demand) == [Demand(3, 0, 0)]
    bench.submit(ids=range(1000, 1003))
    bench.tick()
    assert bench.broker.statistics()["queued"] == 2
    assert bench.heard_by("o", Demand) == []
    bench.broker.load.peers["o"].asked = 9
    bench.broker.load.note_link()
    bench.tick()
    assert bench.heard_by("o", Demand) == [Demand(0, 0, 0)]


def test_work_goes_to_the_idle_first(bench: Bench) -> None:
    bench.join("busy")
    bench.say("busy", Demand(5, 0))
    bench.join("idle", demand=5)
    bench.submit(ids=[1])
    assert [batch.ids for batch in bench.heard_by("idle", Batch)] == [[1]]
    assert bench.heard_by("busy", Batch) == []


def test_an_unknown_duration_gives_one_at_a_time(bench: Bench) -> None:
    for name in ("v", "w"):
        bench.join(name, demand=5)
    bench.submit(ids=range(1, 5))
    for name, number in (("v", 1), ("w", 2)):
        (batch,) = bench.heard_by(name, Batch)
        assert (batch.ids, batch.spent) == ([number], True)
    assert bench.broker.statistics()["queued"] == 2
    bench.say("w", Demand(5, 0))
    assert [batch.ids for batch in bench.heard_by("w", Batch)] == [[3]]


def test_short_futures_go_in_pieces_that_shrink(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", schedule.HORIZON_SECONDS / 10, 1)
    bench.join("w", demand=100)
    bench.submit(ids=range(40))
    sizes = [len(batch.ids) for batch in bench.heard_by("w", Batch)]
    assert sizes == [10]
    for _ in range(6):
        bench.say("w", Demand(100, 1))
        sizes += [len(batch.ids) for batch in bench.heard_by("w", Batch)]
    assert sum(sizes) == 40
    assert sizes[0] == max(sizes)
    assert sizes[-1] < sizes[0]


def test_the_backlog_of_the_submitter_counts(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 0.001, 1)
    bench.join("w", demand=100)
    bench.submit(ids=range(2), backlog=1000)
    assert [len(batch.ids) for batch in bench.heard_by("w", Batch)] == [2]


@pytest.mark.fault("D10")
def test_no_more_is_given_than_was_asked_for(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-5, 1)
    bench.join("w", demand=3)
    bench.submit(ids=range(10))
    assert sum(len(batch.ids) for batch in bench.heard_by("w", Batch)) == 3
    bench.say("w", Demand(3, 0), acknowledged=0)  # said before those three had come
    assert bench.heard_by("w", Batch) == []
    bench.say("w", Demand(3, 0))
    assert sum(len(batch.ids) for batch in bench.heard_by("w", Batch)) == 3


# -- functions -------------------------------------------------------------------------------------------------------


def test_a_function_is_sent_once_to_each_peer(bench: Bench) -> None:
    for name in ("v", "w"):
        bench.join(name, demand=5)
    for piece in range(1, 5):
        bench.submit(ids=[2 * piece, 2 * piece + 1], piece=piece)
        for name in ("v", "w"):
            for batch in bench.heard_by(name, Batch):
                bench.say(name, results(batch.piece, batch.ids), Demand(5, 1))
    assert [len(bench.heard_by(name, Function)) for name in ("v", "w")] == [1, 1]


def test_who_submits_a_function_knows_it(bench: Bench) -> None:
    bench.join("w", demand=5)
    bench.say("w", Function(b"g", "g", b"body"))
    bench.submit("w", function=b"g")
    assert [batch.submitter for batch in bench.heard_by("w", Batch)] == ["w"]
    assert bench.heard_by("w", Function) == []


def test_a_batch_waits_for_its_function(bench: Bench) -> None:
    bench.join("w", demand=5)
    bench.submit(function=b"new", piece=1)
    bench.submit(function=b"new", piece=2)
    assert bench.heard_by("o", Want) == [Want(b"new")]
    assert "waits at Broker b for the definition" in bench.broker.explain("o", 1)
    bench.say("o", Function(b"new", "new", b"body"))
    assert len(bench.heard_by("w", Function)) == 1
    assert [batch.ids for batch in bench.heard_by("w", Batch)] == [[1]]


def test_want_is_answered(bench: Bench) -> None:
    bench.join("w", demand=5)
    bench.submit()
    bench.heard_by("w", Function)
    bench.say("w", Want(b"f"))
    assert bench.heard_by("w", Function) == [BODY]


def test_a_forgotten_function_is_fetched_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "FUNCTIONS_AT_MOST", 1)
    bench.join("w", demand=5)
    bench.join("v")
    bench.submit(ids=[1, 2])
    bench.say("o", Function(b"g", "g", b"body"))
    assert list(bench.broker.functions.definitions) == [b"g"]
    bench.heard_by("w", Function)
    bench.say("w", Want(b"f"))  # it has forgotten as well
    assert bench.heard_by("o", Want) == [Want(b"f")]
    bench.say("v", Demand(9, 1))  # what is queued needs it too
    assert bench.broker.statistics()["queued"] == 0
    bench.say("o", BODY)
    assert bench.heard_by("w", Function) == [BODY]
    assert bench.given_to("v") == [[2]]
    bench.say("w", results(1, [1]))
    assert [each.ids for each in bench.heard_by("o", Results)] == [[1]]


def test_functions_are_kept_up_to_so_many_bytes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "FUNCTION_BYTES_AT_MOST", 9)
    for number in range(5):
        bench.say("o", Function(b"%d" % number, "g", b"bodies"), Function(b"%d" % number, "g", b"bodies"))
        assert len(bench.broker.functions.definitions) == 1
    assert bench.broker.functions.bytes == 6


# -- results ---------------------------------------------------------------------------------------------------------


def test_results_go_back_under_the_submitters_number(bench: Bench) -> None:
    bench.join("w", demand=5)
    bench.submit(ids=[7], piece=3)
    (batch,) = bench.heard_by("w", Batch)
    bench.say("w", results(batch.piece, [7], seconds=0.5, odd=[(7, 1)]))
    assert bench.heard_by("o", Results) == [Results(3, 1, [7], [b"r7"], [(7, 1)], 0.5, 1)]
    assert bench.broker.durations.of(b"f") == 0.5
    assert bench.broker.statistics()["resolved"] == 1
    assert not bench.broker.ledger.intakes


def test_only_the_first_result_counts(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.join("w", demand=5)
    bench.submit(ids=[1, 2, 3])
    (batch,) = bench.heard_by("w", Batch)
    assert batch.ids == [1, 2, 3]
    bench.say("w", results(batch.piece, [1]))
    bench.say("w", results(batch.piece, [1, 2], odd=[(1, 1), (2, 1)]))
    bench.say("w", results(99, [3]), results(batch.piece, [1]))
    bench.say("w", results(batch.piece, [3], attempt=7))  # who holds a piece may say of which attempt it was
    found = [(each.ids, each.odd) for each in bench.heard_by("o", Results)]
    assert found == [([1], []), ([2], [(2, 1)]), ([3], [])]


def test_a_future_that_ran_twice_resolves_once(bench: Bench) -> None:
    bench.join("w", demand=5)
    bench.submit()
    bench.lose("w")
    bench.join("v", demand=5)
    (batch,) = bench.heard_by("v", Batch)
    assert batch.attempt == 2
    bench.say("w", results(1, [1]))
    bench.say("v", results(batch.piece, [1], attempt=2), results(batch.piece, [1], attempt=2))
    assert len(bench.heard_by("o", Results)) == 1


# -- returns ---------------------------------------------------------------------------------------------------------


def test_what_comes_back_goes_to_another_before_all_else(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.join("w", demand=3)
    bench.submit(ids=range(1, 7))
    (batch,) = bench.heard_by("w", Batch)
    assert batch.ids == [1, 2, 3]
    bench.say("w", Return(batch.piece, [2, 3]))
    assert bench.heard_by("w", Batch) == []
    bench.join("v", demand=2)
    assert [(again.ids, again.attempt) for again in bench.heard_by("v", Batch)] == [([2, 3], 1)]
    bench.say("w", Return(99, [1]), Return(batch.piece, [2]))
    bench.say("w", Return(batch.piece, [1]))
    assert not bench.broker.ledger.accounts["w"].held


# -- cancellation ----------------------------------------------------------------------------------------------------


def test_queued_futures_are_cancelled_at_once(bench: Bench) -> None:
    bench.submit(ids=[1, 2, 3])
    bench.submit(ids=[4], piece=2)
    bench.say("o", Cancel(1, [1, 3, 9]), Cancel(2, [4]), Cancel(5, [1]))
    assert bench.heard_by("o", Results) == [
        Results(1, 1, [1, 3], [b"", b""], [(1, CANCELLED), (3, CANCELLED)]),
        Results(2, 1, [4], [b""], [(4, CANCELLED)]),
    ]
    assert bench.broker.statistics()["queued"] == 1


def test_futures_that_wait_for_a_function_are_cancelled_at_once(bench: Bench) -> None:
    bench.submit(ids=[1, 2], function=b"new")
    bench.say("o", Cancel(1, [1]))
    bench.say("o", Cancel(1, [2]))
    assert [found.ids for found in bench.heard_by("o", Results)] == [[1], [2]]
    bench.say("o", Function(b"new", "new", b"body"))
    assert bench.broker.statistics()["queued"] == 0


def test_held_futures_are_asked_back_from_who_holds_them(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.join("w", demand=2)
    bench.submit(ids=[1, 2, 3])
    (batch,) = bench.heard_by("w", Batch)
    bench.say("o", Cancel(1, [2, 3]))
    assert [found.ids for found in bench.heard_by("o", Results)] == [[3]]
    assert bench.heard_by("w", Cancel) == [Cancel(batch.piece, [2])]
    bench.say("w", results(batch.piece, [2], odd=[(2, CANCELLED)]))
    assert [(found.ids, found.odd) for found in bench.heard_by("o", Results)] == [([2], [(2, CANCELLED)])]


@pytest.mark.parametrize("how", ["returned", "lost"])
def test_a_cancelled_future_that_comes_back_is_not_given_out_again(bench: Bench, how: str) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.join("w", demand=2)
    bench.submit(ids=[1, 2])
    bench.say("o", Cancel(1, [2]))
    if how == "returned":
        bench.say("w", Return(1, [1, 2]))
    else:
        bench.lose("w")
    assert [(found.ids, found.odd) for found in bench.heard_by("o", Results)] == [([2], [(2, CANCELLED)])]
    bench.join("v", demand=5)
    assert [batch.ids for batch in bench.heard_by("v", Batch)] == [[1]]


def test_running_is_passed_on(bench: Bench) -> None:
    bench.join("w", demand=2)
    bench.submit(piece=4)
    bench.say("w", Running(1, [1]), Running(9, [1]), Running(1, [1], 7))
    assert bench.heard_by("o", Running) == [Running(4, [1]), Running(4, [1], 7)]


# -- losses ----------------------------------------------------------------------------------------------------------


def test_what_a_lost_worker_held_runs_again_and_the_innocent_keep_their_record(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.join("w", demand=3)
    bench.submit(ids=[1, 2, 3])
    bench.lose("w", (1, 2))
    bench.join("v", demand=9)
    batches = bench.heard_by("v", Batch)
    bench.say("v", Demand(9, 0))
    batches += bench.heard_by("v", Batch)
    found = sorted((batch.ids, batch.attempt, batch.crashes) for batch in batches)
    assert found == [([1, 3], 2, 0), ([2], 2, 1)]
    assert bench.broker.statistics()["crashes"] == 1


def test_the_third_crash_poisons(bench: Bench) -> None:
    bench.submit()
    for crashes in range(CRASH_LIMIT):
        bench.join(f"w{crashes}", demand=5)
        (batch,) = bench.heard_by(f"w{crashes}", Batch)
        assert (batch.crashes, batch.attempt) == (crashes, crashes + 1)
        bench.lose(f"w{crashes}", (batch.piece, 1))
    (found,) = bench.heard_by("o", Results)
    assert found.odd == [(1, POISONED)]
    assert msgpack.unpackb(found.outcomes[0]) == ["host", "w2", "signal SIGSEGV", 3, "dump"]
    assert not bench.broker.ledger.intakes


def test_a_future_that_crashed_travels_alone(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.submit(ids=[1, 2], crashes=1)
    bench.join("w", demand=9)
    assert [(batch.ids, batch.spent) for batch in bench.heard_by("w", Batch)] == [([1], True)]


@pytest.mark.parametrize(("blame", "running"), [(False, (1, 1)), (True, None), (True, (9, 1)), (True, (1, 9))])
def test_nobody_is_blamed_without_proof(bench: Bench, blame: bool, running: tuple[int, int] | None) -> None:
    bench.join("w", demand=9)
    bench.submit()
    bench.lose("w", running, blame=blame)
    bench.join("v", demand=9)
    assert [(batch.attempt, batch.crashes) for batch in bench.heard_by("v", Batch)] == [(2, 0)]
    assert bench.broker.statistics()["crashes"] == 0


def test_the_loss_of_somebody_unknown_is_nothing(bench: Bench) -> None:
    bench.lose("nobody")
    assert bench.broker.statistics()["peers"] == 1


def test_a_dead_worker_is_not_welcome_again(bench: Bench) -> None:
    """A Hello that was under way when it died; it would be given Futures that nobody runs."""
    bench.join("w")
    bench.lose("w")
    bench.join("w", demand=5)
    bench.submit()
    assert bench.heard_by("w", Batch) == []


def test_what_a_lost_submitter_wanted_is_dropped(bench: Bench) -> None:
    bench.broker.durations.learn(b"f", 1e-4, 1)
    bench.join("p", "origin")
    bench.join("w", demand=2)
    bench.submit("p", ids=[1, 2, 3])
    bench.submit("p", ids=[4], piece=2, function=b"new")
    bench.submit("o", ids=[1])
    (batch,) = bench.heard_by("w", Batch)
    bench.say("p", Bye("done"))
    assert bench.heard_by("w", Cancel) == [Cancel(batch.piece, [1, 2])]
    assert bench.broker.statistics()["queued"] == 1
    bench.say("w", Running(batch.piece, [1]), results(batch.piece, [1]), Return(batch.piece, [2]))
    assert not bench.broker.ledger.accounts["w"].held
    bench.say("w", Demand(5, 1))
    assert [batch.submitter for batch in bench.heard_by("w", Batch)] == ["o"]


def test_a_crash_of_a_dropped_future_is_no_news(bench: Bench) -> None:
    bench.join("p", "origin")
    bench.join("w", demand=2)
    bench.submit("p")
    bench.say("p", Bye("done"))
    bench.lose("w", (1, 1))
    statistics = bench.broker.statistics()
    assert (statistics["queued"], statistics["held"]) == (0, 0)


def test_a_worker_that_submitted_and_died(bench: Bench) -> None:
    """What it submitted goes, what it held comes back; also where it held what it had submitted itself."""
    for name in ("v", "w"):
        bench.join(name, demand=1)
    bench.submit("o", ids=[1])
    bench.submit("v", ids=[1], piece=1)
    bench.submit("v", ids=[2], piece=2)
    bench.say("v", Demand(1, 0))
    assert [batch.submitter for batch in bench.heard_by("v", Batch)] == ["o", "v"]
    assert [batch.submitter for batch in bench.heard_by("w", Batch)] == ["v"]
    bench.lose("v")
    assert bench.heard_by("w", Cancel) == [Cancel(1, [1])]
    bench.say("w", Demand(1, 1))
    assert [batch.submitter for batch in bench.heard_by("w", Batch)] == ["o"]


# -- giving up -------------------------------------------------------------------------------------------------------


def test_when_no_worker_will_come_futures_fail_by_name(bench: Bench) -> None:
    bench.submit(ids=[1, 2])
    bench.step(GaveUp("no Worker starts"))
    bench.submit(ids=[3], piece=2)
    found = bench.heard_by("o", Results)
    assert [(each.ids, each.odd) for each in found] == [([1, 2], [(1, LOST), (2, LOST)]), ([3], [(3, LOST)])]
    assert msgpack.unpackb(found[0].outcomes[0]) == "no Worker starts"
    assert bench.broker.statistics()["queued"] == 0


def test_also_those_that_wait_for_their_function(bench: Bench) -> None:
    bench.submit(ids=[1], function=b"new")
    bench.step(GaveUp("no Worker starts"))
    bench.say("o", Function(b"new", "new", b"body"))
    assert [each.odd for each in bench.heard_by("o", Results)] == [[(1, LOST)]]


def test_also_those_that_the_last_worker_held(bench: Bench) -> None:
    bench.join("w", demand=5)
    bench.submit()
    bench.step(GaveUp("no Worker starts"))
    assert bench.heard_by("o", Results) == []
    bench.lose("w")
    assert [each.odd for each in bench.heard_by("o", Results)] == [[(1, LOST)]]


def test_a_worker_that_comes_after_all_is_used(bench: Bench) -> None:
    bench.step(GaveUp("no Worker starts"))
    bench.join("w", demand=5)
    bench.submit()
    assert len(bench.heard_by("w", Batch)) == 1


# -- unmet demand ----------------------------------------------------------------------------------------------------


@pytest.fixture
def idle(bench: Bench) -> Bench:
    """One Worker has work, the other one has none."""
    bench.join("busy", demand=1)
    bench.submit()
    bench.join("idle", demand=3)
    bench.tick()
    return bench


def test_unmet_demand_is_published_after_a_moment_and_again(idle: Bench) -> None:
    assert idle.published == []
    due = idle.broker.next_deadline()
    assert due == UNMET_AFTER_SECONDS
    idle.tick(due)
    (state,) = idle.published
    assert (state.incarnation, state.number, state.unmet, state.spare, state.size) == (7, 1, 3, 0, 2)
    idle.tick(UNMET_REPEAT_SECONDS / 2)
    assert len(idle.published) == 1
    idle.tick(UNMET_REPEAT_SECONDS)
    assert [state.number for state in idle.published] == [1, 2]


def test_unmet_demand_ends_when_work_comes(idle: Bench) -> None:
    idle.tick(1.0)
    idle.submit(piece=2)
    idle.tick()
    assert [state.unmet for state in idle.published] == [3, 0]
    idle.tick(1.0)
    assert len(idle.published) == 2


def test_a_moment_of_unmet_demand_is_not_published(idle: Bench) -> None:
    idle.submit(piece=2)
    idle.tick(1.0)
    assert idle.published == []


def test_no_demand_is_unmet_where_nobody_has_work(bench: Bench) -> None:
    bench.join("v", demand=3)
    bench.join("w", demand=3)
    bench.tick()
    bench.tick(1.0)
    assert bench.published == []


# -- constants -------------------------------------------------------------------------------------------------------


def test_a_constant_goes_to_everybody_also_to_who_comes_later(bench: Bench) -> None:
    bench.join("v")
    bench.say("o", Constant("name", 1, b"body"))
    assert bench.heard_by("v", Constant) == [Constant("name", 1, b"body")]
    assert bench.heard_by("o", Constant) == []
    bench.join("w")
    assert bench.heard_by("w", Constant) == [Constant("name", 1, b"body")]
    bench.say("w", Hello(PROTOCOL, "worker", "w", 1, 99), acknowledged=0)
    assert bench.heard_by("w", Constant) == []


def test_of_two_that_set_a_constant_the_later_one_wins_everywhere(bench: Bench) -> None:
    bench.join("w")
    bench.say("o", Constant("name", 1, b"one"), Constant("name", 2, b"two"))
    bench.heard_by("w", Constant)
    bench.say("w", Constant("name", 1, b"late"))
    assert bench.heard_by("o", Constant) == bench.heard_by("w", Constant) == [Constant("name", 3, b"late")]


# -- for tests -------------------------------------------------------------------------------------------------------


def test_check_finds_what_is_wrong(bench: Bench) -> None:
    bench.submit(ids=[1, 2])
    broker, ledger = bench.broker, bench.broker.ledger
    queue = ledger.queue
    lot = queue.head()
    intake = lot.intake
    for spoil, mend in (
        (lambda: lot.ids.pop(), lambda: lot.ids.append(2)),
        (lambda: setattr(queue, "bytes", 5), lambda: setattr(queue, "bytes", 2)),
        (lambda: setattr(queue, "returned", 5), lambda: setattr(queue, "returned", 0)),
        (lambda: setattr(intake, "left", 5), lambda: setattr(intake, "left", 2)),
        (lambda: intake.lots.clear(), lambda: intake.lots.add(lot)),
        (lambda: setattr(lot, "key", b"f"), lambda: setattr(lot, "key", None)),
        (lambda: setattr(ledger.accounts["o"], "pending", 1), lambda: setattr(ledger.accounts["o"], "pending", 0)),
        (lambda: ledger.open("nobody"), lambda: ledger.close("nobody")),
        (lambda: setattr(broker.load, "takers", 1), lambda: setattr(broker.load, "takers", 0)),
    ):
        broker.check()
        spoil()
        with pytest.raises((LocalProtocolError, AssertionError)):
            broker.check()
        mend()
    broker.check()


def test_every_action_is_one_the_shell_knows() -> None:
    known = {Send, Publish, AskStandIn, WantWorkers, EndForCancel, AskHost, TellHost}
    assert set(machine.Action.__args__) == known | set(files.Action.__args__)  # type: ignore[attr-defined]


# -- Workers that are stopped ----------------------------------------------------------------------------------------


def test_a_worker_that_is_stopped_is_given_nothing_and_others_run_what_it_has_not_started(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.join("w", demand=10)
    for piece in (1, 2):
        bench.submit(ids=[piece], piece=piece)
        bench.tick()
        bench.say("w", Demand(10, 0))
    assert bench.given_to("w") == [[1], [2]]
    bench.step(PeerStopped("w", (1, 1)))
    bench.join("v", demand=10)
    bench.tick()
    assert bench.given_to("v") == [[2]], "the one that it runs stays with it until it ends"
    bench.say("w", Demand(20, 0))  # said before it was stopped
    bench.say("v", Demand(20, 0))
    bench.submit(ids=[3], piece=3)
    assert (bench.given_to("w"), bench.given_to("v")) == ([], [[3]])
    bench.heard_by("w", Cancel)
    bench.step(PeerContinued("w"))
    assert bench.heard_by("w", Cancel) == [Cancel(2, [2])]
    bench.say("w", results(2, [2]))
    assert [came.ids for came in bench.heard_by("o", Results)] == [[2]], "the first result counts"
    assert bench.heard_by("v", Cancel) == [Cancel(1, [2])]
    bench.submit(ids=[4], piece=4)
    assert bench.given_to("w") + bench.given_to("v") == [[4]], "the next one may go to it again"


def test_what_a_stopped_worker_was_running_runs_again_once_it_has_ended(bench: Bench) -> None:
    bench.join("o", "origin")
    bench.say("o", BODY)
    bench.join("w", demand=10)
    bench.submit(ids=[1])
    bench.step(PeerStopped("w", (1, 1)))
    bench.step(PeerStopped("w", (1, 1)))  # once is enough
    bench.join("v", demand=10)
    bench.lose("w", (1, 1), blame=False)
    (batch,) = bench.heard_by("v", Batch)
    assert (batch.ids, batch.attempt, batch.crashes) == ([1], 2, 0)


def test_nobody_but_a_worker_that_is_known_is_stopped(bench: Bench) -> None:
    bench.neighbour("n", Demand(1, 1, 1))
    for name in ("n", "nobody"):
        bench.step(PeerStopped(name, None))
        bench.step(PeerContinued(name))
    assert bench.broker.load.is_deserted() is False


@pytest.mark.fault("B6")
def test_a_thousand_workers_cost_little_each() -> None:
    """With a session, a Future held and its outcome for each; not in a bench, which looks at all of them each time."""
    broker = machine.BrokerMachine("b", 7, msgpack.packb, random.Random(1), lambda name: 0, 1 << 20)
    names = [f"w{number}" for number in range(THOUSAND)]
    given: dict[str, list[int]] = {}
    sessions: dict[str, int] = {}

    def say(peer: str, *said: Any) -> None:
        for sequence, message in said:
            base = sessions[peer] if sequence else 0
            for action in broker.step(Arrived(peer, sequence and base + sequence, base, message), 0.0):
                if isinstance(action, Send) and isinstance(action.message, Batch):
                    given.setdefault(action.peer, []).extend(action.message.ids)
                if isinstance(action, Send) and isinstance(action.message, Welcome):
                    sessions[action.peer] = Channel(action.message.session).acknowledged

    say("o", (0, Hello(PROTOCOL, "origin", "o", 1, 99)))
    tracemalloc.start()
    for name in names:
        say(name, (0, Hello(PROTOCOL, "worker", name, 1, 99)))
        say(name, (1, Demand(1, 1)))
    ids = list(range(1, THOUSAND + 1))
    say("o", (1, BODY), (2, Batch(1, "o", b"f", 1, 0, 0, False, ids.copy(), [b"1"] * THOUSAND)))
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    broker.check()
    assert sorted(number for some in given.values() for number in some) == ids
    assert given.keys() == set(names)
    assert taken < THOUSAND * PEER_BYTES_AT_MOST
