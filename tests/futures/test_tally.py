"""What a run has computed: sums by function, Worker and host, and what most took no longer than."""

from __future__ import annotations

import json
import random

import pytest

from fedfutures.futures import tally
from fedfutures.futures.tally import CountedMessage, RunTally, Samples, line_of, written
from fedfutures.wire.facts import packed, packed_unmeasured
from fedfutures.wire.messages import CANCELLED, ERROR, LOST, POISONED, WITH_OUTPUT


class Clock:
    """Says what the test wants."""

    now = 10.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_futures_are_counted_by_function_worker_and_host(clock: Clock) -> None:
    run = RunTally(clock)
    run.take(CountedMessage("f", 3, [(2, ERROR)], packed("h1.1", 1, [0.5, 0.25]) + packed("h2.1", 1, [1.0])))
    run.take(CountedMessage("g", 1, [(9, WITH_OUTPUT)], packed("h2.1", 2, [2.0])))
    clock.now = 12.0
    report = run.report(workers=2)
    assert report["functions"] == {
        "f": {"futures": 3, "failed": 1, "cancelled": 0, "seconds": 1.75, "p50": 0.5, "p99": 1.0},
        "g": {"futures": 1, "failed": 0, "cancelled": 0, "seconds": 2.0, "p50": 2.0, "p99": 2.0},
    }
    of_one = {"futures": 2, "seconds": 0.75, "p50": 0.25, "p99": 0.5}
    of_two = {"futures": 2, "seconds": 3.0, "p50": 1.0, "p99": 2.0}
    assert report["workers"] == {"h1.1": of_one, "h2.1": of_two}
    assert report["hosts"] == {"h1": of_one, "h2": of_two}
    assert (report["retries"], report["lost"], report["per_second"]) == (1, 0, 2.0)
    assert (report["futures"], report["failed"], report["seconds"], report["busy"]) == (4, 1, 2.0, 0.9375)
    assert json.loads(written(report)) == report


def test_what_was_not_run_or_not_measured_is_counted_all_the_same(clock: Clock) -> None:
    run = RunTally(clock)
    odd = [(1, CANCELLED), (2, POISONED), (3, LOST)]
    run.take(CountedMessage("f", 4, odd, b""))
    run.take(CountedMessage("f", 1, [], packed_unmeasured("h.1", 3, 1)))
    run.take(CountedMessage("f", 1, [], packed_unmeasured("", 0, 1)))
    clock.now = 11.0
    report = run.report(workers=0)
    [found] = report["functions"].values()
    assert found == {"futures": 6, "failed": 2, "cancelled": 1, "seconds": 0, "p50": None, "p99": None}
    assert report["workers"] == {"h.1": {"futures": 1, "seconds": 0, "p50": None, "p99": None}}
    assert (report["lost"], report["retries"]) == (2, 2)
    assert report["busy"] == 0.0


def test_facts_are_added_up_many_messages_at_a_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    blocks = tally.blocks
    monkeypatch.setattr(tally, "blocks", lambda *arguments: asked.append(1) or blocks(*arguments))
    run = RunTally(clock)
    for _ in range(tally.MESSAGES_AT_ONCE - 1):
        run.take(CountedMessage("f", 1, [], packed("h.1", 1, [0.5])))
    assert not asked
    run.take(CountedMessage("f", 1, [], packed("h.1", 1, [0.5])))
    assert len(asked) == tally.MESSAGES_AT_ONCE
    assert run.report(1)["futures"] == tally.MESSAGES_AT_ONCE


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_percentiles_of_many_are_near_the_true_ones_and_take_little_room(size: int) -> None:
    dice = random.Random(size)
    samples, everything = Samples(), [dice.random() for _ in range(size)]
    left = list(everything)
    while left:
        count = dice.randint(1, 500)
        samples.add(left[:count])
        del left[:count]
    assert len(samples.seconds) <= tally.SAMPLES_AT_MOST
    for share in (0.5, 0.99):
        found = samples.percentile(share)
        assert found is not None
        below = sum(one <= found for one in everything) / size
        assert abs(below - share) < 0.03 or size < 100


def test_nothing_measured_has_no_percentiles() -> None:
    assert Samples().percentile(0.5) is None


@pytest.mark.parametrize(
    ("report", "line"),
    [
        ({"futures": 1, "workers_at_the_end": 1}, "1 Future in 2.0 s; 1 Worker was busy 50 % of that time"),
        (
            {"futures": 3, "failed": 1, "cancelled": 2, "workers_at_the_end": 8},
            "3 Futures in 2.0 s, 1 of them failed, 2 of them were cancelled; 8 Workers were busy 50 % of that time",
        ),
    ],
)
def test_the_line_says_it_shortly(report: dict[str, int], line: str) -> None:
    assert line_of({"failed": 0, "cancelled": 0, "seconds": 2.0, "busy": 0.5, **report}) == line
