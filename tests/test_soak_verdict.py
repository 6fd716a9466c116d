"""The soak's verdict, and that its faults and its load are what they say."""

from __future__ import annotations

import dataclasses

import pytest
from soak import verdict

GOOD = verdict.Verdict(
    "7", 600.0, {"futures": 10, "cancelled": 1}, 0, {"kill worker": 3}, {"submitted": 12}, [],
    {"kill worker": [0.1, 0.3, 0.2]}, [1.5], {"program": (40 << 20, 44 << 20)}, [],
)  # fmt: skip


def test_a_good_one_says_all_that_it_has_seen() -> None:
    assert GOOD.problems == []
    assert GOOD.text().splitlines() == [
        "soak of 10.0 min, seed 7: 3 faults",
        "      3 kill worker",
        "program: 10 futures, 1 cancelled",
        "journal: 12 submitted",
        "longest silences of the whole run: 1.5 s",
        "until the host of a fault had a result again (n, p50, p99, longest):",
        "      3 kill worker: 0.20, 0.30, 0.30 s",
        "memory of its own, program: 40 -> 44 MB",
        "verdict: nothing lost, wrong, twice or left",
    ]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"program": {"futures": 10, "lost": 2}}, "2 lost"),
        ({"program": {"futures": 10, "wrong": 1}}, "1 wrong"),
        ({"program": {"futures": 10, "twice": 1}}, "1 twice"),
        ({"code": 1}, "the program ended with 1"),
        ({"program": {}, "code": -9}, "the program ended with -9"),
        ({"broken": ["resolves_once: 7"]}, "1 lines of the journal break a law"),
        ({"left": ["h2: 77 python"]}, "1 things left"),
    ],
)
def test_whatever_must_not_be_is_a_problem(changed: dict[str, object], problem: str) -> None:
    found = dataclasses.replace(GOOD, **changed)  # type: ignore[arg-type]
    assert found.problems == [problem]
    assert found.text().endswith(f"verdict: {problem}")
