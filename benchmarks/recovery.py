"""``python -m benchmarks.recovery``: how long a run stands still when a process of it is killed, and what that loses.

Each kill (SIGKILL) comes at a random moment, with 1,000 Futures of one millisecond open, every hundredth with an array
of 512 KiB there and back. The *stall* is the longest time without a result from the kill on: what somebody sees who
watches the results come. All kills of one kind fall into one run.

- worker: the only Worker of a machine;
- broker: the Broker of a machine with two Workers;
- host: its host process, and so all its processes but the program;
- neighbour: the Broker of another host, which has all Workers (both hosts are on this machine, linked by ``ipc``).
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import processes
from benchmarks.lab import Lab
from benchmarks.tables import write
from fedfutures import Executor

FUTURES = 1000
BUFFER_BYTES = 1 << 19
WAIT_SECONDS = 60.0
RESULTS = Path(__file__).with_name("results_recovery.rst")

Submit = Callable[..., Any]
Run = tuple[Submit, Callable[[], int]]
"""How to submit to a run, and which process is to be killed next."""


def call(number: int, array: bytearray) -> tuple[int, bytearray]:
    """Take a moment, and give back what was given."""
    time.sleep(0.001)
    return number, array


def _below(name: str) -> int:
    """Return the pid of the youngest process of this run with such a name."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := [each.pid for each in processes.tree(os.getpid())[1:] if each.name.startswith(name)]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"there is no {name}")
        time.sleep(0.01)
    return found[-1]


@contextmanager
def _one_machine(workers: int, victim: Callable[[Executor], int]) -> Iterator[Run]:
    with Executor(workers) as executor:
        yield executor.submit, lambda: victim(executor)


@contextmanager
def _two_hosts() -> Iterator[Run]:
    with Lab([0, 2]) as lab:
        site = lab.site(0)
        yield site.submit, lambda: lab.broker(1)


KINDS: dict[str, Callable[[], Any]] = {
    "worker": lambda: _one_machine(1, lambda executor: executor.submit(os.getpid).result()),
    "broker": lambda: _one_machine(2, lambda executor: _below("fedfut-broker")),
    "host": lambda: _one_machine(2, lambda executor: executor.submit(os.getppid).result()),
    "neighbour": _two_hosts,
}


def one_kill(submit: Submit, victim: int, large: bytearray) -> tuple[float, int, int]:
    """Kill a process with Futures open; return the stall in seconds, and how many were lost and wrong."""
    came: list[float] = []
    futures = [submit(call, number, large if number % 100 == 0 else bytearray(8)) for number in range(FUTURES)]
    for future in futures:
        future.add_done_callback(lambda _: came.append(time.monotonic()))
    time.sleep(random.uniform(0.0, 0.3))
    killed_at = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    lost = wrong = 0
    for number, future in enumerate(futures):
        if future.exception(WAIT_SECONDS) is not None:
            lost += 1
        else:
            found, array = future.result()
            wrong += found != number or any(array)
    times = [killed_at, *sorted(at for at in came if at > killed_at)]
    return max((later - at for at, later in itertools.pairwise(times)), default=0.0), lost, wrong


class Measured(NamedTuple):
    """What came of all kills of one kind; times are in seconds."""

    kind: str
    kills: int
    lost: int
    wrong: int
    p50: float
    p99: float
    most: float

    def cells(self) -> list[str]:
        """Return the cells of a row of the table."""
        times = (f"{seconds:.2f}" for seconds in (self.p50, self.p99, self.most))
        return [self.kind, str(self.kills), f"{self.kills * FUTURES:,}", str(self.lost), str(self.wrong), *times]


HEAD = ["killed", "kills", "Futures", "lost", "wrong", "p50 / s", "p99 / s", "most / s"]


def measure(kind: str, kills: int, settle: float) -> Measured:
    """Kill so often in one run; return the distribution of stalls, and what was lost or wrong."""
    stalls, lost, wrong, large = [], 0, 0, bytearray(BUFFER_BYTES)
    with KINDS[kind]() as (submit, victim):
        for _ in range(kills):
            time.sleep(settle * random.uniform(1.0, 1.5))
            stall, more_lost, more_wrong = one_kill(submit, victim(), large)
            stalls.append(stall)
            lost, wrong = lost + more_lost, wrong + more_wrong
    stalls.sort()
    p50, p99 = (stalls[min(len(stalls) - 1, len(stalls) * share // 100)] for share in (50, 99))
    return Measured(kind, kills, lost, wrong, p50, p99, stalls[-1])


def main() -> None:
    """Kill, measure, print; fail where a Future was lost or a value wrong."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all of them by default")
    options.add_argument("--kills", type=int, default=100)
    options.add_argument(
        "--settle", type=float, default=1.2, help="seconds between a recovery and the next kill, at least"
    )
    options.add_argument("--write", action="store_true", help=f"write the table of the documentation, {RESULTS.name}")
    chosen = options.parse_args()
    found = []
    for kind in chosen.kinds or KINDS:
        found.append(measure(kind, chosen.kills, chosen.settle))
        print(*(f"{name} {cell}" for name, cell in zip(HEAD, found[-1].cells(), strict=True)), sep=", ", flush=True)
    if chosen.write:
        write(RESULTS, HEAD, [row.cells() for row in found])
    if any(row.lost or row.wrong for row in found):
        sys.exit("Futures were lost, or values are wrong")


if __name__ == "__main__":
    main()
