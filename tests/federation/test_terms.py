"""What becomes of the terms of Futures that are given out again."""

from __future__ import annotations

from fedfutures.federation.terms import Terms
from fedfutures.wire.messages import MAX_COUNT

TERMS = Terms("o", b"f", "o", 5, 2, 1, ("m",))


def test_after_a_loss_the_next_attempt_may_go_anywhere() -> None:
    assert TERMS.after_loss() == Terms("o", b"f", "o", 5, 3, 1, ())


def test_a_crash_is_a_loss_that_counts() -> None:
    assert TERMS.after_crash() == Terms("o", b"f", "o", 5, 3, 2, ())


def test_whoever_gives_futures_back_says_what_has_become_of_them() -> None:
    assert TERMS.after_return("n", 4, 0) == Terms("o", b"f", "o", 5, 4, 1, ("m", "n"))
    assert TERMS.after_return("m", 1, 2) == Terms("o", b"f", "o", 5, 2, 2, ("m", "m"))


def test_counts_of_a_liar_grow_no_larger_than_messages_can_say() -> None:
    most = TERMS._replace(attempt=MAX_COUNT, crashes=MAX_COUNT)
    assert (most.after_crash().attempt, most.after_crash().crashes) == (MAX_COUNT, MAX_COUNT)
