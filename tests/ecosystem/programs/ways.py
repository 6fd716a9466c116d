"""The ways in which each program of this folder runs; its first argument says which one.

``serial`` makes every call in this process, ``executor`` gives them to an Executor with two Workers, and ``launched``
gives them to the Workers of ``python -m fedfutures``. A program prints its results, and prints the same each way.
"""

from __future__ import annotations

import builtins
import hashlib
import itertools
import sys
from collections.abc import Iterator
from concurrent.futures import Executor as StandardExecutor, Future
from contextlib import contextmanager
from typing import Any

from fedfutures import Executor, futures

WORKERS = 2
WAY = sys.argv[1] if len(sys.argv) > 1 else "serial"


class Serial(StandardExecutor):
    """Makes each call at once, in this process: the right answer."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future

    def map(self, fn: Any, *iterables: Any, **_: Any) -> Iterator[Any]:
        return builtins.map(fn, *iterables)

    def starmap(self, fn: Any, items: Any) -> Iterator[Any]:
        return itertools.starmap(fn, items)


@contextmanager
def pool() -> Iterator[Any]:
    """Give what has ``map`` and ``submit``: as code takes it that does not care what makes its calls."""
    if WAY == "launched":
        yield futures
    else:
        with executor() as here:
            yield here


@contextmanager
def executor() -> Iterator[Any]:
    """Give an Executor; for libraries that take no other object."""
    with Serial() if WAY == "serial" else Executor(max_workers=WORKERS) as here:
        yield here


def digest(*arrays: Any) -> str:
    """Return a short name of the exact bytes, types and shapes of arrays."""
    summed = hashlib.sha256()
    for array in arrays:
        summed.update(f"{array.dtype} {array.shape}".encode())
        summed.update(array.tobytes())
    return summed.hexdigest()[:16]
