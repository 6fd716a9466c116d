"""``python -m benchmarks.checkpoint``: what keeping results costs, and how fast they are found again.

Rounds of a ``map`` with small results, with and without a checkpoint in turn, all in one file: so whatever else the
machine does, both have about as much of it. Then the same calls again, whose results are all there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedfutures import Executor

ITEMS = 100_000
ROUNDS = 10
MILLISECONDS = 1.0


def work(number: int, seconds: float) -> dict[str, float]:
    """Compute for so many seconds of a processor, whatever else it does meanwhile; return a small result."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    return {"item": number, "value": number / 3}


def round_of(executor: Executor, numbers: range, seconds: float) -> tuple[float, float]:
    """Map; return the seconds that took, and those of this process's processors."""
    began, used = time.perf_counter(), time.process_time()
    count = sum(1 for _ in executor.map(work, numbers, [seconds] * len(numbers)))
    assert count == len(numbers)
    return time.perf_counter() - began, time.process_time() - used


def measured(path: Path, items: int, rounds: int, seconds: float, workers: int) -> dict[str, Any]:
    """Return the figures of all rounds."""
    plain: list[tuple[float, float]] = []
    kept: list[tuple[float, float]] = []
    parts = [range(at, at + items // rounds) for at in range(0, items, items // rounds)]
    with Executor(workers) as without, Executor(workers, checkpoint=path) as executor:
        for each in (without, executor):
            each.submit(work, -1, seconds).result()
        for place, numbers in enumerate(parts):
            pair = [(without, plain), (executor, kept)]
            for each, times in reversed(pair) if place % 2 else pair:
                times.append(round_of(each, numbers, seconds))
    with Executor(workers, checkpoint=path) as executor:
        again = [round_of(executor, numbers, seconds)[0] for numbers in parts]
    used = sum(seconds for _, seconds in kept) - sum(seconds for _, seconds in plain)
    return {
        "ratio of the sums": sum(wall for wall, _ in kept) / sum(wall for wall, _ in plain),
        "median ratio of a pair": statistics.median(one[0] / other[0] for one, other in zip(kept, plain)),
        "µs of the program's processor for a result kept": 1e6 * used / items,
        "µs for a result that is there": 1e6 * sum(again) / items,
        "bytes of the file for a result": os.path.getsize(path) / items,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpoint", description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--milliseconds", type=float, default=MILLISECONDS, help="what an item takes; default: 1")
    parser.add_argument("-n", dest="workers", type=int, default=2)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        found = measured(
            Path(place) / "checkpoint", options.items, options.rounds, options.milliseconds / 1e3, options.workers
        )
    for name, value in found.items():
        print(f"{name}: {value:.3g}")


if __name__ == "__main__":
    main()
