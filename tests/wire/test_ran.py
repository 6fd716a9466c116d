"""What a Worker says it has run comes through as it was, by the clock of who asks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as some

from fedfutures.wire.codec import pack_plain, unpack_plain
from fedfutures.wire.ran import FAILED, NESTED, RanCall, calls_in, packed

NAMES = some.text(max_size=4)
TIMES = some.floats(0.0, 1e6)
CALLS = some.lists(
    some.builds(
        lambda began, seconds, *more: RanCall(began, began + seconds, *more),
        TIMES, some.floats(0.0, 1e4), NAMES, NAMES, NAMES, some.integers(0, 2**63), some.integers(1, 2**15),
        some.integers(0, 3), some.integers(0, 2**32),
    ),
    max_size=20,
)  # fmt: skip


@given(calls=CALLS, now=TIMES, ahead=some.floats(-1e6, 1e6))
def test_calls_come_through(calls: list[RanCall], now: float, ahead: float) -> None:
    answer = unpack_plain(pack_plain(packed(now, [3, 4], calls)))
    assert (answer["now"], answer["missing"]) == (now, [3, 4])
    found = calls_in(answer, now + ahead)
    assert [call[2:] for call in found] == [call[2:] for call in calls]
    for one, other in zip(found, calls):
        assert one.began == pytest.approx(other.began + ahead, abs=1e-3)
        assert one.ended - one.began == pytest.approx(other.ended - other.began, abs=1e-3)


def test_what_flags_mean() -> None:
    call = RanCall(0.0, 1.0, "f", "o", "o", 1, 1, 0, 0)
    assert (call.is_nested, call.has_failed) == (False, False)
    call = call._replace(flags=NESTED | FAILED)
    assert (call.is_nested, call.has_failed) == (True, True)


@pytest.mark.parametrize(
    "answer",
    [
        {}, {"names": 3, "stems": [], "calls": []}, {"names": [], "stems": [], "calls": [[1]]},
        {"names": [], "stems": [["a", "b"]], "calls": [[0.0, 1.0, 0, 0, 1, 1, 0, 0]]},
        {"names": ["f"], "stems": [], "calls": [[0.0, 1.0, 0, 0, 1, 1, 0, 0]]},
        {"names": ["f"], "stems": [["a", "b"]], "calls": [["x", 1.0, 0, 0, 1, 1, 0, 0]]},
    ],
)  # fmt: skip
def test_nonsense_is_an_error(answer: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, IndexError)):
        calls_in(answer, 0.0)
