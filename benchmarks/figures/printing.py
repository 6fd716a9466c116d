"""Short lines that Futures print, until the program has shown the last one.

A ``print`` of a Future is a call of the system, unless there are very many; all of it has to be read, marked and
written again. The pools of the standard library let their processes write by themselves, so this has no peer.
"""

from __future__ import annotations

import contextlib
import time
from functools import partial
from typing import Any

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

WORKERS = 2
LINES = 100_000
FUTURES = 10
ROUNDS = 5
SECONDS_AT_MOST = 0.25
LIMIT_SECONDS = 20.0


class Sink:
    """Stands in for standard output; counts lines."""

    lines = 0

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        return len(text)

    def flush(self) -> None:
        pass


def talk(count: int) -> None:
    """Print short lines."""
    for number in range(count):
        print("line", number)


def measure(opener: faces.Opener, lines: int, rounds: int) -> Metrics:
    """The seconds of the fastest round."""
    taken = []
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        for _ in range(rounds):
            sink: Any = Sink()
            with contextlib.redirect_stdout(sink):
                begun = time.perf_counter()
                faces.submit_all(face, talk, [(lines // FUTURES,)] * FUTURES)
                while sink.lines < lines and time.perf_counter() < begun + LIMIT_SECONDS:
                    time.sleep(0.0005)
            taken.append(time.perf_counter() - begun)
    return {"seconds": min(taken)}


def figure(quick: bool) -> Figure:
    """An Executor alone."""
    contestants = {"Executor": Contestant(partial(measure, faces.fedfutures_executor, LINES, ROUNDS))}
    rows = [Row(f"{LINES:,} lines of Futures shown", "s", metric("Executor", "seconds"), bar=Bar("≤", SECONDS_AT_MOST))]
    return Figure("printing", contestants, rows)
