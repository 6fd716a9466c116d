"""The rules of a node at the end of a link, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.errors import LocalProtocolError, RemoteProtocolError
from fedfutures.federation.channel import ACK_DELAY_SECONDS, REPEAT_AFTER_SECONDS
from fedfutures.federation.events import Arrived, Send, Tick
from fedfutures.federation.schedule import HORIZON_SECONDS
from fedfutures.wire import codec, messages
from fedfutures.wire.messages import (
    PROTOCOL,
    Ack,
    Batch,
    Bye,
    Cancel,
    Constant,
    Demand,
    Function,
    Hello,
    Refused,
    Results,
    Return,
    Running,
    State,
    Want,
    Welcome,
)
from fedfutures.worker import machine as rules
from fedfutures.worker.machine import HELLO_AGAIN_SECONDS, LONG_SECONDS, WorkerMachine

BODY = Function(b"f", "function", b"body")


class Bench:
    """A node whose Broker is played by the test."""

    def __init__(self, role: str = "worker") -> None:
        self.now = 0.0
        self.machine = WorkerMachine("n", role, 1, 99)
        self.said = 0
        self.heard = 0

    def step(self, event: Any) -> list[Any]:
        """Return what the node does; what it sends as plain messages."""
        found: list[Any] = []
        for action in self.machine.step(event, self.now):
            if isinstance(action, Send):
                frame = codec.encode(action.message, action.sequence, action.acknowledged)
                self.heard = max(self.heard, codec.decode(frame)[0])
                found.append(action.message)
            else:
                found.append(action)
        self.machine.check()
        return found

    def say(self, message: Any, acknowledged: int | None = None) -> list[Any]:
        sequence = 0
        if type(message) not in messages.UNSEQUENCED:
            sequence = self.said = self.said + 1
        return self.step(Arrived("", sequence, self.heard if acknowledged is None else acknowledged, message))

    def tick(self, seconds: float = 0.0) -> list[Any]:
        self.now += seconds
        return self.step(Tick())

    def link(self) -> list[Any]:
        return self.say(Welcome(PROTOCOL, "b", 7, 4))

    def batch(self, piece: int = 1, ids: Any = (1,), *, spent: bool = False, function: bytes = b"f") -> Batch:
        return Batch(piece, "o", function, 1, 0, 0, spent, list(ids), [b""] * len(ids))

    def offer(self, ids: Any = (1,), function: bytes = b"f", backlog: int = 0) -> list[Any]:
        self.machine.define(function, "function", b"body")
        return self.step(rules.Offer(function, list(ids), [b"%d" % number for number in ids], backlog))


@pytest.fixture
def worker() -> Bench:
    made = Bench()
    made.link()
    return made


@pytest.fixture
def origin() -> Bench:
    made = Bench("origin")
    made.link()
    return made


def results(piece: int, ids: list[int], odd: Any = ()) -> Results:
    return Results(piece, 1, ids, [b"r%d" % number for number in ids], list(odd), 0.5, len(ids))


# -- the link --------------------------------------------------------------------------------------------------------


def test_a_node_introduces_itself_until_it_is_welcome() -> None:
    bench = Bench()
    assert bench.machine.next_deadline() == 0.0
    assert bench.tick() == [Hello(PROTOCOL, "worker", "n", 1, 99)]
    assert bench.tick() == []
    assert bench.machine.next_deadline() == HELLO_AGAIN_SECONDS
    assert len(bench.tick(HELLO_AGAIN_SECONDS)) == 1
    assert bench.link() == [rules.Linked(4), Demand(1, True)]
    assert bench.link() == []
    assert bench.tick(0.1) == []


def test_a_refused_node_stays_quiet() -> None:
    bench = Bench()
    assert bench.say(Refused(PROTOCOL, "because")) == [rules.Denied("because")]
    assert bench.machine.next_deadline() is None
    assert bench.tick(9.0) == []


def test_what_comes_before_the_welcome_was_not_meant_for_this_process() -> None:
    bench = Bench()
    assert bench.step(rules.Share("name", b"body")) == [Constant("name", 1, b"body")]
    assert bench.step(Arrived("", 1, 5, Want(b"f"))) == []
    assert bench.machine.statistics()["unacknowledged"] == 1


def test_acknowledgements_and_repetitions(worker: Bench) -> None:
    worker.say(Constant("name", 1, b"body"), acknowledged=0)
    assert worker.machine.next_deadline() == ACK_DELAY_SECONDS
    assert worker.tick(ACK_DELAY_SECONDS) == [Ack()]
    assert worker.tick(REPEAT_AFTER_SECONDS) == [Demand(1, True)]
    worker.say(Ack())
    assert worker.machine.next_deadline() is None


def test_what_is_not_for_workers(worker: Bench) -> None:
    with pytest.raises(RemoteProtocolError, match="Hello is not for Workers"):
        worker.say(Hello(PROTOCOL, "worker", "n", 1, 1))


def test_an_event_without_a_rule_is_our_own_bug(worker: Bench) -> None:
    with pytest.raises(LocalProtocolError, match="no rule"):
        worker.step("event")


def test_leaving(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(worker.batch(spent=True))
    assert worker.step(rules.Leave("done")) == [Bye("done")]
    assert worker.step(rules.Load(0, 0, False)) == []


# -- work for this node ----------------------------------------------------------------------------------------------


def test_a_batch_is_run_when_its_function_is_there(worker: Bench) -> None:
    first, second = worker.batch(1), worker.batch(2, [2])
    assert worker.say(first) == [Want(b"f")]
    assert worker.say(second) == [Want(b"f")]
    assert worker.say(BODY) == [rules.Run(first, b"body"), rules.Run(second, b"body")]
    third = worker.batch(3, [3])
    assert worker.say(third) == [rules.Run(third, b"body")]
    worker.machine.forget(b"f")
    worker.machine.forget(b"f")
    assert worker.say(worker.batch(4, [4])) == [Want(b"f")]
    assert worker.machine.statistics()["held"] == 4


def test_what_has_finished_goes_back(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(worker.batch(5, [1, 2]))
    done = rules.Finished(5, [1], [b"r"], [(1, 1)], 0.5, 1)
    assert worker.step(done) == [Results(5, 1, [1], [b"r"], [(1, 1)], 0.5, 1)]
    assert worker.machine.durations.of(b"f") == 0.5
    worker.step(rules.Finished(5, [2], [b"r"], [], 0.0, 0))
    assert worker.machine.held == {}


def test_what_was_not_started_goes_back(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(State(1, 3, 0, 4))
    worker.say(worker.batch(5, [1, 2, 3]))
    assert worker.step(rules.GiveBack(5, [2, 3])) == [Return(5, [2, 3])]
    assert worker.machine.hunger == 1
    assert worker.step(rules.GiveBack(5, [1])) == [Return(5, [1])]
    assert (worker.machine.held, worker.machine.hunger) == ({}, 0)


def test_cancellation_and_reports_are_of_what_is_held(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(worker.batch(5, [1, 2]))
    assert worker.say(Cancel(5, [2])) == [rules.Unstart(5, [2])]
    assert worker.say(Cancel(6, [2])) == []
    assert worker.step(rules.Report(5, [1])) == [Running(5, [1])]
    assert worker.step(rules.Report(6, [1])) == []


# -- Demand ----------------------------------------------------------------------------------------------------------


def learn(bench: Bench, seconds: float) -> None:
    bench.machine.durations.learn(b"f", seconds, 1)


def test_nothing_is_asked_for_ahead_while_the_duration_is_unknown_or_long(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(worker.batch(spent=True))
    assert worker.step(rules.Load(1, 0, False)) == []
    assert worker.step(rules.Load(0, 0, True)) == []
    learn(worker, LONG_SECONDS)
    assert worker.step(rules.Load(0, 0, True)) == []
    assert worker.step(rules.Load(0, 0, False)) == [Demand(1, True)]


def test_a_horizon_of_short_futures_is_asked_for(worker: Bench) -> None:
    learn(worker, HORIZON_SECONDS / 10)
    assert worker.step(rules.Load(0, 0, True)) == [Demand(10, False)]
    assert worker.step(rules.Load(0, 0, True)) == []
    worker.say(BODY)
    worker.say(worker.batch(1, range(8)))
    assert worker.step(rules.Load(8, 0, True)) == []  # two are still to come
    worker.say(worker.batch(2, range(8, 10)))
    assert worker.step(rules.Load(7, 0, True)) == []  # not worth a message yet
    assert worker.step(rules.Load(4, 0, True)) == [Demand(6, False)]
    assert worker.step(rules.Load(0, 10, True)) == []  # own Futures are work, too


def test_demand_that_was_used_up_is_said_again(worker: Bench) -> None:
    learn(worker, HORIZON_SECONDS / 10)
    worker.step(rules.Load(0, 0, True))
    worker.say(BODY)
    worker.say(worker.batch(1, [1], spent=True))
    assert worker.step(rules.Load(1, 0, True)) == [Demand(9, False)]


def test_to_be_idle_is_news_once(worker: Bench) -> None:
    learn(worker, HORIZON_SECONDS / 10)
    worker.step(rules.Load(0, 0, True))
    worker.say(BODY)
    worker.say(worker.batch(1, [1]))
    assert worker.step(rules.Load(0, 0, False)) == [Demand(10, True)]
    assert worker.step(rules.Load(0, 0, False)) == []


def test_an_origin_asks_for_nothing(origin: Bench) -> None:
    assert origin.step(rules.Load(0, 0, False)) == []


def test_before_the_link_nothing_is_asked_for() -> None:
    bench = Bench()
    assert bench.step(rules.Load(0, 0, False)) == []
    assert bench.machine.wanted() == 0


# -- own Futures -----------------------------------------------------------------------------------------------------


def test_an_origin_gives_what_is_asked_for(origin: Bench) -> None:
    assert origin.machine.wanted() == 0
    assert origin.say(Demand(5, False)) == []
    assert origin.machine.wanted() == 5
    assert origin.offer([1, 2], backlog=7) == [BODY, Batch(1, "n", b"f", 1, 0, 7, False, [1, 2], [b"1", b"2"])]
    assert origin.machine.wanted() == 3
    assert origin.offer([3]) == [Batch(2, "n", b"f", 1, 0, 0, False, [3], [b"3"])]
    assert origin.machine.given_count == 3


def test_a_worker_gives_when_others_hunger(worker: Bench) -> None:
    worker.say(Demand(5, False))
    assert worker.machine.wanted() == 0
    worker.say(State(2, 3, 0, 4))
    worker.say(State(1, 9, 0, 4))  # older
    assert worker.machine.wanted() == worker.machine.hunger == 3
    worker.offer([1, 2])
    assert worker.machine.wanted() == 1
    worker.offer([3, 4])
    assert worker.machine.wanted() == 0


def test_results_resolve_own_futures_once(origin: Bench) -> None:
    origin.offer([1, 2])
    assert origin.say(results(1, [2], [(2, 1)])) == [rules.Resolve([2], [b"r2"], [(2, 1)])]
    assert origin.say(results(1, [2, 1])) == [rules.Resolve([1], [b"r1"], [])]
    assert origin.say(results(1, [1])) == []
    assert origin.machine.durations.of(b"f") == 0.375  # of 0.5 and 0.25
    assert origin.machine.statistics()["given"] == 0


def test_a_wanted_definition_is_sent_again(origin: Bench) -> None:
    origin.offer()
    assert origin.say(Want(b"f")) == [BODY]
    assert origin.say(Want(b"unknown")) == []


def test_given_futures_are_cancelled_piece_by_piece(origin: Bench) -> None:
    origin.offer([1, 2])
    origin.offer([3])
    assert origin.step(rules.CancelGiven([1, 3, 2, 9])) == [Cancel(1, [1, 2]), Cancel(2, [3])]


def test_what_is_known_to_run(origin: Bench) -> None:
    origin.offer([1, 2])
    assert origin.say(Running(1, [2, 9])) == [rules.Started([2])]
    assert origin.say(Running(7, [2])) == []


# -- constants, and for people ---------------------------------------------------------------------------------------


def test_constants(worker: Bench) -> None:
    assert worker.say(Constant("name", 2, b"two")) == [rules.Shared("name", b"two")]
    assert worker.say(Constant("name", 2, b"again")) == []
    assert worker.step(rules.Share("name", b"three")) == [Constant("name", 3, b"three")]


def test_explain_and_statistics(origin: Bench) -> None:
    origin.offer([1])
    assert origin.machine.explain(1) == "given to the Broker by n in piece 1"
    assert origin.machine.explain(2).startswith("not given away by n")
    assert origin.machine.statistics() == {"held": 0, "given": 1, "functions": 0, "unacknowledged": 2}


def test_check_finds_what_is_wrong(origin: Bench) -> None:
    origin.offer([1])
    machine = origin.machine
    machine._given_count = 2
    with pytest.raises(LocalProtocolError, match="count"):
        machine.check()
    machine._given_count = 1
    machine._where[5] = 1
    with pytest.raises(LocalProtocolError, match="in no piece"):
        machine.check()
    del machine._where[5]
    machine.held[1] = rules.Held(1, b"f", set())
    with pytest.raises(LocalProtocolError, match="empty piece"):
        machine.check()
