"""``python -m benchmarks.accounting``: where the time of a call goes: processor, switches and system calls, by process.

Each workload runs by one Executor. Its processes are looked at before and after, with all their threads, those of
ZeroMQ too, so nothing is traced and nothing disturbed. System calls are counted in a second pass, where ``strace`` is
installed and may be used: that slows processes down, so only the counts are taken from it.

- *user*, *system*: processor time for each Future, in microseconds;
- *waits*: how often a thread let the processor go because it had nothing to do; *pushed*: how often it was taken off;
- *queued*: for how long threads were ready and had no processor, in microseconds: other processes had it;
- *calls*: system calls, with those that are made most.

The wall time of a Future stands beside the name of the workload.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import processes
from fedfutures import Executor

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SETTLES_SECONDS = 0.5
SHOWN = 6
"""So many kinds of system calls are named."""


class Usage(NamedTuple):
    """What the threads of a process have used so far: seconds, and how often they were switched."""

    user: float
    system: float
    queued: float
    waits: float
    pushed: float

    def since(self, before: Usage, count: int) -> Usage:
        """What was used since then, for each of so many Futures."""
        return Usage(*((now - then) / count for now, then in zip(self, before)))


def usage_of(pid: int) -> Usage:
    """Read it from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    queued = waits = pushed = 0.0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            queued += int((thread / "schedstat").read_text().split()[1]) / 1e9
            status = (thread / "status").read_text()
            waits += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[1])  # type: ignore[index]
            pushed += int(re.search(r"^nonvoluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[1])  # type: ignore[index]
    user, system = (int(ticks) / _TICKS_PER_SECOND for ticks in fields[11:13])
    return Usage(user, system, queued, waits, pushed)


class Workload(NamedTuple):
    """What is accounted for; `run` runs so many Futures."""

    name: str
    futures: int
    workers: int
    run: Callable[[Executor, int], object]
    lanes: bool = True  # whether lone calls may go over lanes, and not by way of the Broker


def nothing(number: int) -> int:
    """Return what is given."""
    return number


def compute(number: int, seconds: float = 0.01) -> int:
    """Use a processor for a moment."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    return number


def alone(executor: Executor, futures: int) -> None:
    """Wait for each Future before the next one is submitted."""
    for number in range(futures):
        executor.submit(nothing, number).result()


def together(executor: Executor, futures: int) -> None:
    """Submit all, then wait for each."""
    for future in [executor.submit(nothing, number) for number in range(futures)]:
        future.result()


def computing(executor: Executor, futures: int) -> None:
    """Submit all that compute, then wait for each."""
    for future in [executor.submit(compute, number) for number in range(futures)]:
        future.result()


def small_maps(executor: Executor, futures: int) -> None:
    """Map two items, again and again."""
    for _ in range(futures // 2):
        list(executor.map(nothing, (1, 2)))


WORKLOADS = (
    Workload("lone call", 2000, 1, alone),
    Workload("lone call by way of the Broker", 2000, 1, alone, lanes=False),
    Workload("submitted together", 40_000, 2, together),
    Workload("10 ms of a processor", 400, 2, computing),
    Workload("maps of two items", 2000, 2, small_maps),
)


def role_of(process: processes.Process) -> str:
    """What a process of the run is, for the table."""
    if process.pid == os.getpid():
        return "Origin"
    if process.parent == os.getpid():
        return "host process"
    return "Broker" if "broker" in process.name else "Workers"


def accounted(workload: Workload) -> tuple[float, dict[str, Usage]]:
    """Return the wall time of a Future, and what each role has used for it."""
    with Executor(workload.workers) as executor:
        workload.run(executor, max(20, workload.futures // 10))
        time.sleep(SETTLES_SECONDS)
        living = processes.tree(os.getpid())
        before = {process.pid: usage_of(process.pid) for process in living}
        start = time.perf_counter()
        workload.run(executor, workload.futures)
        seconds = time.perf_counter() - start
        used: dict[str, Usage] = {}
        for process in living:
            more = usage_of(process.pid).since(before[process.pid], workload.futures)
            known = used.get(role_of(process), Usage(0, 0, 0, 0, 0))
            used[role_of(process)] = Usage(*map(sum, zip(known, more)))
    return seconds / workload.futures, used


@contextlib.contextmanager
def traced(pids: dict[int, str], directory: str) -> Iterator[None]:
    """Count the system calls of processes meanwhile, into files of their numbers."""
    tracers = [
        subprocess.Popen(
            ["strace", "-f", "-c", "-U", "calls,name", "-o", f"{directory}/{pid}", "-p", str(pid)],
            stderr=subprocess.DEVNULL,
        )
        for pid in sorted(pids, key=lambda pid: pid == os.getpid())  # this one last: what it starts is counted, too
    ]
    time.sleep(1.0)  # strace says nothing once it is attached
    yield
    for tracer in tracers:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)


def calls_made(workload: Workload) -> dict[str, dict[str, float]]:
    """Return the system calls for each Future, by role and name; nothing where they cannot be counted."""
    counts: dict[str, dict[str, float]] = {}
    if shutil.which("strace") is None:
        return counts
    futures = max(20, workload.futures // 10)
    with tempfile.TemporaryDirectory() as directory, Executor(workload.workers) as executor:
        workload.run(executor, futures)
        time.sleep(SETTLES_SECONDS)
        roles = {process.pid: role_of(process) for process in processes.tree(os.getpid())}
        with traced(roles, directory):
            workload.run(executor, futures)
        for pid, role in roles.items():
            said = Path(directory, str(pid))
            for count, name in re.findall(r"^\s*(\d+) (\w+)$", said.read_text() if said.exists() else "", re.MULTILINE):
                if name != "total":
                    of_role = counts.setdefault(role, {})
                    of_role[name] = of_role.get(name, 0.0) + int(count) / futures
    return counts


def table(workload: Workload, wall: float, used: dict[str, Usage], calls: dict[str, dict[str, float]]) -> str:
    """Return the table of one workload."""
    lines = [f"{workload.name}, {workload.workers} Workers: {wall * 1e6:,.0f} µs each"]
    lines.append(f"    {'':14}{'user':>8}{'system':>8}{'queued':>8}{'waits':>8}{'pushed':>8}  calls")
    total = Usage(*map(sum, zip(*used.values())))
    for role, usage in [*used.items(), ("all", total)]:
        made = sorted(calls.get(role, {}).items(), key=lambda item: -item[1])
        named = ", ".join(f"{count:.1f} {name}" for name, count in made[:SHOWN])
        numbers = "".join(f"{value * 1e6:8.1f}" for value in usage[:3]) + "".join(
            f"{value:8.2f}" for value in usage[3:]
        )
        lines.append(f"    {role:14}{numbers}  " + (f"{sum(count for _, count in made):.1f}: {named}" if made else "-"))
    return "\n".join(lines)


def main() -> None:
    """Account for each workload."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accounting", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="workloads whose names have one of these words")
    parser.add_argument("--no-strace", action="store_true", help="do not count system calls")
    chosen = parser.parse_args()
    for workload in WORKLOADS:
        if chosen.only and not any(word in workload.name for word in chosen.only):
            continue
        os.environ["FEDFUTURES_LANES"] = str(int(workload.lanes))
        wall, used = accounted(workload)
        print(table(workload, wall, used, {} if chosen.no_strace else calls_made(workload)), flush=True)


if __name__ == "__main__":
    main()
