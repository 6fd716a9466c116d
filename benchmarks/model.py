"""What a figure is made of, and how a row is judged. Nothing here runs a process or reads a clock."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Metrics = Mapping[str, float]
"""What one sample of one contestant measured."""

SAMPLE_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Contestant:
    """One way to do a figure's work: a call in a fresh process or, with `program`, a launched program.

    `at_most` limits the repetitions of slow contestants.
    """

    measure: Callable[[], Metrics] | None = None
    program: str = ""
    arguments: tuple[object, ...] = ()
    workers: int = 2
    at_most: int | None = None
    timeout_seconds: float = SAMPLE_TIMEOUT_SECONDS


@dataclass
class Outcome:
    """The samples of one contestant, and the failure that ended them, if one did."""

    samples: list[Metrics] = field(default_factory=list)
    failure: str = ""


Outcomes = Mapping[str, Outcome]
Values = Callable[[Outcomes], list[float]]
"""Takes one value per repetition out of the outcomes; raises `Missing` where there is none."""


class Missing(Exception):
    """A contestant gave no value; the text says why."""


def metric(contestant: str, name: str) -> Values:
    """The values of one metric of one contestant."""

    def values(outcomes: Outcomes) -> list[float]:
        outcome = outcomes[contestant]
        if outcome.failure:
            raise Missing(f"{contestant}: {outcome.failure}")
        found = [sample[name] for sample in outcome.samples if name in sample]
        if not found:
            raise Missing(f"{contestant}: no {name} found")
        return found

    return values


@dataclass(frozen=True)
class Bar:
    """A limit for our value or, with `against` "peer", for its ratio to the peer's."""

    relation: Literal["≥", "≤"]
    limit: float
    against: Literal["value", "peer"] = "value"

    def holds(self, value: float) -> bool:
        """Whether `value` keeps the limit."""
        return value >= self.limit if self.relation == "≥" else value <= self.limit


@dataclass(frozen=True)
class Row:
    """One line of the table: our values, a peer's, and the bar."""

    label: str
    unit: str
    ours: Values
    peer: Values | None = None
    peer_name: str = ""
    bar: Bar | None = None


@dataclass(frozen=True)
class Figure:
    """A group of rows whose contestants are measured in turn."""

    name: str
    contestants: Mapping[str, Contestant]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Judged:
    """A row with its numbers; `verdict` is empty for a row without a bar."""

    figure: str
    row: Row
    ours: float | None
    peer: float | None
    ratio: float | None
    verdict: Literal["pass", "FAIL", ""]
    note: str

    @property
    def advantage(self) -> float | None:
        """How many times as good as the peer's our value is; None where no peer or no bar says so."""
        if not self.ratio or self.row.bar is None:
            return None
        return self.ratio if self.row.bar.relation == "≥" else 1 / self.ratio


def judge(figure: Figure, outcomes: Outcomes) -> list[Judged]:
    """Every row of `figure` with its medians, ratio and verdict."""
    return [_judge_row(figure.name, row, outcomes) for row in figure.rows]


def _judge_row(figure: str, row: Row, outcomes: Outcomes) -> Judged:
    ours, ours_note = _values(row.ours, outcomes)
    peer, peer_note = _values(row.peer, outcomes)
    ratio = _ratio(ours, peer)
    value = statistics.median(ours) if ours else None
    judged = value if row.bar is None or row.bar.against == "value" else ratio
    verdict: Literal["pass", "FAIL", ""] = ""
    if row.bar is not None:
        verdict = "pass" if judged is not None and row.bar.holds(judged) else "FAIL"
    note = "; ".join(filter(None, (ours_note, peer_note)))
    return Judged(figure, row, value, statistics.median(peer) if peer else None, ratio, verdict, note)


def _values(values: Values | None, outcomes: Outcomes) -> tuple[list[float], str]:
    if values is None:
        return [], ""
    try:
        return values(outcomes), ""
    except Missing as missing:
        return [], str(missing)


def _ratio(ours: list[float], peer: list[float]) -> float | None:
    """The median of the ratios of neighbouring samples, which a machine busy for a while slows alike."""
    if not ours or not peer or not all(peer):
        return None
    if len(ours) != len(peer):
        return statistics.median(ours) / statistics.median(peer)
    return statistics.median(our / their for our, their in zip(ours, peer, strict=True))
