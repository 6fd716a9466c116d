"""Laws of what nodes say: each holds for what is as it should be, and is broken by what it forbids."""

from __future__ import annotations

import pytest

from fedfutures.federation.channel import Channel
from fedfutures.federation.events import Send
from fedfutures.federation.terms import Terms
from fedfutures.simulation import saying
from fedfutures.simulation.checker import Checker
from fedfutures.simulation.records import LawBroken
from fedfutures.simulation.running import BegunFuture
from fedfutures.wire.messages import (
    CANCELLED,
    PROTOCOL,
    Cancel,
    Demand,
    Function,
    Hello,
    Results,
    Return,
    State,
    Stranger,
    Welcome,
)

from .cases import KEY, PAYLOAD, Case, batch, is_broken, takes

TERMS = Terms("o", b"f", "o", 0, 1, 0)
HELLO = Hello(PROTOCOL, "worker", "b.1", 700, 1, 0, 2)


@pytest.fixture
def case() -> Case:
    return Case()


def hold(case: Case, peer: str, *ids: int, piece: int = 1) -> None:
    """Let a peer of the Broker hold Futures that the program has given."""
    ledger = case.system.brokers["b"].machine.ledger
    given = len(ledger.accounts["o"].intakes) + 100
    lot = ledger.admit("o", given, TERMS, list(ids), [b""] * len(ids))
    ledger.accounts[peer].last_piece = piece - 1
    ledger.give(lot, len(ids), peer, 0.1)

    return Terms("o", b"f", "o", 0, 1, 0)


def test_a_number_is_of_one_message(case: Case) -> None:
    checker = Checker(case.system, loses_frames=False)
    last = case.origin.machine.channel.last
    first, other = Cancel(1, [1]), Cancel(1, [1])
    for _ in range(2):
        checker.on_send(1.0, "o", "b", Send("", first, last + 1, 0))
    with pytest.raises(LawBroken, match="M1"):
        checker.on_send(1.0, "o", "b", Send("", other, last + 1, 0))


def test_what_is_repeated_is_not_said_again(case: Case) -> None:
    checker = Checker(case.system, loses_frames=False)
    last = case.origin.machine.channel.last
    results = Results(1, 1, [1], [b""])
    for _ in range(2):
        checker.on_send(1.0, "b", "o", Send("o", results, last + 1, 0))
    with pytest.raises(LawBroken, match="M4"):
        checker.on_send(1.0, "b", "o", Send("o", Results(1, 1, [1], [b""]), last + 2, 0))


def test_a_function_goes_before_its_futures_in_each_session(case: Case) -> None:
    law, first, second = case.law(saying.FunctionsFirst), Channel(1), Channel(2)
    assert is_broken(law, law.says, "o", "b", batch(1), first)
    law.says("o", "b", Function(b"f", "f", b""), first)
    assert not is_broken(law, law.says, "o", "b", batch(1), first)
    assert is_broken(law, law.says, "o", "b", batch(1), second)
    assert not is_broken(law, law.says, "b", "c", batch(1), second), "Brokers are asked for what they have not sent"


def test_what_a_submitter_gives_in_another_session_is_another_attempt(case: Case) -> None:
    law, session = case.law(saying.LossesCount), case.origin.machine.channel
    for _ in range(2):
        assert not is_broken(law, law.gives, "o", "b", batch(1), 1)
    case.origin.machine.channel = Channel(9)
    assert case.origin.machine.channel is not session
    assert is_broken(law, law.gives, "o", "b", batch(1), 1)
    assert not is_broken(law, law.gives, "o", "b", batch(1, attempt=2), 1)


def test_what_a_lost_worker_held_is_another_attempt(case: Case) -> None:
    law = case.law(saying.LossesCount)
    hold(case, "b.1", 1)
    law.gives("b", "b.1", batch(1), 1)
    source = case.system.brokers["b"].source_of("b.1", 1)
    assert not is_broken(law, law.gives, "b", "b.1", batch(1), 2), "it may have come back"
    case.records.leave("b.1")
    assert is_broken(law, law.gives, "b", "b.1", batch(1), 3)
    assert not is_broken(law, law.gives, "b", "b.1", batch(1, attempt=2), 3)
    takes(law, "b", "b.1", Return(1, [1], 3))
    assert source is not None
    assert is_broken(law, law.gives, "b", "b.1", batch(1, attempt=2), 4), "it has come back as the third"
    assert not is_broken(law, law.gives, "b", "b.1", batch(1, attempt=3), 4)


def test_what_was_handed_back_is_not_lost(case: Case) -> None:
    law = case.law(saying.LossesCount)
    hold(case, "b.1", 1)
    law.gives("b", "b.1", batch(1), 1)
    law.comes("b", "b.1", Results(1, 1, [1], [b""], [(1, CANCELLED)]))
    case.records.leave("b.1")
    assert not is_broken(law, law.gives, "b", "b.1", batch(1), 3)


def test_results_that_may_be_lost_are_said_in_the_next_session(case: Case) -> None:
    law, old, new = case.law(saying.ResultsAgain), Channel(1), Channel(2)
    results = Results(1, 1, [1, 2], [b"", b""])
    old.number(results, 0.0)
    law.says("b.1", "b", results, old)
    law.says("b.1", "b", Demand(0, 0), new)
    assert is_broken(law, law.sampled, True)
    law.says("b.1", "b", Results(1, 1, [1], [b""]), new)
    assert is_broken(law, law.sampled, True)
    law.says("b.1", "b", Results(1, 1, [2], [b""]), new)
    assert not is_broken(law, law.sampled, True)


def test_who_has_left_is_silent(case: Case) -> None:
    law, channel = case.law(saying.LeaversAreSilent), Channel(1)
    takes(law, "o", "b", Stranger())
    assert not is_broken(law, law.says, "o", "b", HELLO, channel)
    case.records.leave("o")
    assert not is_broken(law, law.says, "o", "b", HELLO, channel), "its Broker may know it"
    takes(law, "o", "b", Stranger())
    assert is_broken(law, law.says, "o", "b", HELLO, channel)
    assert is_broken(law, law.sampled, True), "its machine has a deadline"


def test_a_worker_says_that_it_is_idle(case: Case) -> None:
    law, machine = case.law(saying.SaysItIsIdle), case.worker.machine
    machine.workload.hold(batch(1)).todo.clear()
    law.sampled(True)
    assert is_broken(law, law.sampled, True)
    law.says("b.1", "b", Demand(1, 1), machine.channel)
    assert not is_broken(law, law.sampled, True)
    takes(law, "b.1", "b", batch(2, piece=2))
    law.sampled(True)
    assert is_broken(law, law.sampled, True), "it has been given more since"
    machine.workload.lacking.add(1)
    assert not is_broken(law, law.sampled, True)
    assert is_broken(law, law.says, "b.1", "b", Demand(1, 1), machine.channel)


def test_an_older_state_changes_nothing(case: Case) -> None:
    law, machine = case.law(saying.OldNewsIsNone), case.worker.machine
    for number, unmet, breaks in ((2, 5, False), (1, 7, True), (1, 5, False), (3, 8, False)):
        state = State(9, number, unmet, 0, 1)
        law.comes("b.1", "b", state)
        machine.unmet = unmet
        assert takes(law, "b.1", "b", state) == breaks
        machine.unmet = 5
    law.comes("o", "b", State(9, 1, 0, 0, 1))
    assert not takes(law, "o", "b", State(9, 1, 0, 0, 1)), "an Origin does not hear it"


def test_an_answer_to_an_earlier_hello_changes_nothing(case: Case) -> None:
    law, machine = case.law(saying.OldNewsIsNone), case.worker.machine
    law.says("b.1", "b", HELLO, None)
    for greeter, breaks in ((701, True), (702, False)):
        welcome = Welcome(PROTOCOL, "b", 1, 5, greeter)
        law.comes("b.1", "b", welcome)
        machine.channel = Channel(greeter)
        assert takes(law, "b.1", "b", welcome) == breaks


def test_a_known_node_that_says_hello_keeps_its_session(case: Case) -> None:
    law, peer = case.law(saying.OldNewsIsNone), case.system.brokers["b"].machine.peers["b.1"]
    for incarnation, breaks in ((peer.incarnation, True), (peer.incarnation + 1, False)):
        hello = Hello(PROTOCOL, "worker", "b.1", incarnation, 1)
        law.comes("b", "b.1", hello)
        peer.channel = Channel(incarnation)
        assert takes(law, "b", "b.1", hello) == breaks


def test_what_a_worker_was_asked_to_drop_does_not_begin(case: Case) -> None:
    law, worker = case.law(saying.CancelledIsOver), case.worker
    piece = worker.workload.hold(batch(1))
    worker.current = BegunFuture(piece, 1, PAYLOAD, b"f", 1.0)
    takes(law, "b.1", "b", Cancel(1, [2]))
    takes(law, "b.1", "b", Cancel(1, [1]), is_new=False)
    assert not is_broken(law, law.started, "b.1", KEY, 1)
    takes(law, "b.1", "b", Cancel(1, [1]))
    assert is_broken(law, law.started, "b.1", KEY, 1)


def test_what_was_cancelled_is_not_given_out(case: Case) -> None:
    law = case.law(saying.CancelledIsOver)
    hold(case, "b.1", 1)
    takes(law, "b", "o", Cancel(101, [1]))
    assert not is_broken(law, law.gives, "b", "b.1", batch(1), 1), "another piece"
    takes(law, "b", "o", Cancel(100, [1]))
    assert is_broken(law, law.gives, "b", "b.1", batch(1), 1)
