"""``python -m benchmarks.jobs``: batch jobs on a real Slurm in namespaces (root only; ``tests/lab/slurm.py``).

- start: from the command in the job script to its end, for a program of one map, on 8 hosts of 2 Workers, by launcher;
- end: from the end of the job until the other nodes have no process of it, for jobs that are cancelled, and that reach
  their time limit; and how many of its files the nodes have 5 s after the end.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lab.slurm import Slurm

MAP = """
from fedfutures import futures

if __name__ == "__main__":
    assert list(futures.map(abs, range(16))) == list(range(16))
"""
LONG = """
import time
from fedfutures import futures

if __name__ == "__main__":
    print("begun", flush=True)
    list(futures.map(time.sleep, [0.05] * 100_000))
"""
LOOK_SECONDS = 0.02
FILES_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
LAUNCHERS = ("srun", "ssh", "mpiexec")


def starts(slurm: Slurm, runs: int) -> list[str]:
    """Return how long runs take, by launcher; the launchers take turns."""
    slurm.write("map.py", MAP)
    found: dict[str, list[float]] = {launcher: [] for launcher in LAUNCHERS}
    for launcher in LAUNCHERS * runs:
        script = f"TIMEFORMAT=took:%R; time python -m fedfutures -q --launcher {launcher} map.py"
        number = slurm.batch(script, f"-N{len(slurm.hosts)}", "--ntasks-per-node=2")
        assert slurm.ended(number) == "COMPLETED", slurm.read(f"slurm-{number}.out")
        found[launcher].append(float(re.findall(r"took:([\d.]+)", slurm.read(f"slurm-{number}.out"))[0]))
    return [
        f"start by {launcher}: {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"
        for launcher, values in found.items()
    ]


def ends(slurm: Slurm, how: str, command: str, count: int) -> str:
    """Return how soon nothing is left of jobs that are ended by a command of Slurm."""
    slurm.write("long.py", LONG)
    seconds, files = [], 0
    for _ in range(count):
        number = slurm.batch("python -m fedfutures -q long.py", f"-N{len(slurm.hosts)}")
        slurm.await_text(f"slurm-{number}.out", "begun")
        time.sleep(1.0)
        assert slurm.left(slurm.hosts[1:])
        slurm.lab.run(slurm.hosts[0], command.format(number=number))
        until = time.monotonic() + PATIENCE_SECONDS
        while slurm.state(number) == "RUNNING" and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        began = time.monotonic()
        while slurm.left(slurm.hosts[1:]) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        seconds.append(time.monotonic() - began)
        time.sleep(max(0.0, began + FILES_SECONDS - time.monotonic()))
        files += len(slurm.files())
        slurm.await_nodes(PATIENCE_SECONDS)
    return f"{how}: no process elsewhere after {max(seconds):.2f} s at most ({count} jobs); {files} files after 5 s"


def main(arguments: list[str] | None = None) -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.jobs", description=__doc__)
    options.add_argument("--runs", type=int, default=7, help="of each launcher")
    options.add_argument("--ends", type=int, default=5, help="of each kind")
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        with Slurm(8, Path(directory) / "eight", cpus=2) as slurm:
            print("\n".join(starts(slurm, chosen.runs)), flush=True)
        with Slurm(3, Path(directory) / "three") as slurm:
            print(ends(slurm, "scancel", "scancel {number}", chosen.ends), flush=True)
            limit = "scontrol update JobId={number} EndTime=$(date +%FT%T)"
            print(ends(slurm, "time limit", limit, max(1, chosen.ends // 2)), flush=True)


if __name__ == "__main__":
    main()
