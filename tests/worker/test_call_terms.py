"""On what terms a call runs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from fedfutures.federation.terms import FREE, Conditions
from fedfutures.wire.messages import ALONE_FLAG, ONCE_FLAG
from fedfutures.worker.call_terms import LONGEST_SECONDS, CallTerms, checked_limit, checked_terms
from fedfutures.worker.retries import Retries

LIMITED = Conditions(2000)


def test_a_priority_of_the_call_goes_before_that_of_its_group() -> None:
    assert CallTerms(1, LIMITED).ranked(5) == CallTerms(1, LIMITED)
    assert CallTerms(None, LIMITED).ranked(5) == CallTerms(5, LIMITED)
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


def test_options_become_conditions() -> None:
    assert checked_terms(idempotent=True, cancellable=False, retries=0) is None, "as all calls are"
    assert checked_terms(7) == CallTerms(7, FREE)
    assert checked_terms(time_limit=1e-9) == CallTerms(None, Conditions(1))
    assert checked_terms(idempotent=False, memory=1 << 30) == CallTerms(None, Conditions(0, ONCE_FLAG, 1 << 30))
    assert checked_terms(memory="1.5 GiB") == CallTerms(None, Conditions(memory=3 << 29))
    assert checked_terms(cancellable=True) == CallTerms(None, Conditions(0, ALONE_FLAG))
    assert checked_terms(retries=2) == CallTerms(None, FREE, Retries(2))


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"idempotent": 0}, TypeError, "idempotent must be True or False"),
        ({"cancellable": "yes"}, TypeError, "cancellable must be True or False"),
        ({"memory": 1.5}, TypeError, "memory must be a number of bytes"),
        ({"memory": True}, TypeError, "memory must be a number of bytes"),
        ({"memory": 0}, ValueError, "memory must be above 0 bytes"),
        ({"memory": 1 << 60}, ValueError, "below an exabyte"),
        ({"idempotent": False, "retries": 1}, ValueError, "give one"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        checked_terms(**options)


def test_which_items_of_a_map_travel_alone() -> None:
    assert not CallTerms(1).is_for_items
    assert CallTerms(1, LIMITED).is_for_items
    assert CallTerms(None, FREE, Retries(1)).is_for_items
