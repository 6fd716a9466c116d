"""What other hosts cost: starting them, a link with TCP and CURVE, large arrays, and the import where there is none."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import isolation
from benchmarks.curve import raw_bytes_per_second
from benchmarks.figures.brokers import NOOPS, measure_noops
from benchmarks.figures.start import measure_process
from benchmarks.lab import Lab
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

HOSTS, WORKERS = 8, 16
ARRAYS, ARRAY_BYTES, WARM_UP_ROUNDS = 60, 8_000_000, 2
IMPORTS = 15
LONE_CALLS = 1000
MB = 1e6


def measure_start(client: str, starts: int) -> Metrics:
    """The median wall time of a launch on eight hosts, from start over the first result to exit."""
    sys.path.insert(0, str(isolation.PACKAGE.parent / "tests"))
    from lab import Namespaces, Rootless

    program = str(isolation.PACKAGE / "programs" / "start.py")
    root = os.getuid() == 0  # whose hosts have homes of their own; else every login reads this user's start-up files
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with Namespaces(HOSTS + 1, place) if root else Rootless(HOSTS, place) as lab:
            options = ["--allow-root"] if root else ["--ssh-config", str(lab.config)]
            options += ["--ssh-executable", "ssh"] if client == "openssh" else []
            launch = [*(lab.origin_prefix if root else []), sys.executable, "-m", "fedfutures", *options, "-q"]
            command = [*launch, "--hosts", *lab.hosts[-HOSTS:], "-n", str(WORKERS), program]
            return measure_process(command, starts)


def first_and_last(array: Any) -> float:
    """Touch an array."""
    return float(array[0] + array[-1])


def measure_arrays(count: int) -> Metrics:
    """Megabytes per second of arrays that travel to the Workers of another host."""
    import numpy

    arrays = [numpy.full(ARRAY_BYTES // 8, float(number)) for number in range(count)]
    with Lab([0, 2], secure=True) as lab:
        site = lab.site(0)
        lab.meet(site)
        for _ in range(WARM_UP_ROUNDS):  # from then on it goes into pages that exist, as raw messages do
            list(site.map(first_and_last, arrays))
        start = time.perf_counter()
        sums = list(site.map(first_and_last, arrays))
        seconds = time.perf_counter() - start
    assert len(sums) == count
    return {"rate": count * ARRAY_BYTES / seconds / MB}


def measure_raw(count: int) -> Metrics:
    """Megabytes per second of one CURVE connection of ZeroMQ, and nothing else."""
    return {"rate": raw_bytes_per_second(count, ARRAY_BYTES) / MB}


def measure_lone(*, secure: bool) -> Metrics:
    """The median time of a call on another host that is waited for before the next one, in microseconds."""
    seconds = []
    with Lab([0, 2], secure=secure) as lab:
        site = lab.site(0)
        lab.meet(site)
        for number in range(LONE_CALLS + LONE_CALLS // 10):
            start = time.perf_counter()
            assert site.submit(abs, -number).result() == number
            seconds.append(time.perf_counter() - start)
    return {"microseconds": statistics.median(seconds[LONE_CALLS // 10 :]) * 1e6}


def measure_import(code: str) -> Metrics:
    """The median wall time of an interpreter that runs this code."""
    seconds = []
    for _ in range(IMPORTS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdin=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return {"milliseconds": statistics.median(seconds) * 1000}


def measure_extra(code: str) -> Metrics:
    """How much longer that takes than an interpreter that runs nothing."""
    taken = measure_import(code)["milliseconds"] - measure_import("pass")["milliseconds"]
    return {"milliseconds": taken}


USE = (
    "import fedfutures, sys; fedfutures.Executor; fedfutures.futures.map; fedfutures.shared.get;"
    "assert 'paramiko' not in sys.modules"
)


def figure(quick: bool) -> Figure:
    """Starts, links, arrays, imports."""
    starts, arrays = (2, ARRAYS // 3) if quick else (3, ARRAYS)
    contestants = {
        "start, paramiko": Contestant(partial(measure_start, "paramiko", starts), at_most=3),
        "start, OpenSSH": Contestant(partial(measure_start, "openssh", starts), at_most=3),
        "no-ops, TCP and CURVE": Contestant(partial(measure_noops, [0, 2], NOOPS, secure=True)),
        "no-ops, ipc": Contestant(partial(measure_noops, [0, 2], NOOPS)),
        "lone, TCP and CURVE": Contestant(partial(measure_lone, secure=True)),
        "lone, ipc": Contestant(partial(measure_lone, secure=False)),
        "arrays": Contestant(partial(measure_arrays, arrays)),
        "raw CURVE": Contestant(partial(measure_raw, arrays)),
        "import": Contestant(partial(measure_extra, USE)),
    }
    rows = [
        Row(
            f"{HOSTS} hosts × {WORKERS // HOSTS} Workers, first result and exit, paramiko",
            "s", metric("start, paramiko", "seconds"), metric("start, OpenSSH", "seconds"), "OpenSSH client",
            Bar("≤", 2.0),
        ),
        Row(
            f"{NOOPS:,} no-op submits over one link, TCP and CURVE",
            "/s", metric("no-ops, TCP and CURVE", "rate"), metric("no-ops, ipc", "rate"), "ipc", Bar("≥", 0.8, "peer"),
        ),
        Row(
            "lone call over one link, TCP and CURVE",
            "µs", metric("lone, TCP and CURVE", "microseconds"), metric("lone, ipc", "microseconds"), "ipc",
            Bar("≤", 1.3, "peer"),
        ),
        Row(
            f"{arrays} arrays of 8 MB over a link with TCP and CURVE",
            "MB/s", metric("arrays", "rate"), metric("raw CURVE", "rate"), "raw CURVE", Bar("≥", 0.7, "peer"),
        ),
        Row("import without other hosts, over bare Python", "ms", metric("import", "milliseconds"), bar=Bar("≤", 80)),
    ]  # fmt: skip
    return Figure("hosts", contestants, rows)
