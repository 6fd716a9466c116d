"""Programs of jobs. Texts: the user writes them into the home."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from lab.cluster import Cluster

C = TypeVar("C", bound=Cluster)

CENSUS = """
    import collections
    import os
    import sys
    import time

    import fedfutures
    from fedfutures import futures

    def where(number):
        time.sleep(0.02)
        return fedfutures.worker.name, os.environ.get("OMP_NUM_THREADS"), os.environ.get("CUDA_VISIBLE_DEVICES")

    if __name__ == "__main__":
        wanted, seen, end = int(sys.argv[1]), {}, time.monotonic() + 20
        while len(seen) < wanted and time.monotonic() < end:
            for name, *what in futures.map(where, range(4 * wanted)):
                seen[name] = what
        workers = collections.Counter(name.rpartition(".")[0] for name in seen)
        print("size", fedfutures.SIZE, *(f"{host}={count}" for host, count in sorted(workers.items())))
        for name, (threads, gpu) in sorted(seen.items()):
            print(name, threads, gpu)
        sys.exit(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
"""
"""Which host has how many Workers; then each with its threads and its GPU. Words: how many to wait for, exit code."""

LONG = """
    import os
    import signal
    import sys
    import time

    from fedfutures import futures

    def nap(number):
        time.sleep(0.1)
        with open("ran.txt", "a") as file:
            file.write(f"{number}\\n")
        return number

    def end(number, frame):
        print("handled", flush=True)
        sys.exit(3)

    if __name__ == "__main__":
        if "handle" in sys.argv:
            signal.signal(signal.SIGTERM, end)
        count, found = int(sys.argv[1]), []
        for number in futures.map(nap, range(count), chunksize=1):
            found.append(number)
            if len(found) == 20:
                print("under way", flush=True)
        print("right" if found == list(range(count)) else "wrong", flush=True)
"""
"""Naps of 0.1 s, each written down in the home; says when 20 are done, and at the end whether all results are right."""


def with_programs(cluster: C) -> Iterator[C]:
    """Give a test a cluster that has the programs in its home; ssh is permitted again when it is over."""
    cluster.write("census.py", CENSUS)
    cluster.write("long.py", LONG)
    (cluster.home / "ran.txt").unlink(missing_ok=True)
    yield cluster
    cluster.permit_ssh()
