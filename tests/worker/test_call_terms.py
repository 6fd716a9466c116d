"""On what terms a call runs."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fedfutures.worker.call_terms import LONGEST_SECONDS, CallTerms, checked_limit


def test_a_priority_of_the_call_goes_before_that_of_its_group() -> None:
    assert CallTerms(1, 2.0).ranked(5) == CallTerms(1, 2.0)
    assert CallTerms(None, 2.0).ranked(5) == CallTerms(5, 2.0)
    assert CallTerms().ranked(None) == CallTerms()


@pytest.mark.parametrize("limit", [1, 0.25, Fraction(1, 4), LONGEST_SECONDS])
def test_limits_are_numbers_of_seconds(limit: float) -> None:
    assert checked_limit(limit) == float(limit)


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan"), 2 * LONGEST_SECONDS])
def test_no_time_and_too_much_are_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="above 0 seconds"):
        checked_limit(limit)


@pytest.mark.parametrize("limit", ["1", b"1", True, [1], 1j])
def test_other_things_are_refused(limit: object) -> None:
    with pytest.raises(TypeError, match="a number of seconds or None"):
        checked_limit(limit)
