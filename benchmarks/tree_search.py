"""``python -m benchmarks.tree_search``: UTS, an unbalanced tree search by Futures that submit Futures, beside peers.

The tree is T3 of the Unbalanced Tree Search benchmark (Olivier et al., "UTS: An Unbalanced Tree Search Benchmark", LCPC
2006): each node is a SHA-1 digest, and has eight children if the digest says so, which one node in eight does. Nobody
knows beforehand which part of the tree is large. A call visits so many nodes; what is left to visit by then goes into
two calls, which it submits and waits for. Pool and ProcessPoolExecutor cannot do that: their calls would wait for
Workers that wait. The nodes that were counted are compared with what the benchmark's authors say of this tree.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import peers, tables
from benchmarks.workloads import identity
from fedfutures import Executor, futures

ROOT_CHILDREN, CHILDREN, PROBABILITY, SEED = 2000, 8, 0.124875, 42
NODES, LEAVES = 4_112_897, 3_599_034
"""What the authors of UTS say of the tree."""
VISITS = 20_000
"""So many nodes a call visits by itself: some 40 ms."""
RESULTS = Path(__file__).resolve().parent / "results_tree_search.rst"

Count = tuple[int, int]
"""Nodes, and how many of them are leaves."""
Spread = Callable[[list[list[bytes]]], list[Count]]
"""Searches below each of some lists of nodes, in calls of their own, and returns what was counted."""

_NUMBERS = [number.to_bytes(4, "big") for number in range(ROOT_CHILDREN)]
_LIMIT = math.ceil(PROBABILITY * (1 << 31))


def first_nodes() -> list[bytes]:
    """Return the children of the root."""
    root = hashlib.sha1(bytes(16) + SEED.to_bytes(4, "big")).digest()
    return [hashlib.sha1(root + number).digest() for number in _NUMBERS]


def visit(nodes: list[bytes], most: float) -> Count:
    """Visit so many nodes, and those below them, depth first; `nodes` are what is left then."""
    sha1, count, leaves = hashlib.sha1, 0, 0
    numbers = _NUMBERS[:CHILDREN]
    while nodes and count < most:
        node = nodes.pop()
        count += 1
        if int.from_bytes(node[16:], "big") & 0x7FFFFFFF < _LIMIT:
            nodes += [sha1(node + number).digest() for number in numbers]
        else:
            leaves += 1
    return count, leaves


def search(nodes: list[bytes], spread: Spread) -> Count:
    """Count the nodes from these on: here as far as a call goes, the others by further calls."""
    found = [visit(nodes, VISITS)]
    if nodes:
        found += spread([nodes[::2], nodes[1::2]] if len(nodes) > 1 else [nodes])
    return sum(nodes for nodes, _ in found), sum(leaves for _, leaves in found)


# -- who runs the calls ----------------------------------------------------------------------------------------------


def by_fedfutures(parts: list[list[bytes]]) -> list[Count]:
    """In Futures."""
    return [future.result() for future in [futures.submit(search, part, by_fedfutures) for part in parts]]


def by_ray(parts: list[list[bytes]]) -> list[Count]:
    """In Ray's tasks."""
    import ray

    found: list[Count] = ray.get([ray.remote(search).remote(part, by_ray) for part in parts])
    return found


def by_dask(parts: list[list[bytes]]) -> list[Count]:
    """In Dask's; the one that waits lets its worker run others meanwhile."""
    from distributed import worker_client

    with worker_client() as client:
        found: list[Count] = client.gather([client.submit(search, part, by_dask, pure=False) for part in parts])
    return found


Run = Callable[[], Count]


@contextmanager
def alone(_: int) -> Iterator[Run]:
    """In this process, by a loop."""
    yield lambda: visit(first_nodes(), float("inf"))


@contextmanager
def fedfutures(workers: int) -> Iterator[Run]:
    """By an Executor."""
    with Executor(workers) as executor:
        list(executor.map(abs, range(20 * workers)))
        yield lambda: executor.submit(search, first_nodes(), by_fedfutures).result()


@contextmanager
def ray(workers: int) -> Iterator[Run]:
    """By Ray on this host."""
    with peers.ray_session(workers) as ray:
        ray.get([ray.remote(identity).remote(number) for number in range(20 * workers)])
        yield lambda: ray.get(ray.remote(search).remote(first_nodes(), by_ray))  # type: ignore[no-any-return]


@contextmanager
def dask(workers: int) -> Iterator[Run]:
    """By Dask on this host."""
    with peers.dask_client(workers) as client:
        client.gather(client.map(abs, range(20 * workers)))
        yield lambda: client.submit(search, first_nodes(), by_dask, pure=False).result()  # type: ignore[no-any-return]


CONTESTANTS: dict[str, tuple[Any, str]] = {
    "one process": (alone, ""), "fedfutures": (fedfutures, ""), "Dask": (dask, "distributed"), "Ray": (ray, "ray"),
}  # fmt: skip


def main() -> None:
    """Search the tree with each contestant in turn, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tree_search", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    parser.add_argument("--write", action="store_true", help=f"record the table in {RESULTS.name}")
    chosen = parser.parse_args()
    there = {name: opened for name, (opened, package) in CONTESTANTS.items() if peers.is_installed(package)}
    seconds: dict[str, list[float]] = {name: [] for name in there}
    for _ in range(chosen.repetitions):
        for name, opened in there.items():
            with opened(chosen.workers) as run:
                start = time.perf_counter()
                found = run()
                seconds[name].append(time.perf_counter() - start)
            assert found == (NODES - 1, LEAVES), f"{name} has counted {found}"
            print(f"{name}: {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
    processors = min(chosen.workers, len(os.sched_getaffinity(0)))
    ideal = statistics.median(seconds["one process"]) / processors
    rows = []
    for name, taken in seconds.items():
        middle = statistics.median(taken)
        rows.append([name, f"{middle:.2f} s", "-" if name == "one process" else f"{ideal / middle:.2f}"])
    print(*rows, sep="\n")
    if chosen.write:
        tables.write(RESULTS, (f"UTS T3, {NODES:,} nodes", "time", "of ideal"), rows)


if __name__ == "__main__":
    main()
