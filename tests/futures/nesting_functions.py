"""Futures that submit Futures and wait for them."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from typing import Any

import fedfutures
from fedfutures import Executor, futures, shared


def square(n: int) -> int:
    return n * n


def fail(n: int) -> None:
    raise LookupError(n)


def deep(n: int) -> int:
    """A chain of Futures, each waiting for the next."""
    return 0 if n == 0 else 1 + futures.submit(deep, n - 1).result()


def deep_with_timeout(n: int) -> int:
    """As :func:`deep`, waiting with a limit: that takes another way through the Worker."""
    return 0 if n == 0 else 1 + futures.submit(deep_with_timeout, n - 1).result(60)


def deep_map(n: int) -> int:
    return 0 if n == 0 else 1 + sum(futures.map(deep_map, [n - 1]))


def tree(depth: int, fan: int) -> int:
    """How many nodes the tree has, counted by as many Futures."""
    if depth == 0:
        return 1
    return 1 + sum(future.result() for future in [futures.submit(tree, depth - 1, fan) for _ in range(fan)])


def fib(n: int) -> int:
    if n < 2:
        return n
    a, b = futures.submit(fib, n - 1), futures.submit(fib, n - 2)
    return a.result() + b.result()


def inner(way: str, count: int) -> int:
    """The sum of the squares below a number, each from a Future, collected in some way."""
    if way == "map":
        return sum(futures.map(square, range(count)))
    if way == "map in slices":
        return sum(futures.map(square, range(count), chunksize=3, buffersize=10))
    if way == "map_as_completed":
        return sum(futures.map_as_completed(square, range(count)))
    if way == "starmap":
        return sum(futures.starmap(square, [(n,) for n in range(count)]))
    if way == "map_reduce":
        return int(futures.map_reduce(square, int.__add__, range(count), initial=0))
    if way == "map_scan":
        return int(futures.map_scan(square, int.__add__, range(count))[-1])
    if way == "executor":
        with Executor() as executor:
            return sum(executor.map(square, range(count)))
    fs = [futures.submit(square, n) for n in range(count)]
    if way == "wait":
        done, not_done = futures.wait(fs)
    elif way == "first":
        done, not_done = set(), set(fs)
        while not_done:
            some, not_done = futures.wait(not_done, return_when=futures.FIRST_COMPLETED)
            done |= some
    elif way == "stdlib wait":
        done, not_done = concurrent.futures.wait(fs, 30)
    elif way == "as_completed":
        done, not_done = set(futures.as_completed(fs)), set()
    elif way == "stdlib as_completed":
        done, not_done = set(concurrent.futures.as_completed(fs, 30)), set()
    else:
        raise ValueError(way)
    assert not not_done
    return sum(future.result(0) for future in done)


WAYS = (
    "map", "map in slices", "map_as_completed", "starmap", "map_reduce", "map_scan", "executor", "wait", "first",
    "stdlib wait", "as_completed", "stdlib as_completed",
)  # fmt: skip


def outer(way: str, depth: int) -> int:
    """Some levels of Futures that wait in some way."""
    if depth == 0:
        return inner(way, 10)
    return sum(futures.map(outer, [way] * 3, [depth - 1] * 3))


def in_a_thread(way: str) -> Any:
    """Wait in a thread that the Future has started."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(inner(way, 20))
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return found


def caught(n: int) -> str:
    try:
        futures.submit(fail, n).result()
    except LookupError as error:
        return f"caught {error}"
    return "nothing"


def uncaught(n: int) -> None:
    futures.submit(fail, n).result()


def cancelled() -> tuple[bool, bool]:
    """Cancel an own Future that has not started."""
    future = futures.submit(square, 3)
    return future.cancel(), future.cancelled()


def timed_out() -> str:
    import time

    future = futures.submit(time.sleep, 0.3)
    try:
        future.result(0.05)
    except futures.TimeoutError:
        future.result()
        return "timed out, then done"
    return "in time"


def called_back() -> list[int]:
    found: list[int] = []
    future = futures.submit(square, 4)
    future.add_done_callback(lambda f: found.append(f.result(0)))
    future.result()
    return found


def where() -> tuple[bool, bool, int, str]:
    return fedfutures.IS_ORIGIN, fedfutures.IS_RUNNING, fedfutures.SIZE, fedfutures.worker.current.name


def names(count: int) -> set[str]:
    """The Workers that run `count` Futures of this one, which is only heard of when all are done."""
    return {future.result() for future in [futures.submit(slow_name) for _ in range(count)]}


def slow_name() -> str:
    time.sleep(0.1)
    return fedfutures.worker.current.name


def get(name: str, timeout: float = 10.0) -> Any:
    return shared.get(name, timeout=timeout)


def set_and_read(name: str, value: Any) -> Any:
    shared.set(**{name: value})
    return shared.get(name)


def own_executor() -> str:
    """An Executor inside a Future with Workers of its own kind is refused, by name."""
    try:
        Executor(2, initializer=square, initargs=(1,))
    except fedfutures.errors.NotSupportedHere as error:
        return str(error)
    return "made"


def in_an_event_loop(count: int) -> int:
    """Wait as asyncio does: the loop blocks the thread that would run the children."""
    import asyncio

    async def main() -> int:
        children = [asyncio.wrap_future(futures.submit(square, n)) for n in range(count)]
        return sum(await asyncio.gather(*children))

    return asyncio.run(main())


def length_of(name: str) -> int:
    """The length of a shared constant."""
    return len(shared.get(name))
