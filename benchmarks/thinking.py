"""``python -m benchmarks.thinking``: what a Broker takes for a message, and a Worker for a Future, in CPU time.

The simulator takes these as ``--broker-cost`` and ``--worker-cost``. Both are measured from outside: processor time of
the process, sockets and kernel with it, over many Futures that do nothing.

A lone call is four messages at the Broker: the Batch that comes and goes, and the Results that come and go. Futures
that are submitted together travel together, and there a Worker spends its time on Futures, not on messages.
"""

from __future__ import annotations

import os
import time

from benchmarks import processes
from fedfutures import Executor

LONE_CALLS, MESSAGES_OF_A_CALL = 4000, 4
TOGETHER = 40_000
SETTLES_SECONDS = 0.5
FIRST_WORKER = ".1"
"""What the name of its process ends with."""


def nothing(_: int) -> None:
    """Do nothing."""


def cpu_of(word: str) -> float:
    """Return what a process below this one has used of the processor so far."""
    process = processes.find(os.getpid(), word)
    assert process is not None, f"no process is called {word}"
    return process.cpu_seconds


def measured() -> tuple[float, float]:
    """Return both, in seconds, measured with one Worker."""
    os.environ["FEDFUTURES_LANES"] = "0"  # lone calls are to go by way of the Broker
    with Executor(max_workers=1) as executor:
        for number in range(500):
            executor.submit(nothing, number).result()
        time.sleep(SETTLES_SECONDS)
        broker = cpu_of("broker")
        for number in range(LONE_CALLS):
            executor.submit(nothing, number).result()
        broker = cpu_of("broker") - broker
        worker = cpu_of(FIRST_WORKER)
        for future in [executor.submit(nothing, number) for number in range(TOGETHER)]:
            future.result()
        worker = cpu_of(FIRST_WORKER) - worker
    return broker / LONE_CALLS / MESSAGES_OF_A_CALL, worker / TOGETHER


def main() -> None:
    """Print both as the simulator takes them."""
    broker, worker = measured()
    print(f"--broker-cost {broker:.2g} --worker-cost {worker:.2g}")


if __name__ == "__main__":
    main()
