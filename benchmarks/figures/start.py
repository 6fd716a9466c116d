"""How soon something runs, and what Workers weigh while nothing does."""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import subprocess
import sys
import time
from functools import partial

from benchmarks import faces, isolation, processes
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric
from benchmarks.workloads import noop

WORKERS = 2
MANY_WORKERS = 64
STARTS = 5
IDLE_SECONDS = 0.3


def measure_process(command: list[str], starts: int) -> Metrics:
    """The median wall time of a whole process, from start over the first result to exit."""
    seconds = []
    for _ in range(starts):
        start = time.perf_counter()
        # Without a time-out: with one, subprocess polls, and the sample has its own.
        code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
        seconds.append(time.perf_counter() - start)
        assert code == 0, f"the program ended with exit code {code}"
    return {"seconds": statistics.median(seconds)}


def measure_idle(opener: faces.Opener) -> Metrics:
    """The PSS of a Worker that has run something and now waits, the mean of all."""
    with opener(WORKERS) as face:
        workers = faces.warm_up(face, WORKERS)
        time.sleep(IDLE_SECONDS)
        return {"worker_pss": statistics.mean(map(processes.pss_bytes, workers)) / processes.MIB}


def measure_many(opener: faces.Opener) -> Metrics:
    """Seconds until each of many Workers has run something."""
    start = time.monotonic()
    with opener(MANY_WORKERS) as face:
        ready = max(faces.warm_up(face, MANY_WORKERS).values())
    return {"seconds": ready - start}


def measure_executor(opener: faces.Opener) -> Metrics:
    """The median time from the start of an Executor over a first result to its end, in a process that has had one."""
    seconds = []
    for _ in range(1 + STARTS):
        start = time.perf_counter()
        with opener(WORKERS) as face:
            face.result(face.submit(noop))
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds[1:])}


def measure_first_map(opener: faces.Opener) -> Metrics:
    """The median time from the start of an Executor to the results of a map that needs numpy."""
    seconds = []
    for _ in range(STARTS):
        start = time.perf_counter()
        with opener(WORKERS) as face:
            list(face.map(length_of_vector, range(16)))
            seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds)}


def length_of_vector(item: int) -> float:
    """What takes numpy."""
    numpy = importlib.import_module("numpy")
    return float(numpy.linalg.norm(numpy.full(3, item)))


def figure(quick: bool) -> Figure:
    """Launched against a program that uses Pool, then 64 Workers of each."""
    launched = isolation.launch_command("start.py", WORKERS)
    peer = [sys.executable, str(isolation.PACKAGE / "programs" / "start_pool.py")]
    contestants = {
        "launched": Contestant(partial(measure_process, launched, STARTS)),
        "Pool": Contestant(partial(measure_process, peer, STARTS)),
        "Executor": Contestant(partial(measure_executor, faces.fedfutures_executor)),
        "a Pool": Contestant(partial(measure_executor, faces.pool)),
        "launched idle": Contestant(program="idle.py", workers=WORKERS),
        "Pool idle": Contestant(partial(measure_idle, faces.pool)),
        f"Executor({MANY_WORKERS})": Contestant(partial(measure_many, faces.fedfutures_executor)),
        f"Pool({MANY_WORKERS})": Contestant(partial(measure_many, faces.pool)),
    }
    rows = [
        Row(
            "process start, first result, exit, -n 2",
            "s",
            metric("launched", "seconds"),
            metric("Pool", "seconds"),
            "Pool",
            Bar("≤", 0.20),
        ),
        Row(
            "Executor: start, first result, end, 2 Workers",
            "s",
            metric("Executor", "seconds"),
            metric("a Pool", "seconds"),
            "Pool",
            Bar("≤", 0.15),
        ),
        Row(
            "idle Worker, PSS",
            "MiB",
            metric("launched idle", "worker_pss"),
            metric("Pool idle", "worker_pss"),
            "Pool",
            Bar("≤", 15),
        ),
        Row(
            f"{MANY_WORKERS} Workers, until all have run something",
            "s",
            metric(f"Executor({MANY_WORKERS})", "seconds"),
            metric(f"Pool({MANY_WORKERS})", "seconds"),
            "Pool",
            Bar("≤", 0.5),
        ),
    ]
    if importlib.util.find_spec("numpy") is not None:
        contestants["Executor, numpy"] = Contestant(partial(measure_first_map, faces.fedfutures_executor))
        contestants["a Pool, numpy"] = Contestant(partial(measure_first_map, faces.pool))
        ours, peer = metric("Executor, numpy", "seconds"), metric("a Pool, numpy", "seconds")
        rows.append(Row("Executor: start, first map that needs numpy", "s", ours, peer, "Pool", Bar("≤", 0.5)))
    return Figure("start", contestants, rows)
