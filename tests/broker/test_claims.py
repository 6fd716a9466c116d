"""A peer may say that it holds Futures where a new session explains it."""

from __future__ import annotations

import pytest

from fedfutures.broker.claims import LAST_NUMBER, RECOVERY_SECONDS, Claims
from fedfutures.broker.events import Expect
from fedfutures.broker.lots import Piece
from fedfutures.federation.terms import Terms
from fedfutures.wire.messages import CANCELLED, LOST, Batch, Cancel, Demand, Holding, Results

from .bench import Bench, results

TERMS = Terms("o", b"f", "o", 0, 1, 0)


def holding(*ids: int, piece: int = 5, submitter: str = "o", proofs: list[bytes] | None = None) -> Holding:
    return Holding(piece, submitter, b"f", 1, 0, list(ids), proofs or [])


@pytest.fixture
def claims() -> Claims:
    """A Broker that was started again at 10, and a peer in its first session."""
    made = Claims()
    made.on_restart(10.0)
    made.on_first_session("n")
    return made


def test_after_a_restart_peers_are_believed_for_a_while(claims: Claims) -> None:
    assert claims.explained("n", holding(1, 2), 10.0) == [1, 2]
    assert claims.explained("n", holding(3), 9.9 + RECOVERY_SECONDS) == [3]
    assert claims.explained("n", holding(4), 10.0 + RECOVERY_SECONDS) == []


def test_a_broker_that_was_not_started_again_knows_what_it_has_lent() -> None:
    claims = Claims()
    claims.on_first_session("n")
    assert claims.explained("n", holding(1), 0.0) == []


def test_only_the_first_session_counts(claims: Claims) -> None:
    claims.on_new_session("n", [])
    assert claims.explained("n", holding(1), 11.0) == []
    claims.on_peer_gone("n", returns=True)
    claims.on_first_session("n")
    assert claims.explained("n", holding(1), 11.0) == [], "it was here before"


def test_who_does_not_return_is_not_remembered(claims: Claims) -> None:
    claims.on_peer_gone("n", returns=False)
    claims.on_first_session("n")
    assert claims.explained("n", holding(1), 11.0) == [1]


def test_in_a_new_session_what_was_lent_in_the_last_is_believed_once() -> None:
    claims = Claims()
    claims.on_first_session("n")
    claims.on_new_session("n", [Piece(None, TERMS, "n", 5, {1: b"", 2: b""}), Piece(None, TERMS, "n", 6, {3: b""})])
    assert claims.explained("n", holding(1, 3, 9), 0.0) == [1]
    assert claims.explained("n", holding(1, 2), 0.0) == [2]
    assert claims.explained("n", holding(3, piece=6, submitter="p"), 0.0) == []
    assert claims.explained("m", holding(3, piece=6), 0.0) == []
    assert claims.explained("n", holding(3, piece=6), 0.0) == [3]
    claims.on_peer_gone("n", returns=True)
    assert claims.explained("n", holding(2), 0.0) == []


def test_no_number_is_so_large_that_the_next_could_not_be_sent(claims: Claims) -> None:
    assert claims.explained("n", holding(1, piece=LAST_NUMBER), 10.0) == []
    assert claims.explained("n", holding(1, piece=LAST_NUMBER - 1), 10.0) == [1]


# -- in a Broker -------------------------------------------------------------------------------------------------------


def test_a_neighbour_answers_nothing_that_it_was_not_given(bench: Bench) -> None:
    bench.submit(ids=[1, 2, 3], piece=8)
    bench.neighbour("n", Demand(0, 0, 0))
    bench.say("n", holding(1, 2, 3, proofs=[b"1", b"2", b"3"]), results(5, [1, 2, 3]))
    assert bench.heard_by("n", Cancel) == [Cancel(5, [1, 2, 3])], "it is told that nobody waits for these"
    assert bench.heard_by("o", Results) == []
    assert not bench.broker.adoption.orphans
    assert bench.broker.statistics()["violations"] == 1
    bench.say("n", results(77, [1, 2, 3]))
    assert bench.broker.statistics()["violations"] == 2, "there never was such a piece"
    bench.join("w", demand=9)
    assert bench.given_to("w")[0][0] == 1


def test_a_refused_number_is_not_used_for_another_piece(bench: Bench) -> None:
    bench.neighbour("n")
    bench.say("n", holding(1, piece=5), Demand(9, 1, 1))
    bench.submit()
    bench.tick()
    assert [batch.piece for batch in bench.heard_by("n", Batch)] == [6]


@pytest.fixture
def anew(bench: Bench) -> Bench:
    """A Broker that was started again, with a neighbour on another host and a Future that waits."""
    bench.step(Expect([]))
    bench.neighbour("n", Demand(0, 0, 0))
    bench.submit(ids=[1, 2], piece=8)
    return bench


def test_another_host_proves_that_it_was_given_a_future(anew: Bench) -> None:
    anew.say("n", holding(1, 2, proofs=[b"1", b"guess"]), results(5, [1, 2]))
    assert [each.ids for each in anew.heard_by("o", Results)] == [[1]]
    anew.join("w", demand=9)
    assert anew.given_to("w") == [[2]]


def test_a_proof_is_compared_with_what_the_submitter_names_later(bench: Bench) -> None:
    bench.step(Expect([]))
    bench.neighbour("n", Demand(0, 0, 0))
    bench.say("n", holding(1, 2, proofs=[b"1", b"guess"]))
    bench.submit(ids=[1, 2], piece=8)
    bench.join("w", demand=9)
    assert bench.given_to("w") == [[2]]
    assert not bench.broker.adoption.orphans


def test_what_is_done_counts_with_its_outcome_only(anew: Bench) -> None:
    """Its payload is gone, and so its proof; the outcome has a seal, which its submitter checks."""
    anew.say("n", holding(1, 2, proofs=[b"", b""]))
    assert anew.broker.explain("o", 1) != "with n"
    anew.say("n", results(5, [1]))
    assert [each.ids for each in anew.heard_by("o", Results)] == [[1]]
    anew.join("w", demand=9)
    assert anew.given_to("w") == [[2]], "it is not waited for"
    anew.say("n", results(5, [2]))
    assert anew.heard_by("o", Results) == []


@pytest.mark.parametrize("kind", [CANCELLED, LOST])
def test_what_has_no_seal_is_not_believed_without_a_proof(anew: Bench, kind: int) -> None:
    anew.say("n", holding(1, proofs=[b""]), results(5, [1], odd=[(1, kind)]))
    assert anew.heard_by("o", Results) == []


def test_a_worker_here_goes_before_another_host(anew: Bench) -> None:
    anew.say("n", holding(9, proofs=[b"guess"]))
    anew.join("w")
    anew.say("w", holding(9), Demand(0, 0))
    anew.submit(ids=[9], piece=9)
    anew.say("w", results(5, [9]))
    assert [each.ids for each in anew.heard_by("o", Results)] == [[9]]
