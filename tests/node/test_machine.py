"""The rules of a node at the end of a link, one by one."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from fedfutures.errors import LocalProtocolError, RemoteProtocolError
from fedfutures.federation.channel import ACK_DELAY_SECONDS, REPEAT_AFTER_SECONDS, WINDOW, Channel
from fedfutures.federation.events import Arrived, Send, Tick
from fedfutures.federation.schedule import HORIZON_SECONDS
from fedfutures.federation.session import HEARTBEAT_SECONDS, RESULTS_REMEMBERED
from fedfutures.node import events as rules
from fedfutures.node.asking import LONG_SECONDS
from fedfutures.node.machine import (
    HELLO_AGAIN_SECONDS,
    IDLE_HEARTBEAT_SECONDS,
    URGENT_AT_MOST,
    WorkerMachine,
)
from fedfutures.wire import codec, facts, messages
from fedfutures.wire.messages import (
    CANCELLED,
    ERROR,
    LANE_PIECES,
    PROTOCOL,
    VALUE,
    Ack,
    Answer,
    Batch,
    Bye,
    Cancel,
    Constant,
    Demand,
    Fetch,
    Fetched,
    Function,
    Hello,
    Holding,
    Inquire,
    LeaseEnded,
    Lend,
    Refused,
    Results,
    Return,
    Running,
    State,
    Stranger,
    TakeBack,
    Want,
    Welcome,
)

BODY = Function(b"f", "function", b"body")


class Bench:
    """A node whose Broker is played by the test."""

    def __init__(self, role: str = "worker") -> None:
        self.now = 0.0
        self.machine = WorkerMachine("n", role, 1, 99)
        self.session = self.said = self.heard = 0
        self.greeter = 1  # what the last Hello is to be answered with

    def step(self, event: Any) -> list[Any]:
        """Return what the node does; what it sends as plain messages."""
        found: list[Any] = []
        for action in self.machine.step(event, self.now):
            if isinstance(action, Send):
                frame = codec.encode(action.message, action.sequence, action.acknowledged)
                self.heard = max(self.heard, codec.decode(frame)[0])
                if isinstance(action.message, Hello):
                    self.greeter = action.message.incarnation + action.message.round
                found.append(action.message)
            else:
                if isinstance(action, rules.Run):
                    self.machine.workload.enqueue(action.piece, action.body)
                found.append(action)
        self.machine.check()
        return found

    def finish(self, number: int, *done: tuple[int, bytes, int, float]) -> list[Any]:
        """Run Futures of a piece: number, outcome, kind and seconds of each."""
        piece = self.machine.workload.pieces[number]
        for entry in [entry for entry in piece.todo if entry[0] in {each[0] for each in done}]:
            piece.todo.remove(entry)
        piece.finished.extend(done)
        return [said for finished in self.machine.workload.results() for said in self.step(finished)]

    def give_back(self, count: int) -> list[Any]:
        """Give back Futures that were not started."""
        given = self.machine.workload.surplus(1e-6, count, None, locked_in=False)
        return [said for back in given for said in self.step(back)]

    def say(self, message: Any, acknowledged: int | None = None) -> list[Any]:
        sequence = 0
        if type(message) not in messages.UNSEQUENCED:
            sequence = self.said = self.said + 1
        header = (sequence, self.heard if acknowledged is None else acknowledged)
        return self.step(Arrived("", *codec.decode(codec.encode(message, *header))))

    def tick(self, seconds: float = 0.0) -> list[Any]:
        self.now += seconds
        return self.step(Tick())

    def link(self, session: int = 70, incarnation: int = 7) -> list[Any]:
        if session != self.session:
            self.session = session
            self.said = self.heard = Channel(session).acknowledged
        return self.say(Welcome(PROTOCOL, "b", incarnation, session, self.greeter), acknowledged=0)

    def batch(self, piece: int = 1, ids: Any = (1,), *, spent: bool = False, function: bytes = b"f") -> Batch:
        return Batch(piece, "o", function, 1, 0, 0, spent, list(ids), [b""] * len(ids))

    def offer(self, ids: Any = (1,), function: bytes = b"f", backlog: int = 0) -> list[Any]:
        self.machine.own.define(function, "function", b"body")
        return self.step(rules.Offer(function, list(ids), [b"%d" % number for number in ids], backlog))

    def lend(self, number: int = 7) -> list[Any]:
        """A Worker is lent, or has opened its lane to this Origin."""
        if self.machine.role == "worker":
            return self.say(Lend(number, "o"))
        return self.step(rules.LaneOpened(number, "w"))


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


def ran(*seconds: float) -> bytes:
    """The facts of Futures that the node has run at their first attempt."""
    return facts.packed("n", 1, seconds)


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
    assert bench.link() == [rules.Linked(), Demand(1, 1)]
    assert bench.link() == []
    assert bench.tick(0.1) == []


def test_a_welcome_again_is_no_news(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(worker.batch())
    assert worker.link() == []
    assert worker.machine.statistics()["held"] == 1


def test_a_refused_node_stays_quiet() -> None:
    bench = Bench()
    assert bench.say(Refused(PROTOCOL, "because")) == [rules.Denied("because")]
    assert bench.machine.next_deadline() is None
    assert bench.tick(9.0) == []


def test_what_comes_before_the_welcome_was_not_meant_for_this_process() -> None:
    bench = Bench()
    assert bench.step(Arrived("", 1, 5, Want(b"f"))) == []
    assert bench.machine.statistics()["unacknowledged"] == 0


def test_what_is_said_before_the_link_waits_for_it() -> None:
    bench = Bench()
    assert bench.step(rules.Share("name", b"body")) == []
    assert bench.machine.statistics()["unacknowledged"] == 1
    assert Constant("name", 1, b"body") in bench.link()
    assert bench.machine.statistics()["unacknowledged"] == 2  # and its Demand


def test_acknowledgements_and_repetitions(worker: Bench) -> None:
    worker.say(Constant("name", 1, b"body"), acknowledged=0)
    assert worker.machine.next_deadline() == ACK_DELAY_SECONDS
    assert worker.tick(ACK_DELAY_SECONDS) == [Ack()]
    assert worker.tick(REPEAT_AFTER_SECONDS) == [Demand(1, 1)]
    worker.say(Ack())
    assert worker.machine.statistics()["unacknowledged"] == 0


def test_a_node_is_heard_of_more_often_while_it_waits_for_results(origin: Bench) -> None:
    assert origin.machine.next_deadline() == HEARTBEAT_SECONDS
    assert origin.tick(HEARTBEAT_SECONDS) == [Ack()]
    assert origin.tick(HEARTBEAT_SECONDS) == []
    assert origin.tick(IDLE_HEARTBEAT_SECONDS) == [Ack()]
    origin.offer()
    origin.say(Ack())
    assert origin.tick(HEARTBEAT_SECONDS) == [Ack()]
    assert origin.tick(HEARTBEAT_SECONDS) == [Ack()]


def test_the_broker_says_what_it_misses(origin: Bench) -> None:
    origin.offer()
    assert origin.tick(0.1) == []
    origin.say(Ack(missing=True), acknowledged=0)
    assert len(origin.tick()) == 2  # the function, the Batch


def test_the_node_says_what_it_misses(worker: Bench) -> None:
    worker.said += 1
    worker.say(Constant("name", 1, b"body"))
    assert worker.tick() == [Ack(missing=True)]


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
    assert worker.step(rules.NodeLoad(0, 0, False)) == []


# -- a Broker that was started again ---------------------------------------------------------------------------------


@pytest.fixture
def busy(worker: Bench) -> Bench:
    """A Worker that holds two Futures and has given one."""
    worker.say(BODY)
    worker.say(worker.batch(5, [1, 2, 3]))
    worker.finish(5, (3, b"r3", VALUE, 0.5))
    worker.say(Ack())
    worker.offer([7], b"own")
    worker.step(rules.NodeLoad(2, 0, True))
    return worker


def hello(count: int) -> Hello:
    return Hello(PROTOCOL, "worker", "n", 1, 99, 70, count)


def test_it_is_noticed_by_what_the_broker_says(busy: Bench) -> None:
    assert busy.say(Stranger()) == [hello(1)]
    assert busy.say(Stranger()) == []
    assert busy.machine.wanted() == 0
    assert busy.link() == []  # it is the same after all
    assert busy.say(State(7, 1, 0, 0, 4)) == []
    assert busy.say(State(8, 1, 0, 0, 4)) == [hello(2)]
    busy.link()
    assert busy.step(rules.Rejoin()) == [hello(3)]
    busy.link()
    busy.said += WINDOW + 2
    assert busy.say(Want(b"own")) == [hello(4)]
    assert busy.tick(HELLO_AGAIN_SECONDS) == [hello(4)]


def test_after_the_end_of_the_broker_nothing_that_it_has_said_counts(origin: Bench) -> None:
    origin.say(Demand(5, 0))
    origin.offer([1, 2])
    assert origin.step(rules.BrokerEnded()) == [Hello(PROTOCOL, "origin", "n", 1, 99, 0, 1)]
    assert origin.say(results(1, [1])) == []  # what it names went with the Workers
    assert origin.machine.wanted() == 0
    assert origin.step(rules.BrokerEnded()) == []
    assert origin.tick() == [Hello(PROTOCOL, "origin", "n", 1, 99, 0, 2)]
    assert origin.link(90, 8) == [rules.Linked(), rules.Reclaim([1, 2])]
    origin.say(Demand(5, 0))
    assert origin.offer([1, 2])[0] == Function(b"f", "function", b"body")
    assert origin.say(results(2, [1, 2])) == [rules.Resolve([1, 2], [b"r1", b"r2"], [])]


def test_a_late_welcome_of_a_broker_that_has_ended_begins_no_session(origin: Bench) -> None:
    assert origin.say(Stranger()) == [Hello(PROTOCOL, "origin", "n", 1, 99, 70, 1)]
    origin.step(rules.BrokerEnded())
    assert origin.say(Welcome(PROTOCOL, "b", 7, 70, 1 + 1), acknowledged=0) == []
    assert not origin.machine.linked
    assert origin.tick() == [Hello(PROTOCOL, "origin", "n", 1, 99, 0, 2)]
    assert origin.say(Welcome(PROTOCOL, "b", 8, 90, 1 + 2), acknowledged=0)[0] == rules.Linked()


def test_an_answer_to_an_earlier_hello_says_nothing(busy: Bench) -> None:
    busy.say(Stranger())
    assert busy.say(Welcome(PROTOCOL, "b", 8, 90, 1), acknowledged=0) == []
    assert not busy.machine.linked
    assert busy.link(91, 8)[0] == rules.Linked()


def test_a_new_session_begins_with_what_is_held_and_what_may_be_lost(busy: Bench) -> None:
    busy.finish(5, (2, b"r2", VALUE, 0.5))
    busy.step(rules.Share("name", b"body"))
    busy.say(busy.batch(6, [9], function=b"new"), acknowledged=0)
    busy.say(Stranger())
    assert busy.link(90, 8) == [
        rules.Linked(),
        Holding(5, "o", b"f", 1, 0, [1, 2]),
        Holding(6, "o", b"new", 1, 0, [9]),
        Results(5, 1, [2], [b"r2"], [], 0.5, 1, ran(0.5)),
        Constant("name", 1, b"body"),
        rules.Reclaim([7]),
        Want(b"new"),
        Demand(0, 0),
    ]
    assert busy.machine.own.count == 0
    assert busy.offer([7], b"own") == [
        Function(b"own", "function", b"body"),
        Batch(2, "n", b"own", 2, 0, 0, False, [7], [b"7"], "n"),
    ]


def test_results_of_a_finished_piece_are_named_too(busy: Bench) -> None:
    busy.finish(5, (1, b"r1", VALUE, 0.5), (2, b"r2", VALUE, 0.0))
    busy.say(Stranger())
    said = busy.link(90, 8)
    assert Holding(5, "o", b"f", 1, 0, [1, 2]) in said
    assert Results(5, 1, [1, 2], [b"r1", b"r2"], [], 0.5, 1, ran(0.5, 0.0)) in said


def test_what_the_broker_has_acknowledged_is_not_named_again(busy: Bench) -> None:
    busy.finish(5, (1, b"r1", VALUE, 0.5), (2, b"r2", VALUE, 0.0))
    busy.say(Ack())
    busy.say(Stranger())
    assert not [message for message in busy.link(90, 8) if isinstance(message, (Holding, Results))]


def test_only_so_many_finished_pieces_are_remembered(worker: Bench) -> None:
    none = worker.heard
    worker.say(BODY)
    for piece in range(1, RESULTS_REMEMBERED + 3):
        worker.say(worker.batch(piece, [piece]), acknowledged=none)
        worker.finish(piece, (piece, b"", VALUE, 0.0))
    worker.say(Stranger())
    said = worker.link(90, 8)
    for kind in (Results, Holding):  # results alone would count for whatever has that number then
        assert [message.piece for message in said if isinstance(message, kind)] == [*range(3, RESULTS_REMEMBERED + 3)]


def test_who_was_leaving_says_so_again(worker: Bench) -> None:
    worker.say(Stranger())
    worker.step(rules.Leave("done"))
    said = worker.link(90, 8)
    assert [message for message in said if isinstance(message, (Bye, Demand))] == [Demand(0, 0), Bye("it was leaving")]
    assert worker.say(Stranger()) == []


def test_an_origin_begins_again_without_demand(origin: Bench) -> None:
    origin.offer([1, 2])
    origin.offer([3])
    origin.say(Stranger())
    assert origin.link(90, 8) == [rules.Linked(), rules.Reclaim([1, 2, 3])]
    assert origin.say(results(1, [1])) == []  # of a piece of the earlier session


# -- work for this node ----------------------------------------------------------------------------------------------


def test_a_batch_is_run_when_its_function_is_there(worker: Bench) -> None:
    first, second = worker.batch(1), worker.batch(2, [2])
    assert worker.say(first) == [Want(b"f")]
    assert worker.say(second) == [Want(b"f")]
    assert worker.say(BODY) == [rules.Run(1, b"body"), rules.Run(2, b"body")]
    assert worker.say(worker.batch(3, [3])) == [rules.Run(3, b"body")]
    assert worker.machine.workload.pieces[3].name == "function"
    worker.machine.forget(b"f")
    worker.machine.forget(b"f")
    assert worker.say(worker.batch(4, [4])) == [Want(b"f")]
    assert worker.machine.statistics()["held"] == 4


def test_what_has_finished_goes_back(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(worker.batch(5, [1, 2]))
    assert worker.finish(5, (1, b"r", ERROR, 0.5)) == [Results(5, 1, [1], [b"r"], [(1, 1)], 0.5, 1, ran(0.5))]
    assert worker.machine.durations.of(b"f") == 0.5
    worker.finish(5, (2, b"r", VALUE, 0.0))
    assert worker.machine.held == {}


def test_what_was_not_started_goes_back(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(State(7, 1, 3, 0, 4))
    worker.say(worker.batch(5, [1, 2, 3]))
    assert worker.give_back(2) == [Return(5, [2, 3])]
    assert worker.machine.unmet == 1
    assert worker.give_back(1) == [Return(5, [1])]
    assert (worker.machine.held, worker.machine.unmet) == ({}, 0)


def test_cancellation_and_reports_are_of_what_is_held(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(worker.batch(5, [1, 2]))
    worker.machine.workload.queue[0].todo.popleft()
    assert worker.say(Cancel(5, [1, 2])) == [Running(5, [1])]
    (finished,) = worker.machine.workload.results()
    assert worker.step(finished) == [Results(5, 1, [2], [b""], [(2, CANCELLED)], facts=ran(0.0))]
    assert worker.say(Cancel(6, [2])) == []
    assert worker.step(rules.ReportRunning(5, [1])) == [Running(5, [1])]
    assert worker.step(rules.ReportRunning(5, [1], 3)) == [Running(5, [1], 3)]
    assert worker.step(rules.ReportRunning(6, [1])) == []


def test_futures_that_wait_for_their_function_are_handed_back(worker: Bench) -> None:
    worker.say(worker.batch(1, [1, 2]))
    worker.say(worker.batch(2, [3]))
    assert worker.say(Cancel(1, [2])) == worker.say(Cancel(2, [3])) == worker.say(Cancel(1, [9])) == []
    first, second = worker.machine.workload.results()
    assert worker.step(first) == [Results(1, 1, [2], [b""], [(2, CANCELLED)], facts=ran(0.0))]
    assert worker.step(second) == [Results(2, 1, [3], [b""], [(3, CANCELLED)], facts=ran(0.0))]
    assert worker.say(BODY) == [rules.Run(1, b"body")]
    assert [number for number, _ in worker.machine.workload.pieces[1].todo] == [1]


# -- Demand ----------------------------------------------------------------------------------------------------------


def learn(bench: Bench, seconds: float) -> None:
    bench.machine.durations.learn(b"f", seconds, 1)


def test_nothing_is_asked_for_ahead_while_the_duration_is_unknown_or_long(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(worker.batch(spent=True))
    assert worker.step(rules.NodeLoad(1, 0, False)) == []
    assert worker.step(rules.NodeLoad(0, 0, True)) == []
    learn(worker, LONG_SECONDS)
    assert worker.step(rules.NodeLoad(0, 0, True)) == []
    assert worker.step(rules.NodeLoad(0, 0, False)) == [Demand(1, 1)]


def test_a_horizon_of_short_futures_is_asked_for(worker: Bench) -> None:
    learn(worker, HORIZON_SECONDS / 10)
    assert worker.step(rules.NodeLoad(0, 0, True)) == [Demand(10, 0)]
    assert worker.step(rules.NodeLoad(0, 0, True)) == []
    worker.say(BODY)
    worker.say(worker.batch(1, range(8)))
    assert worker.step(rules.NodeLoad(8, 0, True)) == []  # two are still to come
    worker.say(worker.batch(2, range(8, 10)))
    assert worker.step(rules.NodeLoad(7, 0, True)) == []  # not worth a message yet
    assert worker.step(rules.NodeLoad(4, 0, True)) == [Demand(6, 0)]
    assert worker.step(rules.NodeLoad(0, 10, True)) == []  # own Futures are work, too


def test_demand_that_was_used_up_is_said_again(worker: Bench) -> None:
    learn(worker, HORIZON_SECONDS / 10)
    worker.step(rules.NodeLoad(0, 0, True))
    worker.say(BODY)
    worker.say(worker.batch(1, [1], spent=True))
    assert worker.step(rules.NodeLoad(1, 0, True)) == [Demand(9, 0)]


def test_to_be_idle_is_news_once(worker: Bench) -> None:
    learn(worker, HORIZON_SECONDS / 10)
    worker.step(rules.NodeLoad(0, 0, True))
    worker.say(BODY)
    worker.say(worker.batch(1, [1]))
    assert worker.step(rules.NodeLoad(0, 0, False)) == [Demand(10, 1)]
    assert worker.step(rules.NodeLoad(0, 0, False)) == []


def test_an_origin_asks_for_nothing(origin: Bench) -> None:
    assert origin.step(rules.NodeLoad(0, 0, False)) == []


def test_one_by_one_when_the_shell_says_so(worker: Bench) -> None:
    learn(worker, HORIZON_SECONDS / 10)
    assert worker.step(rules.NodeLoad(0, 0, True, one_by_one=True)) == []
    assert worker.step(rules.NodeLoad(0, 0, True)) == [Demand(10, 0)]


def test_before_the_link_nothing_is_asked_for() -> None:
    bench = Bench()
    assert bench.step(rules.NodeLoad(0, 0, False)) == []
    assert bench.machine.wanted() == 0


# -- own Futures -----------------------------------------------------------------------------------------------------


def test_an_origin_gives_what_is_asked_for(origin: Bench) -> None:
    assert origin.machine.wanted() == 0
    assert origin.say(Demand(5, 0)) == []
    assert origin.machine.wanted() == 5
    assert origin.offer([1, 2], backlog=7) == [BODY, Batch(1, "n", b"f", 1, 0, 7, False, [1, 2], [b"1", b"2"], "n")]
    assert origin.machine.wanted() == 3
    assert origin.offer([3]) == [Batch(2, "n", b"f", 1, 0, 0, False, [3], [b"3"], "n")]
    assert origin.machine.own.count == 3


def test_a_worker_gives_when_demand_is_unmet_elsewhere(worker: Bench) -> None:
    worker.say(Demand(5, 0))
    assert worker.machine.wanted() == 0
    worker.say(State(7, 2, 3, 0, 4))
    worker.say(State(7, 1, 9, 0, 4))  # older
    assert worker.machine.wanted() == worker.machine.unmet == 3
    worker.offer([1, 2])
    assert worker.machine.wanted() == 1
    worker.offer([3, 4])
    assert worker.machine.wanted() == 0


def test_urgent_futures_do_not_wait_for_demand(origin: Bench) -> None:
    assert Bench("origin").machine.urgent() == 0
    assert origin.machine.urgent() == URGENT_AT_MOST
    origin.machine.own.define(b"f", "function", b"body")
    said = origin.step(rules.Offer(b"f", [1, 2], [b"", b""], 0, priority=3, root="root"))
    assert [(batch.priority, batch.root) for batch in said if isinstance(batch, Batch)] == [(3, "root")]
    assert origin.machine.urgent() == URGENT_AT_MOST - 2


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
    assert origin.say(Running(1, [2], 3)) == [rules.Started([2], 3)]
    assert origin.say(Running(7, [2])) == []


# -- constants, and for people ---------------------------------------------------------------------------------------


def test_constants(worker: Bench) -> None:
    assert worker.say(Constant("name", 2, b"two")) == [rules.Shared("name", b"two")]
    assert worker.say(Constant("name", 2, b"again")) == []
    assert worker.step(rules.Share("name", b"three")) == [Constant("name", 3, b"three")]


def test_of_two_constants_of_one_version_the_greater_wins(worker: Bench) -> None:
    worker.step(rules.Share("name", b"mine"))
    assert worker.say(Constant("name", 1, b"a")) == []
    assert worker.say(Constant("name", 1, b"theirs")) == [rules.Shared("name", b"theirs")]


# -- questions -------------------------------------------------------------------------------------------------------


def test_a_question_and_its_answers(origin: Bench) -> None:
    assert origin.step(rules.Ask(3, "explain", "n", 5)) == [Inquire(3, "explain", 1.0, "n", 5)]
    assert origin.say(Answer(3, "b", b"report", True)) == [rules.Told(3, "b", b"report", True)]
    assert asked(origin, "generators") == {}


def asked(bench: Bench, *question: Any) -> Any:
    (answer,) = bench.say(Inquire(4, *question))
    assert (answer.number, answer.name, answer.last) == (4, "n", True)
    return msgpack.unpackb(answer.report)


def test_a_worker_answers_for_what_it_holds(worker: Bench) -> None:
    worker.say(BODY)
    worker.say(worker.batch(5, [1, 2]))
    assert asked(worker, "statistics")["held"] == 2
    assert asked(worker, "explain", 1.0, "o", 2) == 1
    assert worker.say(Inquire(4, "generators")) == [rules.Look(4, "generators")]
    (answer,) = worker.step(rules.Looked(4, {"variables": []}))
    assert (answer.number, msgpack.unpackb(answer.report), answer.last) == (4, {"variables": []}, True)
    assert asked(worker, "explain", 1.0, "other", 2) == asked(worker, "explain", 1.0, "o", 9) == "not known to n"


def test_explain_and_statistics(origin: Bench) -> None:
    origin.offer([1])
    assert origin.machine.own.explain(1, "n") == "given to the Broker by n in piece 1"
    assert origin.machine.own.explain(2, "n").startswith("not given away by n")
    assert origin.machine.statistics() == {
        "held": 0, "given": 1, "own": 0, "busy": 0, "functions": 0, "unacknowledged": 2,
    }  # fmt: skip


def test_check_finds_what_is_wrong(origin: Bench) -> None:
    origin.offer([1])
    machine = origin.machine
    machine.own.count = 2
    with pytest.raises(LocalProtocolError, match="count"):
        machine.check()
    machine.own.count = 1
    machine.own.where[5] = 1
    with pytest.raises(LocalProtocolError, match="in no piece"):
        machine.check()
    del machine.own.where[5]
    machine.workload.hold(Batch(1, "o", b"f", 1, 0, 0, False, [], []))
    with pytest.raises(LocalProtocolError, match="empty piece"):
        machine.check()


# -- modules and files -----------------------------------------------------------------------------------------------

KEY = b"import helper"


def test_a_module_is_asked_for_once_until_it_comes(worker: Bench) -> None:
    assert worker.step(rules.Require(KEY)) == [Want(KEY)]
    assert worker.step(rules.Require(KEY)) == []
    assert worker.say(Function(KEY, "helper", b"text")) == [rules.Provided(KEY, "helper", b"text")]
    assert worker.say(Function(KEY, "helper", b"text")) == []
    assert worker.machine.statistics()["functions"] == 0


def test_a_worker_that_is_not_linked_yet_asks_then() -> None:
    bench = Bench()
    bench.tick()
    bench.step(rules.NodeLoad(0, 0, busy=True))
    assert bench.step(rules.Require(KEY)) == []
    assert [said for said in bench.link() if isinstance(said, (Want, Demand))] == [Want(KEY)]


def test_in_a_new_session_modules_and_files_are_asked_for_again(worker: Bench) -> None:
    worker.step(rules.Require(KEY))
    worker.step(rules.FetchFile("file-1"))
    worker.say(Stranger())
    said = worker.link(session=90, incarnation=8)
    assert [one for one in said if isinstance(one, (Want, Fetch))] == [Want(KEY), Fetch("file-1")]
    worker.say(Function(KEY, "", b""))
    worker.say(Fetched("file-1", 5))
    worker.say(Stranger())
    assert not [one for one in worker.link(session=95, incarnation=9) if isinstance(one, (Want, Fetch))]


def test_an_origin_is_asked_and_answers(origin: Bench) -> None:
    assert origin.say(Want(KEY)) == [rules.Asked(KEY)]
    assert origin.step(rules.Provide(KEY, "helper", b"text")) == [Function(KEY, "helper", b"text")]
    assert origin.say(Want(b"unknown")) == []


def test_workers_are_not_asked_for_modules(worker: Bench) -> None:
    assert worker.say(Want(KEY)) == []


def test_a_file_is_fetched(worker: Bench) -> None:
    assert worker.step(rules.FetchFile("file-1")) == [Fetch("file-1")]
    assert worker.say(Fetched("file-2", 5)) == []
    assert worker.say(Fetched("file-1", 5)) == [rules.FileFetched("file-1", 5)]
    assert worker.say(Fetched("file-1", 5)) == []


# -- lanes: lone calls to a Worker that is lent ------------------------------------------------------------------------

ON_LANE = LANE_PIECES + 1


def lone(bench: Bench, number: int = 1) -> Batch:
    """Make a lone call; return what goes over the lane."""
    [action] = bench.offer([number])
    assert isinstance(action, rules.LaneSend)
    assert isinstance(action.message, Batch)
    return action.message


def test_a_lone_call_goes_over_the_lane_and_the_next_one_beside_it_to_the_broker(origin: Bench) -> None:
    assert origin.machine.wanted() == 0
    origin.lend()
    assert origin.machine.wanted() == 1, "without any Demand of the Broker's"
    assert lone(origin).piece == ON_LANE
    assert origin.machine.wanted() == 0
    assert origin.machine.statistics()["given"] == 1
    origin.say(Demand(4, 1))
    assert [type(said) for said in origin.offer([2])] == [Function, Batch]
    [resolve] = origin.step(rules.LaneArrived(7, Results(ON_LANE, 1, [1], [b"v"])))
    assert resolve == rules.Resolve([1], [b"v"], [])
    assert origin.machine.wanted() == 3, "while another one is with the Broker it is no lone call"


def test_what_is_shared_is_not_overtaken_by_a_lone_call(origin: Bench) -> None:
    origin.lend()
    assert origin.step(rules.Share("x", b"new")) == [rules.CloseLane(7), Constant("x", 1, b"new")]
    assert origin.machine.wanted() == 0


def test_a_future_that_has_crashed_a_lent_worker_is_given_apart_and_counts_that(origin: Bench) -> None:
    origin.lend()
    lone(origin)
    origin.step(rules.LaneClosed(7))
    origin.say(Demand(4, 1))
    assert origin.say(LeaseEnded(7, 0, 1, messages.ALONE_FLAG)) == [rules.Reclaim([1])]
    batches = [said for said in origin.offer([2, 1]) if isinstance(said, Batch)]
    assert [(one.ids, one.attempt, one.crashes, one.flags) for one in batches] == [
        ([2], 1, 0, 0),
        ([1], 2, 1, messages.ALONE_FLAG),
    ]


def test_a_lane_that_ends_without_a_word_is_waited_for_no_longer_than_that(origin: Bench) -> None:
    origin.lend()
    lone(origin)
    origin.step(rules.LaneClosed(7))
    due = origin.machine.next_deadline()
    assert due is not None
    origin.now = due
    while rules.Reclaim([1]) not in origin.tick():
        assert origin.now < due + 5.0
        origin.now += 0.5


def test_what_is_on_a_lane_is_asked_back_there(origin: Bench) -> None:
    origin.lend()
    lone(origin)
    assert origin.step(rules.CancelGiven([1])) == [rules.LaneSend(7, Cancel(ON_LANE, [1]))]
    origin.step(rules.CancelGiven([1], running=True))
    assert Cancel(ON_LANE, [1], True) in origin.tick()


def test_when_the_broker_has_ended_with_its_workers_what_is_on_lanes_comes_back(origin: Bench) -> None:
    origin.lend()
    lone(origin)
    assert origin.step(rules.BrokerEnded())[:2] == [rules.CloseLane(7), rules.Reclaim([1])]


def test_a_worker_that_is_lent_asks_for_nothing_until_it_is_taken_back(worker: Bench) -> None:
    worker.step(rules.NodeLoad(0, 0, False))
    assert worker.lend() == [rules.OpenLane(7, "o"), rules.LaneSend(7, Lend(7, "n"))]
    assert worker.step(rules.NodeLoad(0, 0, False)) == []
    worker.say(BODY)
    [run] = worker.step(rules.LaneArrived(7, worker.batch(ON_LANE)))
    assert run == rules.Run(ON_LANE, b"body")
    assert worker.finish(ON_LANE, (1, b"v", VALUE, 0.1))[0].message.piece == ON_LANE
    said = worker.say(TakeBack(7))
    assert LeaseEnded(7, 1) in said
    assert rules.CloseLane(7) in said
    assert [type(one) for one in worker.step(rules.NodeLoad(0, 0, False))] == [Demand]


def test_what_came_over_a_lane_stays_there_in_a_new_session(worker: Bench) -> None:
    worker.say(BODY)
    worker.lend()
    worker.step(rules.LaneArrived(7, worker.batch(ON_LANE)))
    worker.step(rules.Rejoin())
    said = worker.link(session=71, incarnation=8)
    assert not [one for one in said if isinstance(one, Holding)]
    assert LeaseEnded(7, 1) in said
    [results, close] = worker.finish(ON_LANE, (1, b"v", VALUE, 0.1))
    assert (results.number, results.message.outcomes, close) == (7, [b"v"], rules.CloseLane(7))


def test_what_came_over_a_lane_goes_back_over_it(worker: Bench) -> None:
    worker.say(BODY)
    worker.lend()
    worker.step(rules.LaneArrived(7, worker.batch(ON_LANE)))
    assert worker.step(rules.ReportRunning(ON_LANE, [1])) == [rules.LaneSend(7, Running(ON_LANE, [1]))]
    assert worker.give_back(1) == [rules.LaneSend(7, Return(ON_LANE, [1]))]


def test_a_lease_that_is_not_used_ends(worker: Bench) -> None:
    worker.lend()
    worker.now = 2.0
    assert LeaseEnded(7, 0) in worker.tick()


def test_a_worker_that_leaves_ends_its_lease_first(worker: Bench) -> None:
    worker.lend()
    said = worker.step(rules.Leave("enough"))
    assert said.index(LeaseEnded(7, 0)) < said.index(Bye("enough"))
    assert LeaseEnded(8, 0) in worker.lend(8)


def test_no_broker_gives_pieces_with_numbers_of_lanes(worker: Bench) -> None:
    with pytest.raises(RemoteProtocolError):
        worker.say(worker.batch(ON_LANE))
