"""``python -m benchmarks.taps``: applications of the Task Performance Suite, rewritten, on fedfutures and two peers.

The suite (https://taps.proxystore.dev) compares executors by whole applications. It is in no package index, so its
applications of few dependencies are written anew here, from their descriptions:

- cholesky: a matrix, block by block; each step needs the blocks of the step before;
- mapreduce: the words of many texts are counted, and the counts are added;
- synthetic: Futures that take a value of some size, sleep, and return one: a bag of them, a sequence, a reduction, and
  diamonds (one, many, one);
- failures: a bag, in which one of ten Futures fails: it raises, wants a module that is not there, takes more memory or
  time than it may, kills its Worker, or the parent process of that.

Each runs on two Workers, in a process of its own. Of failures, the table says how many of the other Futures have a
right value, and what the faulty ones have; "hangs": not all were done after half a minute.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import datetime
import importlib
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy

from benchmarks import peers

WORKERS = 2
SECONDS = 30.0
TIMES = 3
SAYS = "measured: "
FAULTY_EVERY = 10
BAG = 100
Executor = Any


# -- the contestants -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def fedfutures() -> Iterator[Executor]:
    from fedfutures import Executor

    with Executor(WORKERS) as executor:
        yield executor


@contextlib.contextmanager
def process_pool() -> Iterator[Executor]:
    executor = concurrent.futures.ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"))
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():  # one that still runs would be waited for at the end
            process.kill()


@contextlib.contextmanager
def dask() -> Iterator[Executor]:
    with peers.dask_client(WORKERS) as client:
        yield client.get_executor(pure=False)


CONTESTANTS = {"fedfutures": fedfutures, "ProcessPoolExecutor": process_pool, "Dask": dask}


# -- cholesky --------------------------------------------------------------------------------------------------------


def factor(block: Any) -> Any:
    return numpy.linalg.cholesky(block)


def solve(lower: Any, block: Any) -> Any:
    return numpy.linalg.solve(lower, block.T).T


def update(block: Any, left: Any, right: Any) -> Any:
    return block - left @ right.T


def cholesky(executor: Executor, size: int = 1200, block: int = 200) -> None:
    draws = numpy.random.default_rng(0).normal(size=(size, size))
    whole = draws @ draws.T + size * numpy.eye(size)
    count = size // block
    tiles = {
        (row, column): whole[row * block : (row + 1) * block, column * block : (column + 1) * block].copy()
        for row in range(count) for column in range(row + 1)
    }  # fmt: skip
    for step in range(count):
        tiles[step, step] = executor.submit(factor, tiles[step, step]).result()
        below = {row: executor.submit(solve, tiles[step, step], tiles[row, step]) for row in range(step + 1, count)}
        tiles |= {(row, step): future.result() for row, future in below.items()}
        rest = {
            (row, column): executor.submit(update, tiles[row, column], tiles[row, step], tiles[column, step])
            for row in range(step + 1, count) for column in range(step + 1, row + 1)
        }  # fmt: skip
        tiles |= {place: future.result() for place, future in rest.items()}
    found = numpy.zeros_like(whole)
    for (row, column), tile in tiles.items():
        found[row * block : (row + 1) * block, column * block : (column + 1) * block] = tile
    assert numpy.allclose(numpy.tril(found) @ numpy.tril(found).T, whole)


# -- mapreduce -------------------------------------------------------------------------------------------------------


def count_words(seed: int, words: int) -> Counter[str]:
    draws = numpy.random.default_rng(seed).zipf(1.5, words)
    return Counter(f"word{min(number, 5000)}" for number in draws)


def add(counts: list[Counter[str]]) -> Counter[str]:
    return sum(counts, Counter())


def mapreduce(executor: Executor, texts: int = 64, words: int = 20_000) -> None:
    mapped = [executor.submit(count_words, seed, words) for seed in range(texts)]
    parts = [mapped[first : first + 8] for first in range(0, texts, 8)]
    reduced = [executor.submit(add, [future.result() for future in part]) for part in parts]
    total = executor.submit(add, [future.result() for future in reduced]).result()
    assert total.total() == texts * words


# -- synthetic -------------------------------------------------------------------------------------------------------


def step(value: bytes, size: int, seconds: float) -> bytes:
    time.sleep(seconds)
    return bytes(size)


def synthetic(executor: Executor, size: int = 100_000, seconds: float = 0.01) -> None:
    value = bytes(size)

    def submit(value: bytes) -> Any:
        return executor.submit(step, value, size, seconds)

    for future in [submit(value) for _ in range(BAG)]:  # a bag
        future.result()
    for _ in range(50):  # a sequence
        value = submit(value).result()
    parts = [submit(value) for _ in range(50)]  # a reduction
    value = submit(b"".join(part.result() for part in parts)).result()
    for _ in range(5):  # diamonds
        value = submit(value).result()
        middle = [submit(value) for _ in range(10)]
        value = submit(b"".join(part.result() for part in middle)).result()
    assert value == bytes(size)


APPLICATIONS: dict[str, Callable[[Executor], None]] = {
    "cholesky": cholesky, "mapreduce": mapreduce, "synthetic": synthetic,
}  # fmt: skip


# -- failures --------------------------------------------------------------------------------------------------------


def raises() -> None:
    raise ZeroDivisionError


def imports() -> None:
    importlib.import_module("module_that_is_not_there")


def eats_memory() -> None:
    eaten = []
    for _ in range(600):
        eaten.append(bytearray(os.urandom(1_000_000)))
    raise MemoryError("it got 600 MB and was not stopped")


def takes_long() -> None:
    time.sleep(3 * SECONDS)


def kills_its_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kills_its_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(1.0)
    raise RuntimeError("the parent process was killed")


FAULTS = (raises, imports, eats_memory, takes_long, kills_its_worker, kills_its_parent)


def maybe_faulty(number: int, fault: Callable[[], None] | None) -> int:
    time.sleep(0.01)
    if fault is not None:
        fault()
    return number * number


def limited(executor: Executor) -> Executor:
    """Return what submits with the limits that a contestant has."""
    if hasattr(executor, "options"):
        return executor.options(time_limit=2.0, memory="300M")
    return executor


def failures(contestant: str, fault: Callable[[], None]) -> str:
    """Return how a bag goes in which some Futures are faulty; they may kill this process."""
    faulty = range(FAULTY_EVERY // 2, BAG, FAULTY_EVERY)
    with CONTESTANTS[contestant]() as executor:
        submit = limited(executor).submit
        futures = []
        for number in range(BAG):
            try:
                futures.append(submit(maybe_faulty, number, fault if number in faulty else None))
            except Exception as error:  # it takes no more
                futures.append(concurrent.futures.Future())
                futures[-1].set_exception(error)
        done, _ = concurrent.futures.wait(futures, SECONDS)
        right = sum(
            future in done and not future.cancelled() and future.exception() is None and future.result() == number**2
            for number, future in enumerate(futures) if number not in faulty
        )  # fmt: skip
        errors = Counter(
            type(futures[number].exception()).__name__ if futures[number] in done else "not done" for number in faulty
        )
        hangs = len(done) < BAG
    said = ", ".join(f"{name} ({count})" for name, count in errors.most_common(2))
    return f"{right} of {BAG - len(faulty)} right; {said}{'; hangs' if hangs else ''}"


# -- the tables ------------------------------------------------------------------------------------------------------


def timed(contestant: str, application: Callable[[Executor], None]) -> float:
    """Return how many seconds an application takes on Workers that are there."""
    found = []
    with CONTESTANTS[contestant]() as executor:
        application(executor)
        for _ in range(TIMES):
            began = time.perf_counter()
            application(executor)
            found.append(time.perf_counter() - began)
    return statistics.median(found)


def apart(*words: str) -> str:
    """Return what a measurement says that runs in a process of its own; it may kill that, or what ends it."""
    command = [sys.executable, "-m", "benchmarks.taps", "--one", *words]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=3 * SECONDS
        )
    except subprocess.TimeoutExpired:
        return "the program hangs"
    lines = [line for line in done.stdout.splitlines() if line.startswith(SAYS)]
    return lines[-1].removeprefix(SAYS) if lines else "the program is killed"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [heads, *rows]:
        lines += [f"   {'*' if place == 0 else ' '} - {cell}" for place, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.taps")
    parser.add_argument("--write", metavar="FILE", help="write the tables there, too")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        contestant, what = given.one
        faults = {fault.__name__: fault for fault in FAULTS}
        said = (
            failures(contestant, faults[what]) if what in faults else f"{timed(contestant, APPLICATIONS[what]):.2f} s"
        )
        print(SAYS + said, flush=True)
        return
    names = [name for name in CONTESTANTS if name != "Dask" or peers.is_installed("distributed")]
    speeds = [[name, *(apart(contestant, name) for contestant in names)] for name in APPLICATIONS]
    faulty = [
        [fault.__name__.replace("_", " "), *(apart(contestant, fault.__name__) for contestant in names)]
        for fault in FAULTS
    ]
    text = f"Measured on a machine of two cores, {datetime.date.today()} (``python -m benchmarks.taps``).\n\n"
    text += table(["application", *names], speeds) + "\n" + table(["what one of ten does", *names], faulty)
    print(text)
    if given.write:
        Path(given.write).write_text(text)


if __name__ == "__main__":
    main()
