"""What peers hold for a Broker that stood here before is matched with what submitters name again."""

from __future__ import annotations

import msgpack
import pytest

from fedfutures.broker.adoption import KEEP_SECONDS
from fedfutures.broker.events import Expect
from fedfutures.broker.recovery import CRASH_LIMIT
from fedfutures.wire.messages import (
    CANCELLED,
    ERROR,
    POISONED,
    Ack,
    Batch,
    Cancel,
    Demand,
    Function,
    Holding,
    Results,
    Return,
    Running,
    Want,
)

from .bench import BODY, Bench, results


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """A Broker that was started again."""
    bench.step(Expect([]))
    return bench


@pytest.fixture
def holder(bench: Bench) -> Bench:
    """A Worker holds 1 to 3 of the Origin, in its piece 5."""
    bench.join("w")
    bench.say("w", Holding(5, "o", b"f", 1, 0, [1, 2, 3]), Demand(0, 0))
    return bench


def told(bench: Bench, peer: str = "o") -> list[tuple[list[int], list[tuple[int, int]]]]:
    return [(sorted(each.ids), each.odd) for each in bench.heard_by(peer, Results)]


def test_what_is_running_goes_on_when_its_submitter_names_it(holder: Bench) -> None:
    holder.join("v", demand=9)
    holder.submit(ids=[1, 2, 3], piece=8, attempt=2)
    assert holder.given_to("v") == holder.given_to("w") == []
    holder.say("w", Running(5, [1]), results(5, [1, 2]), results(5, [3]))
    assert holder.heard_by("o", Running) == [Running(8, [1])]
    assert told(holder) == [([1, 2], []), ([3], [])]
    assert not holder.broker.ledger.intakes


def test_what_is_queued_is_given_to_nobody_else_when_it_turns_out_to_be_held(bench: Bench) -> None:
    bench.submit(ids=[1, 2, 3], piece=8)
    bench.submit(ids=[4], piece=9, function=b"new")
    bench.join("w")
    bench.say("w", Holding(5, "o", b"f", 1, 0, [2, 3]), Holding(6, "o", b"new", 1, 0, [4]), Demand(0, 0))
    bench.join("v", demand=9)
    assert bench.given_to("v") == [[1]]
    bench.say("w", results(5, [2, 3]), results(6, [4]))
    assert told(bench) == [([2, 3], []), ([4], [])]
    assert not bench.broker.ledger.parked


def test_only_what_is_held_is_kept_back(holder: Bench) -> None:
    holder.join("v", demand=9)
    holder.submit(ids=[3, 4], piece=8)
    assert holder.given_to("v") == [[4]]
    holder.say("w", results(5, [3]))
    assert told(holder) == [([3], [])]


def test_a_holding_may_belong_to_several_batches(holder: Bench) -> None:
    holder.submit(ids=[1], piece=8)
    holder.submit(ids=[2], piece=9)
    holder.submit(ids=[3], piece=10)
    holder.say("o", Cancel(9, [2]))
    assert holder.heard_by("w", Cancel) == [Cancel(5, [2])]
    holder.say("w", results(5, [1, 3]), results(5, [2], odd=[(2, CANCELLED)]))
    assert told(holder) == [([1], []), ([3], []), ([2], [(2, CANCELLED)])]
    assert not holder.broker.ledger.accounts["w"].shards


def test_running_is_told_to_whom_it_concerns(holder: Bench) -> None:
    for piece, number in ((8, 1), (9, 2), (10, 3)):
        holder.submit(ids=[number], piece=piece)
    holder.say("w", Running(5, [2]))
    assert holder.heard_by("o", Running) == [Running(9, [2])]


def test_a_batch_may_be_spread_over_several_holdings(holder: Bench) -> None:
    holder.join("v")
    holder.say("v", Holding(5, "o", b"f", 1, 0, [4, 5]), Holding(6, "o", b"f", 1, 0, [6]))
    holder.submit(ids=range(1, 7), piece=8)
    assert len(holder.broker.ledger.accounts["v"].held) == 2
    holder.say("v", results(6, [6]), results(5, [4, 5]))
    holder.say("w", results(5, [1, 2, 3]))
    assert told(holder) == [([6], []), ([4, 5], []), ([1, 2, 3], [])]


def test_futures_of_another_submitter_have_other_names(holder: Bench) -> None:
    holder.join("p", "origin")
    holder.join("v", demand=9)
    holder.submit("p", [1, 2], piece=8)
    assert sum(len(ids) for ids in holder.given_to("v")) == 1


def test_outcomes_that_come_before_their_batch_are_kept_for_it(holder: Bench) -> None:
    holder.say("w", results(5, [1, 2], odd=[(2, ERROR)]))
    assert told(holder) == []
    holder.submit(ids=[1, 2, 3], piece=8)
    assert told(holder) == [([1, 2], [(2, ERROR)])]
    holder.say("w", results(5, [3]))
    assert told(holder) == [([3], [])]


def test_all_outcomes_may_come_before_their_batch(holder: Bench) -> None:
    holder.say("w", results(5, [1, 2, 3]))
    holder.submit(ids=[1, 2, 3], piece=8)
    assert told(holder) == [([1, 2, 3], [])]
    assert not holder.broker.ledger.intakes
    assert not holder.broker.adoption.orphans.get("w")


def test_what_was_cancelled_or_returned_meanwhile_is_not_held(holder: Bench) -> None:
    holder.say("w", results(5, [1], odd=[(1, CANCELLED)]), Return(5, [2]))
    holder.join("v", demand=9)
    holder.submit(ids=[1, 2, 3], piece=8)
    (given,) = holder.given_to("v")
    assert given == [1]
    assert holder.broker.explain("o", 3) == "with w, attempt 1, 0 crashes"


def test_a_cancellation_nobody_asked_for_is_a_return(holder: Bench) -> None:
    """An earlier Broker had asked for it, not the submitter."""
    holder.submit(ids=[1, 2, 3], piece=8)
    holder.say("w", results(5, [1, 2], odd=[(1, CANCELLED)]))
    assert told(holder) == [([2], [])]
    holder.join("v", demand=9)
    assert holder.given_to("v") == [[1]]


def test_what_a_holder_that_dies_held_runs_elsewhere(holder: Bench) -> None:
    holder.submit(ids=[1], piece=8)
    holder.lose("w")
    holder.join("v", demand=9)
    assert holder.given_to("v") == [[1]]
    holder.submit(ids=[2, 3], piece=9)
    holder.say("v", Demand(9, 1))
    assert holder.given_to("v") == [[2]]


def test_an_outcome_outlives_nothing(holder: Bench) -> None:
    """With the Worker its session goes; the submitter has the Future run again, which is safe."""
    holder.say("w", results(5, [1]))
    holder.lose("w")
    holder.join("v", demand=9)
    holder.submit(ids=[1], piece=8)
    assert holder.given_to("v") == [[1]]


def test_crashes_are_remembered_by_who_holds(bench: Bench) -> None:
    bench.join("w")
    bench.say("w", Holding(5, "o", b"f", 3, CRASH_LIMIT - 1, [1]))
    bench.submit(piece=8)
    bench.lose("w", (5, 1))
    (found,) = bench.heard_by("o", Results)
    assert found.odd == [(1, POISONED)]
    assert msgpack.unpackb(found.outcomes[0])[3] == CRASH_LIMIT


def test_a_future_of_a_shared_number_is_blamed_alone(holder: Bench) -> None:
    for piece, number in ((8, 1), (9, 2), (10, 3)):
        holder.submit(ids=[number], piece=piece)
    holder.lose("w", (5, 2))
    assert holder.broker.recovery.crashes == 1
    held = {tuple(lot.ids): lot.terms.crashes for lot in holder.broker.ledger.lots()}
    assert held == {(1,): 0, (2,): 1, (3,): 0}


def test_after_a_minute_what_nobody_has_named_is_asked_back(holder: Bench) -> None:
    assert holder.broker.adoption.deadline() == KEEP_SECONDS
    holder.tick(KEEP_SECONDS - 1.0)
    holder.say("w", Ack())
    assert holder.heard_by("w", Cancel) == []
    holder.say("w", results(5, [1]))
    holder.tick(1.0)
    assert holder.heard_by("w", Cancel) == [Cancel(5, [1, 2, 3])]
    assert not holder.broker.adoption.orphans
    assert holder.broker.adoption.deadline() is None
    holder.join("v", demand=9)
    holder.submit(ids=[1], piece=8)
    assert holder.given_to("v") == [[1]]


def test_the_broker_wakes_for_its_orphans(holder: Bench) -> None:
    holder.tick(KEEP_SECONDS - 0.1)
    for name in ("o", "w"):
        holder.say(name, Ack())
    holder.tick()
    due = holder.broker.next_deadline()
    assert due is not None
    assert due <= KEEP_SECONDS


def test_what_is_said_twice_is_held_once(holder: Bench) -> None:
    holder.join("v")
    holder.say("v", Holding(7, "o", b"f", 1, 0, [1]), Holding(7, "o", b"f", 1, 0, [1]))
    holder.say("w", Holding(5, "o", b"f", 1, 0, [9]))
    assert [len(orphan.ids) for held in holder.broker.adoption.orphans.values() for orphan in held.values()] == [3]
    assert not holder.broker.adoption.orphans.get("v")


def test_new_pieces_have_numbers_of_their_own(holder: Bench) -> None:
    holder.submit(ids=[7], piece=8)
    holder.say("w", Demand(1, 1))
    assert [batch.piece for batch in holder.heard_by("w", Batch)] == [6]


def test_who_holds_and_lacks_the_function_gets_it_when_it_is_known(bench: Bench) -> None:
    """The Want may come before the submitter has named the function to this Broker."""
    bench.join("w")
    bench.say("w", Holding(5, "o", b"new", 1, 0, [1]), Want(b"new"))
    bench.say("o", Function(b"new", "new", b"body"))
    bench.submit(function=b"new")
    assert len(bench.heard_by("w", Function)) == 1


def test_of_two_that_lack_a_function_the_one_that_stays_is_asked(bench: Bench) -> None:
    bench.join("p", "origin")
    bench.submit("p", function=b"new")
    bench.submit("o", function=b"new")
    bench.lose("p")
    assert bench.heard_by("o", Want) == [Want(b"new")]


def test_a_neighbour_is_asked_again_for_a_function_in_a_new_session(bench: Bench) -> None:
    bench.neighbour("n")
    bench.submit("n", [1], submitter="x", function=b"new")
    assert bench.heard_by("n", Want) == [Want(b"new")]
    bench.neighbour("n", incarnation=4)
    assert bench.heard_by("n", Want) == [Want(b"new")]


def test_adoption_know_nothing_of_bodies(holder: Bench) -> None:
    assert holder.broker.functions.definitions == {b"f": BODY}
