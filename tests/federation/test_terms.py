"""What becomes of the terms of Futures that are given out again."""

from __future__ import annotations

from fedfutures.federation.terms import Conditions, Terms
from fedfutures.wire.messages import ALONE_FLAG, APART_FLAG, BELOW_FLAG, MAX_COUNT

TERMS = Terms("o", b"f", "o", 5, 2, 1, ("m",))


def test_after_a_loss_the_next_attempt_may_go_anywhere() -> None:
    assert TERMS.after_loss() == Terms("o", b"f", "o", 5, 3, 1, ())


def test_a_crash_is_a_loss_that_counts() -> None:
    assert TERMS.after_crash() == Terms("o", b"f", "o", 5, 3, 2, (), Conditions(flags=ALONE_FLAG))
    assert TERMS.after_crash().is_alone, "one that waits beside it would be lost as often as it crashes"


def test_the_crash_of_another_does_not_count_and_sets_apart() -> None:
    first = TERMS.after_crash_of_another()
    assert first == Terms("o", b"f", "o", 5, 3, 1, (), Conditions(flags=APART_FLAG))
    assert (first.is_alone, first.conditions.is_apart, first.conditions.of_children) == (False, True, ALONE_FLAG)
    second = first.after_crash_of_another()
    assert (second.attempt, second.crashes, second.conditions.flags) == (4, 1, APART_FLAG | BELOW_FLAG)
    assert second.conditions.of_children == ALONE_FLAG | BELOW_FLAG, "and what they submit, however deep"
    assert Conditions(flags=second.conditions.of_children).is_apart


def test_whoever_gives_futures_back_says_what_has_become_of_them() -> None:
    assert TERMS.after_return("n", 4, 0) == Terms("o", b"f", "o", 5, 4, 1, ("m", "n"))
    assert TERMS.after_return("m", 1, 2) == Terms("o", b"f", "o", 5, 2, 2, ("m", "m"))
    assert TERMS.after_return("m", 1, 2, APART_FLAG).conditions == Conditions(flags=APART_FLAG)


def test_counts_of_a_liar_grow_no_larger_than_messages_can_say() -> None:
    most = TERMS._replace(attempt=MAX_COUNT, crashes=MAX_COUNT)
    assert (most.after_crash().attempt, most.after_crash().crashes) == (MAX_COUNT, MAX_COUNT)
