"""Entries of the books: which Futures are in a lot, a piece or an intake, and in which order."""

from __future__ import annotations

from fedfutures.broker.lots import SHARD, Intake, Lot, Piece
from fedfutures.federation.terms import Terms

TERMS = Terms("o", b"f", "o", 0, 1, 0)


def lot(intake: Intake, *ids: int, order: int = 0, key: str | None = None) -> Lot:
    made = Lot(intake, TERMS, list(ids), [b"p%d" % i for i in ids], key, order=order)
    intake.lots.add(made)
    return made


def piece(intake: Intake, holder: str, key: int, *ids: int) -> Piece:
    made = Piece(intake, TERMS, holder, key, {i: b"p%d" % i for i in ids})
    intake.pieces[holder, key] = made
    return made


def test_cut_takes_the_first_futures_with_their_payloads() -> None:
    waiting = lot(Intake("o", 4, TERMS, 3), 5, 6, 7)
    assert waiting.cut(2) == ([5, 6], [b"p5", b"p6"])
    assert (waiting.ids, waiting.payloads) == ([7], [b"p7"])
    assert waiting.cut(9) == ([7], [b"p7"])
    assert waiting.ids == waiting.payloads == []


def test_part_takes_the_wanted_futures_and_keeps_the_order_of_both() -> None:
    waiting = lot(Intake("o", 4, TERMS, 4), 8, 3, 5, 1)
    assert waiting.part({1, 3, 99}) == ([3, 1], [b"p3", b"p1"])
    assert (waiting.ids, waiting.payloads) == ([8, 5], [b"p8", b"p5"])


def test_an_intake_names_queued_futures_before_parked_ones_and_those_before_given_ones() -> None:
    intake = Intake("o", 4, TERMS, 7)
    parked = lot(intake, 3, order=1, key="segment")
    later, sooner = lot(intake, 2, order=9), lot(intake, 1, order=8)
    at_w, at_v = piece(intake, "w", 1, 6, 7), piece(intake, "v", 2, 5)
    assert intake.sorted_lots() == [sooner, later, parked]
    assert intake.sorted_pieces() == [at_v, at_w]
    assert intake.ids() == [1, 2, 3, 5, 6, 7]
    assert intake.source == ("o", 4)


def test_the_holder_calls_each_shard_of_a_piece_by_one_number() -> None:
    intake = Intake("o", 4, TERMS, 2)
    assert [piece(intake, "w", key, 1).number for key in (5, 5 + SHARD, 5 + 2 * SHARD)] == [5, 5, 5]


def test_lots_with_the_same_futures_are_two_entries() -> None:
    intake = Intake("o", 4, TERMS, 2)
    assert lot(intake, 1) != lot(intake, 1)
    assert len(intake.lots) == 2


def test_the_last_futures_to_leave_an_intake_are_said_to_be_so() -> None:
    intake = Intake("o", 4, TERMS, 3)
    assert [intake.leave(2), intake.leave(1)] == [False, True]


def test_what_a_submitter_cancels_adds_up() -> None:
    held = piece(Intake("o", 4, TERMS, 3), "w", 1, 5, 6, 7)
    held.cancel([5])
    held.cancel([7])
    assert held.unwanted == {5, 7}
    assert held.pending.keys() == {5, 6, 7}, "until the holder says what has become of them"
