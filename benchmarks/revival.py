"""``python -m benchmarks.revival``: how long a run stands still when its host process is killed, and what that loses.

Each kill comes at a random moment, with 1,000 Futures open. The *stall* is the longest time without a result from the
kill on, and the *return* is the time from the kill to the first result that a Worker of the next host process has
computed. Memory and descriptors of the program are those after the first and after the last kill.

With ``--hosts h1 h2`` other hosts have Workers, too, and ``--victim`` chooses the host process beside the program, the
connector, or both at once. A laboratory has such hosts::

    python -m tests.lab -n 2 sh -c 'python -m benchmarks.revival --hosts h1 h2 --ssh-config $LAB_CONFIG'
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import resource
import signal
import time
from typing import Any

from benchmarks import processes
from fedfutures import Executor, Hosts, worker

FUTURES = 1000
BUFFER_BYTES = 1 << 19
CONNECTOR = "fedfut-connect"


def call(number: int, array: bytearray) -> tuple[int, str, bytearray]:
    """Take a moment, and return who has run this."""
    time.sleep(0.001)
    return number, str(worker.name), array


def started(chosen: argparse.Namespace) -> Executor:
    """Return an Executor that has begun."""
    if not chosen.hosts:
        return Executor(chosen.workers).bootup()
    options = Hosts(["localhost", *chosen.hosts], ssh_config=chosen.ssh_config, allow_root=os.geteuid() == 0)
    return Executor(chosen.workers, hosts=options).bootup()


def kill(victims: list[str]) -> None:
    """Kill children of this program: "host", "connector"."""
    for each in processes.tree(os.getpid())[1:]:
        is_connector = each.name == CONNECTOR
        if each.parent == os.getpid() and ("connector" if is_connector else "host") in victims:
            os.kill(each.pid, signal.SIGKILL)


def one_kill(executor: Executor, victims: list[str], large: bytearray) -> tuple[float, float, int]:
    """Kill with Futures open; return the stall and the return in seconds, and how many values are wrong."""
    came: list[tuple[float, Any]] = []
    futures = [executor.submit(call, n, large if n % 100 == 0 else bytearray(8)) for n in range(FUTURES)]
    for future in futures:
        future.add_done_callback(lambda done: came.append((time.monotonic(), done)))
    time.sleep(random.uniform(0.0, 0.3))
    before = {done.result()[1] for _, done in came}
    killed_at, wrong = time.monotonic(), 0
    kill(victims)
    for number, future in enumerate(futures):
        found, _, array = future.result()
        wrong += found != number or any(array)
    after = sorted((at, done.result()[1]) for at, done in came if at > killed_at)
    times = [killed_at, *(at for at, _ in after)]
    stall = max((later - at for at, later in itertools.pairwise(times)), default=0.0)
    back = next((at for at, name in after if name not in before and "r" in name.rpartition(".")[2]), killed_at)
    return stall, back - killed_at, wrong


def main() -> None:
    """Kill, measure, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--settle", type=float, default=1.2, help="seconds between a start and the next kill")
    options.add_argument("--hosts", nargs="*", default=[], help="other hosts, by ssh")
    options.add_argument("--ssh-config")
    options.add_argument("--victim", default="host", choices=["host", "connector", "host+connector"])
    chosen = options.parse_args()
    found, seen, large = [], [], bytearray(BUFFER_BYTES)
    with started(chosen) as executor:
        for _ in range(chosen.kills):
            time.sleep(chosen.settle * random.uniform(1.0, 1.5))
            found.append(one_kill(executor, chosen.victim.split("+"), large))
            seen.append((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(os.listdir("/proc/self/fd"))))
    wrong = sum(each for _, _, each in found)
    print(f"{chosen.kills} kills of {chosen.victim}, {chosen.kills * FUTURES:,} Futures: 0 lost, {wrong} wrong")
    for name, times in (
        ("stall", [stall for stall, _, _ in found]),
        ("return", [back for _, back, _ in found if back]),
    ):
        if times:
            times.sort()
            middle, late = times[len(times) // 2], times[len(times) * 99 // 100]
            print(f"{name:<6} ({len(times)}): p50 {middle:.3f} s, p99 {late:.3f} s, most {times[-1]:.3f} s")
    print(f"memory {seen[0][0]} -> {seen[-1][0]} KiB, descriptors {seen[0][1]} -> {seen[-1][1]}")


if __name__ == "__main__":
    main()
