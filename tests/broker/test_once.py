"""Futures that start once at most: what may have begun resolves, what has not goes on, and nothing starts twice."""

from __future__ import annotations

import pytest

from fedfutures.broker.events import LEFT, PeerLost
from fedfutures.broker.lots import Lot
from fedfutures.broker.once import CLAIM_SECONDS, NAMED_AGAIN, SILENT_SECONDS
from fedfutures.federation.terms import Conditions, Terms
from fedfutures.wire.messages import BEGUN_ONCE, CANCELLED, ONCE_FLAG, Cancel, Results, Return

from .test_recovery import Ward

ONCE = Terms("o", b"f", "o", 0, 1, 0, conditions=Conditions(flags=ONCE_FLAG))
AGAIN = ONCE._replace(attempt=2)


class Once(Ward):
    def queue_once(self, *ids: int, terms: Terms = ONCE, giver: str = "o") -> Lot:
        self.batches += 1
        return self.ledger.admit(giver, self.batches, terms, list(ids), [b"p"] * len(ids))

    def give_once(self, holder: str, *ids: int, terms: Terms = ONCE) -> int:
        return self.ledger.give(self.queue_once(*ids, terms=terms), len(ids), holder, 0.0)[0]


@pytest.fixture
def ward() -> Once:
    return Once()


def ended(begun: tuple[int, int] | None) -> PeerLost:
    return PeerLost("w", "signal SIGKILL", True, begun, "", "host", begun=begun)


def test_what_a_worker_had_begun_resolves_and_the_others_go_on(ward: Once) -> None:
    first, second = ward.give_once("w", 1), ward.give_once("w", 2)
    how = ended((first, 1))
    ward.recovery.blame(how, 1, 0.0)
    ward.recovery.take_back_all("w", 1, 0.0, how=how)
    assert ward.odd() == [("o", [1], [(1, BEGUN_ONCE)])]
    assert ward.waiting() == [([2], 1, 0)], "as if nothing had happened"
    assert (ward.recovery.crashes, second) == (0, 2)


def test_where_nobody_knows_what_has_begun_all_resolves(ward: Once) -> None:
    ward.give_once("w", 1)
    ward.recovery.take_back_all("w", 1, 0.0)
    assert ward.odd() == [("o", [1], [(1, BEGUN_ONCE)])]
    assert ward.waiting() == []


def test_who_leaves_on_purpose_has_begun_nothing(ward: Once) -> None:
    ward.give_once("w", 1)
    ward.recovery.take_back_all("w", 1, 0.0, how=LEFT)
    assert (ward.odd(), ward.waiting()) == ([], [([1], 1, 0)])


def test_what_was_with_a_broker_before_has_begun_whatever_its_worker_says(ward: Once) -> None:
    ward.give_once("w", 1, terms=AGAIN)
    ward.recovery.take_back_all("w", 1, 0.0, how=ended((9, 9)))
    assert ward.odd() == [("o", [1], [(1, BEGUN_ONCE)])]


def test_what_was_cancelled_and_may_have_begun_is_not_said_to_be_cancelled(ward: Once) -> None:
    first, second = ward.give_once("w", 1), ward.give_once("w", 2)
    ward.recovery.cancel("o", Cancel(1, [1]), 0.0)
    ward.recovery.cancel("o", Cancel(2, [2]), 0.0)
    assert [said for _, said in ward.said()] == [Cancel(first, [1]), Cancel(second, [2])]
    ward.recovery.take_back_all("w", 1, 0.0, how=ended((first, 1)))
    assert ward.odd() == [("o", [1], [(1, BEGUN_ONCE)]), ("o", [2], [(2, CANCELLED)])]


def test_a_silent_neighbour_keeps_it_for_a_while(ward: Once) -> None:
    number = ward.give_once("n", 1)
    ward.give("n", 2)
    ward.recovery.on_silence("n", 1, 0.0)
    assert ward.waiting() == [([2], 2, 0)], "others are given out again"
    assert ward.recovery.once.due == SILENT_SECONDS
    ward.recovery.expire(SILENT_SECONDS - 0.1)
    assert ward.odd() == []
    ward.recovery.expire(SILENT_SECONDS)
    assert ward.odd() == [("o", [1], [(1, BEGUN_ONCE)])]
    assert ward.recovery.once.due is None
    ward.recovery.recall_doubtful(ward.n, 20.0)
    assert Cancel(number, [1]) in [said for _, said in ward.said()], "it is not to start any more"
    late = Results(number, 1, [1], [b"r"], [])
    ward.recovery.settle_doubtful("n", late, 20.0)
    assert ward.odd() == [], "it has resolved"


def test_what_nobody_waits_for_any_more_does_not_stay_with_a_silent_neighbour(ward: Once) -> None:
    ward.give_once("n", 1)
    ward.recovery.on_silence("n", 1, 0.0)
    ward.recovery.drop_submissions("o", 1.0)
    assert ward.ledger.accounts["n"].pending == 1
    ward.recovery.expire(SILENT_SECONDS)
    assert (ward.ledger.accounts["n"].pending, ward.ledger.accounts["n"].held) == (0, {})


def test_a_neighbour_that_is_heard_again_has_it_still(ward: Once) -> None:
    ward.give_once("n", 1)
    ward.recovery.on_silence("n", 1, 0.0)
    ward.recovery.recall_doubtful(ward.n, 1.0)
    ward.recovery.expire(SILENT_SECONDS)
    assert (ward.said(), ward.waiting()) == ([], [])
    assert [piece.holder for piece in ward.recovery.once.pieces("n")] == ["n"]


def test_to_a_neighbour_that_begins_anew_it_is_named_again(ward: Once) -> None:
    ward.give_once("n", 1, 2)
    ward.recovery.cancel("o", Cancel(1, [2]), 0.0)
    ward.said()
    ward.recovery.take_back_all("n", 1, 0.0, ("lent",))
    assert ward.odd() == [("o", [2], [(2, BEGUN_ONCE)])]
    [lot] = ward.ledger.parked["lent",]
    assert (lot.ids, lot.terms.attempt, lot.terms.may_have_begun) == ([1], 2, True)


def test_who_is_named_again_waits_for_its_holder_and_no_longer(ward: Once) -> None:
    lot = ward.queue_once(1, 2, terms=AGAIN)
    ward.recovery.once.wait(lot, 5.0)
    assert (lot.key, ward.recovery.once.due) == (NAMED_AGAIN, 5.0 + CLAIM_SECONDS)
    ward.recovery.cancel("o", Cancel(1, [1]), 5.0)
    assert ward.odd() == [], "nobody can say that it has not begun"
    ward.ledger.adopt(lot, {2}, "w", 7, 0)
    ward.recovery.expire(5.0 + CLAIM_SECONDS)
    assert ward.odd() == [("o", [1], [(1, BEGUN_ONCE)])]
    assert [list(piece.pending) for piece in ward.recovery.once.pieces("w")] == [[2]]


def test_a_stopped_worker_keeps_it(ward: Once) -> None:
    number = ward.give_once("w", 1)
    ward.recovery.set_aside("w", None, 1, 0.0)
    assert (ward.waiting(), ward.recovery.doubtful, number) == ([], {}, 1)


def test_what_comes_back_unstarted_is_the_first_attempt() -> None:
    assert AGAIN.not_begun() == ONCE == ONCE.not_begun()
    assert AGAIN.after_return("n", 2, 0) == ONCE._replace(barred=("n",))
    assert Return(1, [1], 2).attempt == 2
