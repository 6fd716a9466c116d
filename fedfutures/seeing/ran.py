"""Reads what Workers say they have run, and tells the times by the clock of who asks. Pure.

Each machine has a clock of its own. An answer that says "it is 40.0 here" was given between the question and its
arrival, so the difference between the clocks lies between two bounds; those of many answers lie close together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..wire.ran import RanCall, calls_in

DRIFT = 2e-4
"""So many seconds in a second may two clocks drift apart."""


class ClockDifference:
    """How many seconds one clock is ahead of another: of two processes on one machine, none.

    >>> clock = ClockDifference()
    >>> clock.learn(10.0, 10.2, 10.1)  # it may be the same clock
    0.0
    >>> clock.learn(11.0, 11.1, 5.0)  # it is not
    6.05
    >>> round(clock.learn(12.0, 12.01, 5.97), 3)
    6.035
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._low = self._high = self._at = 0.0

    def learn(self, asked: float, answered: float, theirs: float) -> float:
        """Return the difference; the other clock showed `theirs` at some time between these two."""
        low, high = asked - theirs, answered - theirs
        if self.seconds is None:
            self.seconds = 0.0
            self._low, self._high, self._at = low, high, answered
        drift = DRIFT * max(0.0, answered - self._at)
        self._low, self._high, self._at = max(low, self._low - drift), min(high, self._high + drift), answered
        if self._low > self._high:  # it was set, or the machine has slept
            self._low, self._high = low, high
        if not self._low <= self.seconds <= self._high:
            self.seconds = (self._low + self._high) / 2
        return self.seconds


class RanAnswer(NamedTuple):
    """What a Worker has run since it was asked last, by the clock of who asks."""

    worker: str
    calls: list[RanCall]
    is_whole: bool  # whether none of the Futures of others is missing; nested calls may be


class RanAnswers:
    """Takes the answers in of all Workers of a run."""

    def __init__(self) -> None:
        self._clocks: dict[str, ClockDifference] = {}
        self._missing: dict[str, int] = {}
        self.missing_nested: dict[str, int] = {}  # by Worker

    def take(self, asked: float, began: float, answers: Iterable[tuple[str, float, Any]]) -> list[RanAnswer]:
        """Return what Workers say that have answered a question; what is no such answer is left out.

        asked: when, by the monotonic clock. began: when the run began, from which times are counted. answers: who has
        answered, when that came, and what.
        """
        found: list[RanAnswer] = []
        for worker, answered, answer in answers:
            if not isinstance(answer, dict) or answer.get("role") != "worker":
                continue
            try:
                clock = self._clocks.setdefault(worker, ClockDifference())
                theirs = float(answer["now"])
                missing, self.missing_nested[worker] = map(int, answer["missing"])
                calls = calls_in(answer, theirs + clock.learn(asked, answered, theirs) - began)
            except (KeyError, TypeError, ValueError, IndexError, OverflowError):
                continue
            found.append(RanAnswer(worker, calls, missing <= self._missing.get(worker, 0)))
            self._missing[worker] = missing
        return found
