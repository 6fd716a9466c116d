"""``python -m benchmarks.growth``: how much more memory the processes of one run need the longer it lasts.

Futures, closures (each one a function that nobody has seen before) and deaths of Workers come in ten parts each. The
first part fills what is kept for later: free memory of the interpreter, tables that are bounded. What counts is the
growth from the end of the second part to the end of the last one, in each process that lives on. A Worker is compared
only where it is the same process at both times.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from benchmarks import processes
from benchmarks.tables import write
from fedfutures import Executor

PARTS = 10
AT_ONCE = 1000
BAR = 1.10
RESULTS = Path(__file__).with_name("results_growth.rst")


def give_back(number: int) -> int:
    """Return the number."""
    return number


def resident(executor: Executor) -> dict[str, tuple[int, float]]:
    """Return pid and MiB of resident memory of each process of the run, by its name."""
    executor.submit(give_back, 0).result()
    gc.collect()
    time.sleep(0.5)
    found = {"program": (os.getpid(), processes.rss_bytes(os.getpid()) / processes.MIB)}
    for process in processes.tree(os.getpid())[1:]:
        if process.state != "Z":
            name = process.name if process.name not in found else f"{process.name} {process.pid}"
            found[name] = process.pid, processes.rss_bytes(process.pid) / processes.MIB
    return found


def submit_all(executor: Executor, count: int, call: Callable[[int], object]) -> None:
    """Submit so many calls, a bounded number of them open at a time, and check their results."""
    open_ones = deque([executor.submit(give_back, 0)])
    for number in range(count):
        open_ones.append(executor.submit(call(number), number))  # type: ignore[arg-type]
        if len(open_ones) > AT_ONCE:
            open_ones.popleft().result()
    for future in open_ones:
        future.result()


def futures(executor: Executor, count: int) -> None:
    """Submit one function often."""
    submit_all(executor, count, lambda _: give_back)


def made(number: int) -> Callable[[int], object]:
    """Return a function that nobody has seen before."""
    secret = os.urandom(8)
    return lambda given: (given, number, secret)


def closures(executor: Executor, count: int) -> None:
    """Submit as many functions as Futures."""
    submit_all(executor, count, made)


def deaths(executor: Executor, count: int) -> None:
    """Kill so many Workers from outside, each while Futures are open."""
    for _ in range(count):
        open_ones = [executor.submit(give_back, number) for number in range(20)]
        pid = executor.submit(os.getpid).result()
        os.kill(pid, signal.SIGKILL)
        for number, future in enumerate(open_ones):
            if future.result() != number:
                raise SystemExit("a result is wrong")


KINDS: dict[str, Callable[[Executor, int], None]] = {"futures": futures, "closures": closures, "deaths": deaths}


HEAD = ["after many", "process", "MiB after a fifth", "MiB after all", "growth"]


def grow(kind: str, count: int, workers: int) -> list[tuple[list[str], float]]:
    """Do `count` of one kind in one run; return for each process a row of the table, and by how much it has grown."""
    with Executor(workers) as executor:
        for part in range(PARTS):
            KINDS[kind](executor, count // PARTS)
            if part == 1:
                before = resident(executor)
        after = resident(executor)
    rows = []
    for name, (pid, size) in after.items():
        if name in before and before[name][0] == pid:
            then = before[name][1]
            rows.append(
                ([f"{count:,} {kind}", name, f"{then:.1f}", f"{size:.1f}", f"{size / then - 1:+.1%}"], size / then)
            )
    return rows


def main() -> None:
    """Do what is asked, print, and fail where a process has grown by more than a tenth."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--futures", type=int, default=1_000_000)
    options.add_argument("--closures", type=int, default=100_000)
    options.add_argument("--deaths", type=int, default=10_000)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--write", action="store_true", help=f"write the table of the documentation, {RESULTS.name}")
    chosen = options.parse_args()
    kinds = [(kind, getattr(chosen, kind)) for kind in KINDS if getattr(chosen, kind)]
    found: list[tuple[list[str], float]] = []
    for kind, count in kinds:
        rows = grow(kind, count, chosen.workers)
        for cells, _ in rows:
            print(*(f"{name} {cell}" for name, cell in zip(HEAD, cells, strict=True)), sep=", ", flush=True)
        found += rows
    if chosen.write:
        write(RESULTS, HEAD, [cells for cells, _ in found])
    if any(ratio > BAR for _, ratio in found):
        sys.exit("a process has grown by more than a tenth")


if __name__ == "__main__":
    main()
