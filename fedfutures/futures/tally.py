"""What a run has computed: how many Futures of each function, for how long, on which Workers. Pure but for its clock.

Only what comes back to the program is counted, by the facts that travel with outcomes (:mod:`..wire.facts`): what a
Future submits itself is part of it. A slice of a ``map`` is one Future. Facts are put aside as they come, and added up
many messages at a time. Of what single Futures took, some are kept for the percentiles: each at first, then every
second, every fourth, and so on, so memory has a bound.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..wire.facts import blocks, names_of
from ..wire.messages import CANCELLED, VALUE, WITH_OUTPUT

MESSAGES_AT_ONCE = 256
SAMPLES_AT_MOST = 2048
"""Of each function."""


class CountedMessage(NamedTuple):
    """The outcomes of one message, which share their function."""

    function: str
    futures: int
    odd: list[tuple[int, int]]
    facts: bytes


class Samples:
    """What some of many Futures took, at even distances."""

    __slots__ = ("_skip", "_stride", "seconds")

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._stride, self._skip = 1, 0

    def add(self, measured: list[float]) -> None:
        """Keep those whose turn it is."""
        self.seconds += measured[self._skip :: self._stride]
        self._skip = (self._skip - len(measured)) % self._stride
        while len(self.seconds) > SAMPLES_AT_MOST:
            del self.seconds[1::2]
            self._stride *= 2

    def percentile(self, share: float) -> float | None:
        """Return what this share of them took no longer than; None where nothing was measured.

        >>> samples = Samples()
        >>> samples.add([0.1, 0.2, 0.3, 4.0])
        >>> samples.percentile(0.5), samples.percentile(0.99)
        (0.2, 4.0)
        """
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))] if ordered else None


class FutureSum:
    """Futures that have something in common: their function, or the Worker that has run them."""

    __slots__ = ("cancelled", "failed", "futures", "seconds")

    def __init__(self) -> None:
        self.futures = self.failed = self.cancelled = 0
        self.seconds = 0.0

    def count(self, futures: int, failed: int, cancelled: int) -> None:
        """So many have outcomes; of these, so many raised or were lost, or were cancelled."""
        self.futures += futures
        self.failed += failed
        self.cancelled += cancelled

    def measure(self, seconds: list[float]) -> None:
        """They took so long."""
        self.seconds += sum(seconds)


class RunTally:
    """The Futures of one run. `clock` tells seconds; the run begins now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._aside: list[CountedMessage] = []
        self._functions: dict[str, FutureSum] = {}
        self._samples: dict[str, Samples] = {}  # of functions
        self._workers: dict[str, FutureSum] = {}

    def take(self, message: CountedMessage) -> None:
        """Outcomes have come."""
        self._aside.append(message)
        if len(self._aside) >= MESSAGES_AT_ONCE:
            self._add_up()

    def _add_up(self) -> None:
        aside, self._aside = self._aside, []
        for message in aside:
            function = self._functions.setdefault(message.function, FutureSum())
            samples = self._samples.setdefault(message.function, Samples())
            cancelled = sum(kind == CANCELLED for _, kind in message.odd)
            function.count(message.futures, _failed(message.odd), cancelled)
            for name, _, all_seconds in blocks(message.facts, message.futures):
                seconds = [one for one in all_seconds if one >= 0.0]
                function.measure(seconds)
                samples.add(seconds)
                if name:
                    worker = self._workers.setdefault(names_of(name)[0], FutureSum())
                    worker.count(len(all_seconds), 0, 0)
                    worker.measure(seconds)

    def report(self, workers: int) -> dict[str, Any]:
        """Return what was counted until now, as plain data; `workers`: how many there are."""
        self._add_up()
        took = self._clock() - self._began
        functions = {name: _of_function(found, self._samples[name]) for name, found in sorted(self._functions.items())}
        hosts: dict[str, dict[str, Any]] = {}
        for name, found in sorted(self._workers.items()):
            host = hosts.setdefault(names_of(name.encode())[1], {"futures": 0, "seconds": 0.0})
            host["futures"] += found.futures
            host["seconds"] = round(host["seconds"] + found.seconds, 6)
        busy = sum(found.seconds for found in self._workers.values())
        totals = {key: sum(one[key] for one in functions.values()) for key in ("futures", "failed", "cancelled")}
        return {
            "seconds": round(took, 6), **totals, "workers_at_the_end": workers,
            "busy": round(busy / (took * workers), 4) if took > 0.0 and workers else 0.0,
            "functions": functions,
            "workers": {name: _of_worker(found) for name, found in sorted(self._workers.items())},
            "hosts": hosts,
        }  # fmt: skip


def _failed(odd: list[tuple[int, int]]) -> int:
    """How many have raised, or were lost; of those whose output is kept only the program knows."""
    return sum(kind not in (VALUE, CANCELLED, WITH_OUTPUT) for _, kind in odd)


def _of_function(found: FutureSum, samples: Samples) -> dict[str, Any]:
    return {
        "futures": found.futures, "failed": found.failed, "cancelled": found.cancelled,
        "seconds": round(found.seconds, 6), "p50": samples.percentile(0.5), "p99": samples.percentile(0.99),
    }  # fmt: skip


def _of_worker(found: FutureSum) -> dict[str, Any]:
    return {"futures": found.futures, "seconds": round(found.seconds, 6)}


def line_of(report: dict[str, Any]) -> str:
    """Return a report in one line.

    >>> line_of({"futures": 1200, "failed": 2, "cancelled": 0, "seconds": 61.0, "busy": 0.914, "workers_at_the_end": 4})
    '1,200 Futures in 61.0 s, 2 of them failed; 4 Workers were busy 91 % of that time'
    """
    words = {"failed": "failed", "cancelled": "were cancelled"}
    parts = [f"{report[what]:,} of them {word}" for what, word in words.items() if report[what]]
    futures, workers = report["futures"], report["workers_at_the_end"]
    begin = ", ".join([f"{futures:,} Future{'s' * (futures != 1)} in {report['seconds']:.1f} s", *parts])
    many = f"{workers} Workers were" if workers != 1 else "1 Worker was"
    return f"{begin}; {many} busy {report['busy']:.0%}".replace("%", " %") + " of that time"


def written(report: dict[str, Any]) -> str:
    """Return a report as JSON."""
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"
