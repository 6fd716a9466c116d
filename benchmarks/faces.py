"""One face for fedfutures and its peers, so that a figure measures all of them with the same lines."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from benchmarks.workloads import pid_after

WARM_UP_SECONDS = 20.0


@dataclass(frozen=True)
class Face:
    """How to submit, to read a result and to map, at the least cost that each contestant allows."""

    submit: Callable[..., Any]
    result: Callable[[Any], Any]
    map: Callable[..., Any]


def executor_face(executor: Any) -> Face:
    """The face of what has the methods of an Executor."""
    return Face(executor.submit, methodcaller("result"), executor.map)


@contextmanager
def fedfutures_executor(workers: int) -> Iterator[Face]:
    """`fedfutures.Executor` in a plain program."""
    import fedfutures

    with fedfutures.Executor(max_workers=workers) as executor:
        yield executor_face(executor)


@contextmanager
def launched(workers: int) -> Iterator[Face]:
    """The module-level calls of a launched program, which has its Workers already."""
    from fedfutures import futures

    yield executor_face(futures)


@contextmanager
def pool(workers: int) -> Iterator[Face]:
    """`multiprocessing.Pool`, forked."""
    with multiprocessing.get_context("fork").Pool(workers) as found:
        apply_async = found.apply_async

        def submit(function: Callable[..., Any], *arguments: object) -> Any:
            return apply_async(function, arguments)

        yield Face(submit, methodcaller("get"), found.map)


@contextmanager
def process_pool_executor(workers: int) -> Iterator[Face]:
    """`concurrent.futures.ProcessPoolExecutor`, forked."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as executor:
        yield executor_face(executor)


Opener = Callable[[int], AbstractContextManager[Face]]
"""Starts a number of Workers and gives their face."""


def submit_all(face: Face, function: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> tuple[float, list[Any]]:
    """Submit everything, read everything: the seconds it took and the results."""
    submit, result = face.submit, face.result
    start = time.perf_counter()
    handles = [submit(function, *each) for each in arguments]
    results = [result(handle) for handle in handles]
    return time.perf_counter() - start, results


def warm_up(face: Face, workers: int) -> dict[int, float]:
    """Wait until every Worker has run something: when each had done so for the first time, by pid."""
    first: dict[int, float] = {}
    deadline = time.monotonic() + WARM_UP_SECONDS
    while len(first) < workers:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(first)} of {workers} Workers ran something in {WARM_UP_SECONDS:g} s")
        _, results = submit_all(face, pid_after, [(0.002,)] * (2 * workers))
        for pid, moment in results:
            first[pid] = min(moment, first.get(pid, moment))
    return first
