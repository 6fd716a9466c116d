"""Where Futures are drawn: at the times that their Workers say, or else about when their outcomes have come."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest

from fedfutures.futures import trace_slices as module
from fedfutures.futures.trace_slices import TracedMessage, TraceSlices
from fedfutures.seeing import rows
from fedfutures.wire.facts import packed as facts
from fedfutures.wire.messages import ERROR
from fedfutures.wire.ran import FAILED, NESTED, RanCall, packed

ORIGIN = "origin-1-a@h"


class Bench:
    """The slices of a run that began at 100 by the monotonic clock."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.slices = TraceSlices(ORIGIN, self.lines, lambda event: self.lines.append(json.dumps(event) + ",\n"), 100.0)

    def outcomes(
        self, at: float, numbers: list[int], seconds: list[float], worker: str = "h.1", attempt: int = 1,
        odd: list[tuple[int, int]] = [], items: dict[int, tuple[int, int]] = {},  # noqa: B006
    ) -> None:  # fmt: skip
        sizes = [(10, 20)] * len(numbers)
        message = TracedMessage(at, "f", numbers, odd, facts(worker, attempt, seconds), sizes, items)
        self.slices.take(message, [0.5] * len(numbers))

    def ran(self, now: float, *calls: RanCall, worker: str = "h.1", missing: list[int] = [0, 0]) -> None:  # noqa: B006
        """The Worker, which has the same clock, says this now."""
        moved = [call._replace(began=call.began + 100.0, ended=call.ended + 100.0) for call in calls]
        self.slices.take_ran(100.0 + now - 0.01, [(worker, 100.0 + now, packed(100.0 + now, missing, moved))])

    def drawn(self) -> list[tuple[str, int, float, float]]:
        """Return name, row, begin and end of the slices on rows of Workers."""
        return [
            (event["name"], event["tid"], round(event["ts"] / 1e6, 3), round((event["ts"] + event["dur"]) / 1e6, 3))
            for event in self.events()
            if event["ph"] == "X" and event["pid"] != 1
        ]

    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads("[" + "".join(self.lines).rstrip(",\n") + "]")
        return found


def own(number: int, began: float, ended: float, submitter: str = ORIGIN, **more: Any) -> RanCall:
    return RanCall(began, ended, "f", submitter, ORIGIN, number, 1, 0, 0)._replace(**more)


def inside(number: int, began: float, ended: float, name: str = "g", flags: int = NESTED) -> RanCall:
    return RanCall(began, ended, name, ORIGIN, ORIGIN, number, 1, flags, 0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_future_is_drawn_when_its_worker_has_said_when_it_ran(bench: Bench) -> None:
    bench.outcomes(2.0, [1, 2], [0.3, 0.2])
    assert bench.drawn() == []
    bench.ran(2.1, own(1, 1.0, 1.3), own(2, 1.6, 1.8))
    assert bench.drawn() == [("f", 1, 1.0, 1.3), ("f", 1, 1.6, 1.8)]
    [first, *_] = [event for event in bench.events() if event["ph"] == "X" and event["pid"] != 1]
    assert first["args"] == {
        "number": 1, "attempt": 1, "waited": 0.5, "bytes": 10, "result_bytes": 20, "seconds": 0.3,
    }  # fmt: skip


def test_the_worker_may_say_it_before_the_outcome_comes(bench: Bench) -> None:
    bench.ran(2.1, own(1, 1.0, 1.3), inside(1, 1.1, 1.2))
    assert bench.drawn() == []
    bench.outcomes(2.2, [1], [0.3], odd=[(1, ERROR)], items={1: (40, 8)})
    assert bench.drawn() == [("f", 1, 1.0, 1.3), ("g", 1, 1.1, 1.2)]
    args = next(event["args"] for event in bench.events() if event["name"] == "f")
    assert (args["outcome"], args["item"], args["items"]) == ("error", 40, 8)


def test_without_a_word_it_is_drawn_a_little_later(bench: Bench) -> None:
    bench.outcomes(2.0, [1, 2], [0.3, 0.2])
    bench.slices.settle(2.0 + module.LATE_SECONDS - 0.1)
    assert bench.drawn() == []
    bench.slices.settle(2.0 + module.LATE_SECONDS)
    assert bench.drawn() == [("f", 1, 1.5, 1.8), ("f", 1, 1.8, 2.0)]
    bench.outcomes(6.0, [3], [0.3])
    bench.slices.settle(6.0, at_end=True)
    assert bench.drawn()[-1] == ("f", 1, 5.7, 6.0)


def test_nested_calls_lie_below_their_future_and_others_get_rows(bench: Bench) -> None:
    bench.ran(4.0, inside(1, 1.1, 1.2), inside(1, 1.2, 1.5), inside(1, 1.3, 1.4, "k"))
    bench.outcomes(4.1, [1, 2], [1.0, 0.5])
    bench.ran(4.2, own(2, 1.6, 1.9), inside(1, 1.45, 1.7), own(1, 1.0, 2.0))
    assert bench.drawn() == [
        ("f", 1, 1.6, 1.9), ("f", 2, 1.0, 2.0), ("g", 2, 1.1, 1.2), ("g", 2, 1.2, 1.5), ("k", 2, 1.3, 1.4),
        ("g", 3, 1.45, 1.7),
    ]  # fmt: skip
    names = {event["tid"]: event["args"] for event in bench.events() if event["name"] == "thread_name"}
    assert names == {
        1: {"name": "h.1", "worker": "h.1"}, 2: {"name": "h.1 (2)", "worker": "h.1"},
        3: {"name": "h.1 (3)", "worker": "h.1"},
    }  # fmt: skip
    nested = [event for event in bench.events() if event.get("cat") == "nested"]
    assert {event["args"]["within"] for event in nested} == {1}


def test_a_future_of_a_worker_is_drawn_where_it_ran(bench: Bench) -> None:
    bench.ran(
        4.0, own(7, 1.0, 2.0, "h.2", flags=FAILED), RanCall(1.2, 1.4, "g", "h.2", ORIGIN, 7, 1, NESTED, 0), worker="k.1"
    )
    assert bench.drawn() == [("f", 1, 1.0, 2.0)], "what it has called itself was told before, or is told later"
    [event] = [event for event in bench.events() if event["ph"] == "X"]
    assert event["args"] == {"submitter": "h.2", "number": 7, "attempt": 1, "outcome": "error"}
    bench.slices.settle(9.0, at_end=True)
    assert bench.drawn()[1:] == [("g", 2, 1.2, 1.4)]


def test_other_programs_of_a_standing_federation_are_not_drawn(bench: Bench) -> None:
    bench.ran(4.0, own(1, 1.0, 2.0, root="origin-2-b@h"), inside(1, 1.0, 1.5)._replace(root="origin-2-b@h"))
    bench.slices.settle(99.0, at_end=True)
    assert bench.drawn() == []


def test_too_many_are_drawn_by_what_came_with_their_outcomes(bench: Bench) -> None:
    bench.outcomes(2.0, [1, 2, 3], [0.1, 0.1, 0.1])
    bench.ran(2.5, own(2, 1.0, 1.1), missing=[2, 4])
    assert bench.drawn() == [("f", 1, 1.7, 1.8), ("f", 1, 1.8, 1.9), ("f", 1, 1.9, 2.0)], "one behind the other"
    assert bench.slices.missing_nested == 4
    bench.outcomes(3.0, [4], [0.1])
    bench.ran(3.5, own(4, 2.6, 2.7), missing=[2, 4])
    assert bench.drawn()[-1] == ("f", 1, 2.6, 2.7)


def test_of_very_many_short_ones_there_are_few_rows(bench: Bench) -> None:
    number, dice = 0, random.Random(7)
    for second in range(1, 6):
        for part in range(40):
            ids = list(range(number, number + 100))
            number += 100
            bench.outcomes(second + part / 40 + 0.05 * dice.random(), ids, [0.0002] * 100)
        told = [own(ids[0] - 100 * k, second + 0.9 - k / 50, second + 0.9002 - k / 50) for k in range(20)]
        bench.ran(second + 1.0, *told, missing=[second * 4000, 0])
    bench.slices.settle(99.0, at_end=True)
    drawn = bench.drawn()
    assert len(drawn) == number == 20_000
    assert {row for _, row, _, _ in drawn} == {1}


def test_slices_that_touch_do_not_overlap(bench: Bench) -> None:
    dice, at = random.Random(3), 1.0
    for number in range(300):
        end = at + 0.001 * dice.random()
        bench.ran(3.0, own(number, at, end))
        bench.outcomes(3.0, [number], [end - at])
        at = end
    found = [
        (event["ts"], event["ts"] + event["dur"])
        for event in bench.events()
        if event.get("pid", 1) != 1 and event["ph"] == "X"
    ]
    assert len(found) == 300
    assert all(one[1] <= other[0] + 1e-3 for one, other in itertools.pairwise(found))


def test_what_is_kept_has_a_bound(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALLS_AT_MOST", 10)
    bench.ran(4.0, *(inside(number, 1.0, 1.1) for number in range(15)))
    assert bench.slices.missing_nested == 5, "the oldest have gone"
    bench.ran(5.0, *(own(number, 1.0, 1.1) for number in range(15)))
    bench.slices.settle(5.0)
    bench.ran(5.0, *(inside(number, 1.0, 1.1) for number in range(100, 105)))
    assert bench.slices.missing_nested == 9, "those whose Futures are forgotten are forgotten, too"
    bench.slices.settle(5.0 + module.FORGOTTEN_SECONDS)
    bench.outcomes(5.0, [14], [0.1])
    bench.slices.settle(5.0, at_end=True)
    assert ("f", 1, 4.9, 5.0) in bench.drawn(), "its call was forgotten"


def test_nested_calls_go_with_a_future_that_is_not_drawn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICES_AT_FIRST", 10)
    monkeypatch.setattr(module, "CALLS_AT_MOST", 20)
    for number in range(200):
        bench.ran(4.0, inside(number, 1.0, 1.1)._replace(submitter="h.2"), own(number, 1.0, 1.2, "h.2"))
        bench.ran(4.0, inside(number, 1.0, 1.1))
        bench.outcomes(4.1, [number], [0.2])
        bench.slices.settle(4.0)
    assert bench.slices.stride > 4
    assert bench.slices.missing_nested < 40, "only those whose Futures did not come were kept"


def test_a_worker_has_so_many_rows_at_most(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ROWS_AT_MOST", 3)
    bench.outcomes(4.0, list(range(6)), [1.0] * 6)
    bench.ran(4.1, *(own(number, 1.0 + number / 10, 2.0 + number / 10) for number in range(6)))
    assert [row for _, row, _, _ in bench.drawn()] == [1, 2, 3]
    assert bench.slices.missing_nested == 3


def test_each_result_stands_in_its_own_place_about_when_it_was_taken_in(bench: Bench) -> None:
    bench.outcomes(3.0, list(range(20)), [0.01] * 20, "h.1")
    bench.outcomes(2.2, list(range(20, 40)), [0.01] * 20, "h.2")
    bench.slices.settle(9.0, at_end=True)
    results = [event for event in bench.events() if event["name"] == "result of f"]
    assert len({event["ts"] for event in results}) == 40
    assert all(abs(event["ts"] / 1e6 - (3.0 if event["args"]["number"] < 20 else 2.2)) < 0.3 for event in results)


def test_arrows_have_a_bound_however_late_futures_are_drawn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLOWS_AT_FIRST", 50)
    for first in range(0, 4000, 100):
        bench.outcomes(1.0 + first / 1000, list(range(first, first + 100)), [0.0001] * 100)
    bench.slices.settle(9.0, at_end=True)
    assert len(bench.drawn()) == 4000
    assert 100 < sum(event["ph"] == "s" for event in bench.events()) < 300
