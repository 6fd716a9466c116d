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

from .. import times
from ..wire.facts import blocks, names_of
from ..wire.messages import BEGUN_ONCE, CANCELLED, LOST, NO_FAILURES, OUT_OF_MEMORY, OVERRAN, POISONED

MESSAGES_AT_ONCE = 256
_LOSSES = frozenset({POISONED, LOST, OVERRAN, BEGUN_ONCE, OUT_OF_MEMORY})
SLOWER = 1.25
"""A host is named whose Futures take so many times as long as those of all others."""
SAMPLES_AT_MOST = 2048
"""Of each function, and of each host."""
SAMPLES_OF_A_WORKER = 256


class CountedMessage(NamedTuple):
    """The outcomes of one message, which share their function."""

    function: str
    futures: int
    odd: list[tuple[int, int]]
    facts: bytes


class Samples:
    """What some of many Futures took, at even distances."""

    __slots__ = ("_most", "_skip", "_stride", "seconds")

    def __init__(self, most: int = SAMPLES_AT_MOST) -> None:
        self.seconds: list[float] = []
        self._most, self._stride, self._skip = most, 1, 0

    def add(self, measured: list[float]) -> None:
        """Keep those whose turn it is."""
        self.seconds += measured[self._skip :: self._stride]
        self._skip = (self._skip - len(measured)) % self._stride
        while len(self.seconds) > self._most:
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
    """Futures that have something in common: their function, or the Worker or host that has run them."""

    __slots__ = ("cancelled", "failed", "futures", "retries", "samples", "seconds")

    def __init__(self, samples: int = SAMPLES_AT_MOST) -> None:
        self.futures = self.failed = self.cancelled = self.retries = 0
        self.seconds, self.samples = 0.0, Samples(samples)

    def measure(self, seconds: list[float]) -> None:
        """They took so long."""
        self.seconds += sum(seconds)
        self.samples.add(seconds)

    def as_data(self) -> dict[str, Any]:
        """Return how many there are, for how long they ran, and what half and 99 % of them took no longer than."""
        samples = self.samples
        return {
            "futures": self.futures, "seconds": round(self.seconds, 6),
            "p50": samples.percentile(0.5), "p99": samples.percentile(0.99),
        }  # fmt: skip


class RunTally:
    """The Futures of one run. `clock` tells seconds; the run begins now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._aside: list[CountedMessage] = []
        self._functions: dict[str, FutureSum] = {}
        self._workers: dict[str, FutureSum] = {}
        self._hosts: dict[str, FutureSum] = {}
        self._lost = 0

    def take(self, message: CountedMessage) -> None:
        """Outcomes have come."""
        self._aside.append(message)
        if len(self._aside) >= MESSAGES_AT_ONCE:
            self._add_up()

    def _add_up(self) -> None:
        """Add up what was put aside: first what belongs together, for most messages have a single Future."""
        aside, self._aside = self._aside, []
        together: dict[tuple[str, bytes], list[float]] = {}
        functions = self._functions
        for message in aside:
            name, futures, odd, facts = message
            function = functions.get(name)
            if function is None:
                function = functions[name] = FutureSum()
            function.futures += futures
            if odd:
                self._count_odd(function, odd)
            for worker, attempts, seconds in blocks(facts, futures):
                if attempts > 1:
                    function.retries += (attempts - 1) * len(seconds)
                key = name, worker
                if key in together:
                    together[key] += seconds
                else:
                    together[key] = list(seconds)
        for (name, worker), found in together.items():
            measured = [one for one in found if one >= 0.0]
            functions[name].measure(measured)
            if worker:
                self._measure(worker, len(found), measured)

    def _count_odd(self, function: FutureSum, odd: list[tuple[int, int]]) -> None:
        function.failed += count_failed(odd)
        function.cancelled += sum(kind == CANCELLED for _, kind in odd)
        self._lost += sum(kind in _LOSSES for _, kind in odd)

    def _measure(self, name: bytes, count: int, seconds: list[float]) -> None:
        """A Worker has run so many Futures."""
        worker, host = names_of(name)
        for sums, key, samples in ((self._workers, worker, SAMPLES_OF_A_WORKER), (self._hosts, host, SAMPLES_AT_MOST)):
            if key not in sums:
                sums[key] = FutureSum(samples)
            sums[key].futures += count
            sums[key].measure(seconds)

    def retries(self) -> dict[str, int]:
        """Return how often Futures were started again, by function; those of which none was are not there."""
        self._add_up()
        return {name: found.retries for name, found in self._functions.items() if found.retries}

    def report(self, workers: int) -> dict[str, Any]:
        """Return what was counted until now, as plain data; `workers`: how many there are."""
        self._add_up()
        took = self._clock() - self._began
        functions = {name: _of_function(found) for name, found in sorted(self._functions.items())}
        busy = sum(found.seconds for found in self._workers.values())
        totals = {key: sum(one[key] for one in functions.values()) for key in ("futures", "failed", "cancelled")}
        return {
            "seconds": round(took, 6), **totals, "lost": self._lost, "retries": sum(self.retries().values()),
            "workers_at_the_end": workers,
            "busy": round(busy / (took * workers), 4) if took > 0.0 and workers else 0.0,
            "functions": functions,
            "per_second": round(totals["futures"] / took, 3) if took > 0.0 else 0.0,
            "workers": {name: found.as_data() for name, found in sorted(self._workers.items())},
            "hosts": {name: found.as_data() for name, found in sorted(self._hosts.items())},
        }  # fmt: skip


def count_failed(odd: list[tuple[int, int]]) -> int:
    """How many have raised, or were lost; of those whose output is kept only the program knows."""
    return sum(kind not in NO_FAILURES for _, kind in odd)


def _of_function(found: FutureSum) -> dict[str, Any]:
    return {**found.as_data(), "failed": found.failed, "cancelled": found.cancelled}


def line_of(report: dict[str, Any]) -> str:
    """Return a report in one line.

    >>> line_of({"futures": 1200, "failed": 2, "seconds": 61.0, "busy": 0.914, "workers_at_the_end": 4, "retries": 1})
    '1,200 Futures in 61.0 s, 2 of them failed, 1 was run again; 4 Workers were busy 91 % of that time'
    """
    parts = [f"{report[what]:,} of them {word}" for what, word in _ENDS.items() if report.get(what)]
    if retries := report.get("retries"):
        parts.append(f"{retries:,} {'was' if retries == 1 else 'were'} run again")
    futures, workers = report["futures"], report["workers_at_the_end"]
    begin = ", ".join([f"{futures:,} Future{'s' * (futures != 1)} in {report['seconds']:.1f} s", *parts])
    many = f"{workers} Workers were" if workers != 1 else "1 Worker was"
    busy = f"{many} busy {report['busy']:.0%}".replace("%", " %")
    return f"{begin}; {busy} of that time{_slowest(report.get('hosts', {}))}"


_ENDS = {"failed": "failed", "lost": "were lost", "cancelled": "were cancelled"}


def _slowest(hosts: dict[str, Any]) -> str:
    """Return which host took much longer for a Future than all others did, if one did.

    >>> _slowest({"a": {"futures": 10, "seconds": 1.0}, "b": {"futures": 10, "seconds": 3.0}})
    '; slowest was b with 300 ms a Future, all others took 100 ms'
    """
    means = {name: one["seconds"] / one["futures"] for name, one in hosts.items() if one["futures"]}
    if len(means) < 2:
        return ""
    name = max(means, key=lambda one: means[one])
    others = [one for other, one in hosts.items() if other != name and one["futures"]]
    mean = sum(one["seconds"] for one in others) / sum(one["futures"] for one in others)
    if means[name] < SLOWER * mean:
        return ""
    return f"; slowest was {name} with {times.shown(means[name])} a Future, all others took {times.shown(mean)}"


def written(report: dict[str, Any]) -> str:
    """Return a report as JSON."""
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"
