"""Times that Workers say are told by the clock of who asks; what is no answer is left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as some

from fedfutures.seeing.ran import DRIFT, ClockDifference, RanAnswers
from fedfutures.wire.ran import RanCall, packed

WAYS = some.lists(some.tuples(some.floats(0.0, 0.5), some.floats(0.0, 0.5)), min_size=1, max_size=30)


@given(ahead=some.floats(-1e5, 1e5), ways=WAYS)
def test_the_difference_is_known_as_well_as_the_quickest_answer_tells(
    ahead: float, ways: list[tuple[float, float]]
) -> None:
    clock, now, quickest = ClockDifference(), 1e5, 1e9
    for there, back in ways:
        asked, now = now, now + there + back
        found = clock.learn(asked, now, asked + there - ahead)
        quickest = min(quickest, there + back)
        assert abs(found - ahead) <= quickest + DRIFT * 30 + 1e-6
        now += 0.5


def test_a_clock_that_is_set_is_followed() -> None:
    clock = ClockDifference()
    assert clock.learn(10.0, 10.1, 10.05) == 0.0
    assert clock.learn(20.0, 20.1, 520.05) == pytest.approx(-500.0, abs=0.06)


def test_clocks_that_drift_apart_are_followed() -> None:
    clock = ClockDifference()
    for second in range(1, 20_000, 10):
        theirs = second * (1.0 + DRIFT / 2)
        assert abs(clock.learn(second - 1e-3, second + 1e-3, theirs) - (second - theirs)) < 0.01


def ran(now: float, missing: list[int], *calls: RanCall) -> dict[str, Any]:
    return packed(now, missing, calls)


CALL = RanCall(7.0, 8.0, "f", "o", "o", 1, 1, 0, 0)


def test_answers_are_taken_in_by_worker() -> None:
    answers = RanAnswers()
    found = answers.take(
        109.0,
        100.0,
        [("h.1", 109.0, ran(9.0, [0, 0], CALL)), ("h.2", 109.0, ran(109.0, [0, 2])), ("b", 109.0, {"role": "broker"}),
         ("h.3", 109.0, None), ("h.4", 109.0, {"role": "worker"}), ("h.5", 109.0, {"role": "worker", "now": []}),
         ("h.6", 109.0, {"role": "worker", "now": 1.0, "missing": [1], "names": [], "stems": [], "calls": []})],
    )  # fmt: skip
    assert [(one.worker, one.is_whole) for one in found] == [("h.1", True), ("h.2", True)]
    assert found[0].calls == [CALL]
    assert answers.missing_nested == {"h.1": 0, "h.2": 2}


def test_it_is_said_when_futures_are_missing() -> None:
    answers = RanAnswers()
    whole = [answers.take(9.0, 0.0, [("h.1", 9.0, ran(9.0, [missing, 5]))])[0].is_whole for missing in (0, 3, 3, 4)]
    assert whole == [True, False, True, False]
