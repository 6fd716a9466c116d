"""How two ends come to a session: Hellos until one is answered, and what is said when a session begins anew."""

from __future__ import annotations

import random

import pytest

from fedfutures.federation.channel import Channel
from fedfutures.federation.session import Dice, Introduction, reconciliation, welcome_to
from fedfutures.federation.terms import Terms
from fedfutures.wire.messages import PROTOCOL, Hello, Holding, Results

PAUSE, LONGEST = 0.1, 1.0
TERMS = Terms("o", b"f", "o", 0, 1, 0)


def introduction(now: float | None = 0.0, dice: Dice | None = None) -> Introduction:
    return Introduction("worker", "h.1", 700, 99, now, pause=PAUSE, longest=LONGEST, dice=dice)


def said(end: Introduction, session: int, now: float) -> Hello:
    hello = end.hello(session, now)
    assert hello is not None
    return hello


def test_a_hello_says_who_this_is_and_which_session_it_knows() -> None:
    assert said(introduction(), 77, 0.0) == Hello(PROTOCOL, "worker", "h.1", 700, 99, 77, 0)


def test_pauses_double_up_to_the_longest() -> None:
    end, pauses, now = introduction(), [], 0.0
    for _ in range(6):
        said(end, 0, now)
        assert end.due_at is not None
        assert end.hello(0, end.due_at - 1e-6) is None
        pauses.append(round(end.due_at - now, 6))
        now = end.due_at
    assert pauses == [0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_dice_change_a_pause_by_a_quarter() -> None:
    ends = [introduction(dice=random.Random(seed)) for seed in range(50)]
    for end in ends:
        said(end, 0, 0.0)
    dues = [end.due_at or 0.0 for end in ends]
    assert len(set(dues)) == 50
    assert 0.15 <= min(dues) < 0.17 < 0.23 < max(dues) <= 0.25


def test_an_end_that_does_not_dial_says_nothing() -> None:
    assert introduction(None).hello(0, 99.0) is None


@pytest.mark.parametrize("times", [1, 2])
def test_only_an_answer_to_the_last_hello_counts(times: int) -> None:
    end = introduction()
    first = welcome_to(said(end, 0, 0.0), "b", 7, 500)
    assert end.is_answered_by(first)
    end.end()
    assert not end.is_answered_by(first)
    for _ in range(times):
        end.begin(1.0)  # twice is once
    again = said(end, 500, 1.0)
    assert again.round == 1
    assert not end.is_answered_by(first)
    assert end.is_answered_by(welcome_to(again, "b", 7, 500))


def test_an_answer_to_an_earlier_incarnation_does_not_count() -> None:
    end = introduction()
    welcome = welcome_to(said(end, 0, 0.0), "b", 7, 500)
    end.renew(9000)
    assert said(end, 0, 5.0).incarnation == 9000
    assert not end.is_answered_by(welcome)


def test_an_end_that_introduces_itself_anew_takes_no_earlier_answer() -> None:
    end = introduction()
    first = said(end, 3, 0.0)
    end.restart(0.1)
    again = said(end, 0, 0.1)
    assert [end.is_answered_by(welcome_to(hello, "b", 1, 3)) for hello in (first, again)] == [False, True]
    end.end()
    end.restart(0.2)
    assert end.hello(0, 9.0) is None, "it has been answered"


def test_results_of_a_piece_that_nothing_is_known_of_are_not_said() -> None:
    old = Channel(5)
    for piece in (1, 2, 3):
        old.number(Results(piece, 1, [piece], [b"outcome"]), 0.0)
    said = reconciliation({1: (TERMS, [7])}, [(2, TERMS)], old)
    assert [each.ids for each in said if type(each) is Holding] == [[7, 1], [2]]
    assert [each.piece for each in said if type(each) is Results] == [1, 2]
