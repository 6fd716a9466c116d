"""An Executor is one of the standard library's, and its arguments are checked."""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing
from collections.abc import Iterator

from typing_extensions import assert_type

import fedfutures
from fedfutures import Executor, Hosts


def prepare(path: str, size: int) -> None: ...


def square(number: int) -> int:
    return number * number


def with_any(executor: concurrent.futures.Executor) -> int:
    return executor.submit(square, 3).result()


class Counting(Executor):
    calls = 0


with Counting(2, multiprocessing.get_context("spawn"), prepare, ("data", 3), hosts=["h1"]) as counting:
    assert_type(counting, Counting)
    assert_type(counting.bootup(), Counting)
    assert_type(counting.map(square, range(3)), Iterator[int])
    assert_type(counting.num_workers, int)
    with_any(counting)

Executor(hosts=Hosts(["h1"], tunnel=True), max_tasks_per_child=3, brokers=2)
Executor(hosts=Hosts(["h1"], memory_per_worker="1.5 GiB"), memory_per_worker=2 << 30)


async def main() -> None:
    loop = asyncio.get_running_loop()
    assert_type(await loop.run_in_executor(counting, square, 3), int)


assert_type(fedfutures.IS_ORIGIN, bool)
assert_type(fedfutures.SIZE, int)

Executor("4")  # type: ignore[arg-type]
Executor(mode="paralel")  # type: ignore[arg-type]
Executor(initializer=prepare, initargs=(3, "data"))  # type: ignore[arg-type]
