"""``python -m benchmarks.agreement``: whether the simulator says how long real hosts take.

The same Futures run on real hosts and in the simulator, on 1, 2, 4, 8, 16 and 32 hosts of two Workers each. They
sleep, so hosts that share this machine do not disturb each other as long as its processors have time left: the table
says how much of them was used, and names a size where that was more than 60 % as one that does not count. The
simulator's Brokers and Workers take what :mod:`benchmarks.thinking` has measured just before. The last row has
Futures that compute, on four hosts, and a simulation whose nodes share the processors of this machine.

A laboratory has the other hosts::

    python -m tests.lab -n 31 sh -c 'python -m benchmarks.agreement --ssh-config $LAB_CONFIG --write FILE'
"""

from __future__ import annotations

import argparse
import datetime
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.thinking import measured
from fedfutures import Executor, Hosts, worker
from fedfutures.simulation.scenario import FigureRun, FigureSettings
from fedfutures.simulation.world import Costs

SIZES = (1, 2, 4, 8, 16, 32)
WORKERS = 2  # of each host
COMPUTING_HOSTS, COMPUTING_EACH, COMPUTE_SECONDS = 4, 40, 0.05
USED_AT_MOST = 0.6
MEET_SECONDS = 60.0


def sleep(seconds: float) -> str:
    """Leave the processor to others; return who has done that."""
    time.sleep(seconds)
    return str(worker.name)


def compute(seconds: float) -> str:
    """Use so much of a processor."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    return str(worker.name)


class Point(NamedTuple):
    """One size: real and simulated makespan and the ideal, in seconds; and which part of the processors was used."""

    name: str
    real: float
    simulated: float
    ideal: float
    used: float
    counts: bool = True

    @property
    def row(self) -> tuple[str, ...]:
        """What the table shows of it."""
        apart = f"{self.simulated / self.real - 1:+.1%}" if self.counts else "does not count"
        seconds = [f"{value:.2f} s" for value in (self.ideal, self.real, self.simulated)]
        return (self.name, *seconds, apart, f"{self.used:.0%}")


def processor_seconds() -> tuple[float, float]:
    """Return how long all processors of this machine were used, and how long they were not."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, idle, waiting, *others = (int(word) for word in file.readline().split()[1:8])
    unit = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + sum(others)) / unit, (idle + waiting) / unit


def real(
    hosts: int, futures: int, function: Callable[[float], str], seconds: float, config: str
) -> tuple[float, float]:
    """Return the makespan on real hosts, and which part of the processors was used meanwhile."""
    names = ["localhost", *(f"h{number}" for number in range(1, hosts))]
    options = Hosts(names, ssh_config=config or None, allow_root=True, require_all=True, start_timeout=120)
    with Executor(WORKERS * hosts, hosts=options if hosts > 1 else None) as executor:
        seen: set[str] = set()
        until = time.monotonic() + MEET_SECONDS
        while len(seen) < WORKERS * hosts:
            assert time.monotonic() < until, f"of {WORKERS * hosts} Workers only {len(seen)} came"
            seen.update(executor.map(sleep, [0.05] * (4 * WORKERS * hosts), chunksize=1))
        time.sleep(0.5)
        before, start = processor_seconds(), time.monotonic()
        for _ in executor.map(function, [seconds] * futures, chunksize=1):
            pass
        makespan, after = time.monotonic() - start, processor_seconds()
    used, idle = after[0] - before[0], after[1] - before[1]
    return makespan, used / (used + idle)


def simulated(hosts: int, futures: int, seconds: float, costs: Costs) -> tuple[float, float]:
    """Return the makespan that the simulator says, and the ideal one."""
    figures = FigureRun(FigureSettings(hosts, WORKERS, futures=futures, seconds=seconds, costs=costs)).run()
    return figures.makespan, figures.ideal


def table(points: list[Point], costs: Costs) -> str:
    """Return the table, and under which costs it was made."""
    rows = [("hosts", "ideal", "real", "simulated", "apart", "processors used"), *(point.row for point in points)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    rule = "  ".join("=" * width for width in widths)
    said = f"{datetime.date.today()}, {os.cpu_count()} processors, --broker-cost {costs.broker:.2g}"
    said += f" --worker-cost {costs.worker:.2g}"
    return "\n".join([f"{said}:", "", rule, lines[0], rule, *lines[1:], rule, ""])


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("--ssh-config", default="", metavar="FILE")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--seconds", type=float, default=0.5, help="for which a Future sleeps")
    parser.add_argument("--each", type=int, default=10, help="Futures for each Worker")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table there, too")
    chosen = parser.parse_args()
    costs, points = Costs(*measured()), []
    for hosts in chosen.sizes:
        futures = chosen.each * WORKERS * hosts
        makespan, used = real(hosts, futures, sleep, chosen.seconds, chosen.ssh_config)
        simulation = simulated(hosts, futures, chosen.seconds, costs)
        points.append(Point(f"{hosts}", makespan, *simulation, used, used <= USED_AT_MOST))
        print(*points[-1].row, sep="  ", flush=True)
    if max(chosen.sizes) >= COMPUTING_HOSTS:
        futures, seconds = COMPUTING_EACH * WORKERS * COMPUTING_HOSTS, COMPUTE_SECONDS
        shared = costs._replace(processors=os.cpu_count() or 1)
        makespan, used = real(COMPUTING_HOSTS, futures, compute, seconds, chosen.ssh_config)
        simulation = simulated(COMPUTING_HOSTS, futures, seconds, shared)
        points.append(Point(f"{COMPUTING_HOSTS}, computing", makespan, *simulation, used))
    text = table(points, costs)
    print(text)
    if chosen.write:
        chosen.write.write_text(text)


if __name__ == "__main__":
    main()
