"""``python -m benchmarks.granularity``: how short calls may be: METG, on one host and on four, beside peers.

The minimum effective task granularity, METG(50 %), is the time that a call must take for half of the processors' time
to go into calls; the rest goes into passing them on (Slaughter et al., "Task Bench: A parameterized benchmark for
evaluating parallel runtime performance", SC 2020). Each contestant runs calls that compute, in each round half as long
as in the round before, until they are too short. How long they compute is measured in the calls themselves. METG is
where the curve crosses one half, between two rounds on a logarithmic scale.

*submit* is one Future for each call, all submitted before the first result is read. *map* is one ``map`` over all
items, in parts as large as the contestant makes them by itself; for joblib that is ``Parallel``. Peers that are not
installed are left out (``pip install '.[peers]'``). With ``--ssh-config`` fedfutures runs on four hosts as well, whose
processors are those of this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from operator import methodcaller
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import faces, peers, plots, tables
from benchmarks.faces import Face, executor_face
from benchmarks.workloads import burn

LONGEST_SECONDS = 0.016384
SHORTEST_SECONDS = 1e-6
ROUND_SECONDS = 0.5
"""For so long the Workers compute in a round, if that does not take more calls than the most."""
MOST_CALLS = 40_000
ENDS_AT = 0.25
"""A round of so small an efficiency is the last."""
HALF = 0.5
SAMPLE_SECONDS = 180.0
WAYS = ("submit", "map")
HOSTS = ["localhost", "h1", "h2", "h3"]
CONFIG = "FEDFUTURES_BENCHMARK_SSH_CONFIG"
"""The variable that tells a sample where these hosts are."""
RESULTS = Path(__file__).resolve().parent / "results_granularity.rst"

Curve = list[tuple[float, float]]
"""Seconds that a call computes, and the efficiency; the longest calls first."""


# -- contestants -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def loky(workers: int) -> Iterator[Face]:
    """loky's executor, on which joblib's is built."""
    from loky import ProcessPoolExecutor

    with ProcessPoolExecutor(workers) as executor:
        yield executor_face(executor)


@contextlib.contextmanager
def joblib(workers: int) -> Iterator[Face]:
    """``joblib.Parallel``; it has no submit: that of this face is a map."""
    from joblib import Parallel, delayed

    def mapped(function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        call = delayed(function)
        return list(parallel(call(item) for item in items))

    with Parallel(workers) as parallel:
        yield Face(mapped, list, mapped)


@contextlib.contextmanager
def dask(workers: int) -> Iterator[Face]:
    """Dask's distributed scheduler; its calls are not taken for pure, or it would make each once."""
    with peers.dask_client(workers) as client:

        def submit(*call: Any) -> Any:
            return client.submit(*call, pure=False)

        def mapped(function: Callable[[Any], Any], items: list[Any]) -> Any:
            return client.gather(client.map(function, items, pure=False))

        yield Face(submit, methodcaller("result"), mapped)


@contextlib.contextmanager
def ray(workers: int) -> Iterator[Face]:
    """Ray's remote functions; a map is one for each item, for Ray has no other."""
    with peers.ray_session(workers) as ray:
        remote = functools.cache(ray.remote)

        def submit(function: Callable[..., Any], *arguments: Any) -> Any:
            return remote(function).remote(*arguments)

        yield Face(submit, ray.get, lambda function, items: ray.get([submit(function, item) for item in items]))


@contextlib.contextmanager
def on_hosts(workers: int) -> Iterator[Face]:
    """fedfutures, with so many Workers on each host."""
    from fedfutures import Executor, Hosts

    options = Hosts(HOSTS, ssh_config=os.environ[CONFIG], allow_root=True, require_all=True)
    with Executor(workers * len(HOSTS), hosts=options) as executor:
        yield executor_face(executor)


class Peer(NamedTuple):
    """How a contestant is opened, what has to be installed, and in which ways it runs calls."""

    open: faces.Opener
    package: str = ""
    ways: tuple[str, ...] = WAYS


CONTESTANTS = {
    "fedfutures": Peer(faces.fedfutures_executor),
    "fedfutures, four hosts": Peer(on_hosts),
    "Pool": Peer(faces.pool),
    "ProcessPoolExecutor": Peer(faces.process_pool_executor),
    "loky": Peer(loky, "loky"),
    "joblib": Peer(joblib, "joblib", ("map",)),
    "Dask": Peer(dask, "distributed"),
    "Ray": Peer(ray, "ray", ("submit",)),
}


# -- measuring -------------------------------------------------------------------------------------------------------


def curve_of(face: Face, way: str, workers: int, processors: int) -> Curve:
    """Measure rounds of calls, each half as long as those before."""
    curve: Curve = []
    seconds = LONGEST_SECONDS
    while seconds >= SHORTEST_SECONDS:
        count = max(4 * workers, min(MOST_CALLS, int(processors * ROUND_SECONDS / seconds)))
        start = time.perf_counter()
        if way == "map":
            used = list(face.map(burn, [seconds] * count))
        else:
            used = [face.result(handle) for handle in [face.submit(burn, seconds) for _ in range(count)]]
        elapsed = time.perf_counter() - start
        curve.append((sum(used) / count, sum(used) / (processors * elapsed)))
        if curve[-1][1] < ENDS_AT:
            break
        seconds /= 2
    return curve


def metg_of(curve: Curve) -> float:
    """Return the seconds at which the efficiency is one half; infinity where it never is so much.

    >>> metg_of([(0.004, 0.9), (0.002, 0.6), (0.001, 0.4)])
    0.0014142135623730952
    >>> metg_of([(0.004, 0.3)])
    inf
    """
    for (longer, above), (shorter, below) in itertools.pairwise(curve):
        if above >= HALF > below:
            part = (above - HALF) / (above - below)
            return math.exp(math.log(longer) + part * (math.log(shorter) - math.log(longer)))
    return math.inf if curve[0][1] < HALF else curve[-1][0]


def sample(name: str, way: str, workers: int) -> Curve:
    """Measure one curve in a fresh process; none where that fails, which is told."""
    command = [sys.executable, "-m", "benchmarks.granularity", "--one", name, way, "--workers", str(workers)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SAMPLE_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"{name}, {way}: no end within {SAMPLE_SECONDS:g} s", file=sys.stderr)
        return []
    if done.returncode:
        print(f"{name}, {way}: {done.stderr.strip()[-400:]}", file=sys.stderr)
        return []
    return [(seconds, efficiency) for seconds, efficiency in json.loads(done.stdout.splitlines()[-1])]


def one(name: str, way: str, workers: int) -> None:
    """Print the curve of a contestant as JSON."""
    with CONTESTANTS[name].open(workers) as face:
        list(face.map(burn, [0.002] * (20 * workers)))  # its Workers are there
        curve = curve_of(face, way, workers, min(workers, len(os.sched_getaffinity(0))))
    print(json.dumps(curve))


# -- what is shown ---------------------------------------------------------------------------------------------------


def shown(seconds: float) -> str:
    """Return seconds as the table has them."""
    return f"> {LONGEST_SECONDS * 1e3:.0f} ms" if math.isinf(seconds) else f"{seconds * 1e6:,.0f} µs"


def plot(curves: dict[tuple[str, str], list[Curve]]) -> None:
    """Draw the efficiency against the length of calls, of the middle sample of each contestant."""
    pyplot = plots.svg_pyplot()
    figure, axes = pyplot.subplots(1, len(WAYS), figsize=(12, 4), sharey=True, layout="constrained")
    lines = {}
    for axis, way in zip(axes, WAYS):
        for (name, one_way), samples in curves.items():
            if one_way == way and samples:
                middle = sorted(samples, key=metg_of)[len(samples) // 2]
                width = 2.5 if name == "fedfutures" else 1.2
                color = f"C{list(CONTESTANTS).index(name)}"
                points = [x * 1e6 for x, _ in middle], [y for _, y in middle]
                lines[name] = axis.plot(*points, label=name, linewidth=width, color=color)[0]
        axis.axhline(HALF, color="grey", linewidth=0.8, linestyle=":")
        axis.set(xscale="log", title=way, xlabel="µs that a call computes", ylim=(0, 1.02))
    axes[0].set_ylabel("part of the processors' time that goes into calls")
    figure.legend(handles=list(lines.values()), loc="outside right center")
    plots.save(figure, "granularity.svg")


def is_there(name: str) -> bool:
    """Whether a contestant can be measured here."""
    contestant = CONTESTANTS[name]
    if contestant.open is on_hosts:
        return bool(os.environ.get(CONFIG))
    return peers.is_installed(contestant.package)


def main() -> None:
    """Measure all contestants in turn, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.granularity", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="NAME")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="on each host")
    parser.add_argument("--ssh-config", default="", metavar="FILE", help="where the hosts h1, h2 and h3 are")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    parser.add_argument("--write", action="store_true", help=f"record the table in {RESULTS.name}, and the plot")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "WAY"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        one(*chosen.one, chosen.workers)
        return
    if chosen.ssh_config:
        os.environ[CONFIG] = chosen.ssh_config
    names = [name for name in chosen.only if is_there(name)]
    curves: dict[tuple[str, str], list[Curve]] = {(name, way): [] for name in names for way in CONTESTANTS[name].ways}
    for _ in range(chosen.repetitions):
        for (name, way), samples in curves.items():
            if found := sample(name, way, chosen.workers):
                samples.append(found)
                print(f"{name}, {way}: {shown(metg_of(found))}", file=sys.stderr, flush=True)
    rows = []
    for name in names:
        metgs = [[metg_of(found) for found in curves.get((name, way), [])] for way in WAYS]
        rows.append([name, *(shown(statistics.median(found)) if found else "-" for found in metgs)])
    print(*rows, sep="\n")
    if chosen.write:
        tables.write(RESULTS, ("METG(50 %)", *WAYS), rows)
        plot(curves)


if __name__ == "__main__":
    main()
