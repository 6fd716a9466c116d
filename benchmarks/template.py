"""What a template is worth to a program that imports NumPy and SciPy: time to a new Worker, and memory.

    python benchmarks/template.py

Time: from the kill of a program's only Worker to the result of the next one, so a little more than from the decision to
start it until it is linked. Memory: the proportional set size (PSS) of four Workers, and of their template.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

IMPORTING = "BENCHMARK_TEMPLATE"
if os.environ.get(IMPORTING):
    import numpy as np  # noqa: F401
    import scipy.optimize
    import scipy.sparse
    import scipy.stats  # noqa: F401

import fedfutures  # noqa: E402
from fedfutures.futures import handles  # noqa: E402

TIMES = 20
WORKERS = 4


def number(seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return os.getpid()


def family(pid: int) -> list[int]:
    """Return the Workers and the template of the host process of a Worker."""
    host = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    pids = map(int, Path(f"/proc/{host}/task/{host}/children").read_text().split())
    return [one for one in pids if "broker" not in Path(f"/proc/{one}/comm").read_text()]


def pss(pid: int) -> float:
    """Return the proportional set size of a process, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def measure() -> None:
    """Print what this kind of start takes."""
    with fedfutures.Executor(1) as pool:
        taken = []
        for _ in range(TIMES):
            victim = pool.submit(number).result()
            began = time.perf_counter()
            os.kill(victim, signal.SIGKILL)
            while pool.submit(number).result() == victim:
                time.sleep(0.001)
            taken.append(1000 * (time.perf_counter() - began))
            time.sleep(0.05)
    with fedfutures.Executor(WORKERS) as pool:
        workers = set()
        while len(workers) < WORKERS:
            workers |= set(pool.map(number, [0.02] * 4 * WORKERS, chunksize=1))
        found = [pss(pid) for pid in family(workers.pop())]
    middle, most = statistics.median(taken), max(taken)
    print(f"{middle:6.1f} ms, at most {most:.1f} ms; {sum(found):.0f} MB in {len(found)} processes")


def main() -> None:
    """Measure both kinds, each in a process of its own."""
    for kind in ("without", "with"):
        print(f"{kind:>8} a template: ", end="", flush=True)
        subprocess.run([sys.executable, __file__, kind], env=os.environ | {IMPORTING: "1"}, check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        plain, wanted = handles.settings_here, sys.argv[1] == "with"
        handles.settings_here = lambda *given, **more: plain(*given, **more, template=wanted)  # type: ignore[assignment]
        measure()
    else:
        main()
