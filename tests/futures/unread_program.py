"""A program of maps that nobody reads, or not to the end: each case prints its name and whether it was right.

Run under ``python -m fedfutures``, where an Executor joins the Federation, and under plain ``python``.
"""

from __future__ import annotations

import array
import collections
import concurrent.futures
import itertools
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fedfutures import Executor, futures

Case = Callable[[str], Any]
CASES: dict[str, tuple[Case, Any]] = {}
LAUNCHED: set[str] = set()
"""Cases that use the functions of a launched program."""


def case(expected: Any, *, launched: bool = False) -> Callable[[Case], Case]:
    def take(function: Case) -> Case:
        CASES[function.__name__] = function, expected
        if launched:
            LAUNCHED.add(function.__name__)
        return function

    return take


def save(place: str, number: Any = 0) -> Any:
    Path(place, str(number)).touch()
    return number


def slow(place: str, number: int) -> int:
    time.sleep(0.02)
    return int(save(place, number))


def count(place: str) -> int:
    return len(os.listdir(place))


def numbers(most: int) -> Iterator[int]:
    yield from range(most)


def failing(most: int) -> Iterator[int]:
    yield from range(most)
    raise LookupError("no more")


def soon(place: str, most: int) -> int:
    until = time.monotonic() + 10
    while count(place) < most and time.monotonic() < until:
        time.sleep(0.02)
    return count(place)


# -- let go before the first result ----------------------------------------------------------------------------------


@case(1000)
def sequences(place: str) -> int:
    with Executor(2) as executor:
        executor.map(save, [place] * 500, list(range(500)))
        executor.map(save, (place,) * 500, range(500, 1000))
    return count(place)


@case(1100)
def iterators(place: str) -> int:
    with Executor(2) as executor:
        executor.map(save, itertools.repeat(place), numbers(500))
        executor.map(save, itertools.repeat(place), map(str, range(500, 700)))
        executor.map(save, [place] * 100, itertools.count(700), chunksize=7)
        executor.map(save, itertools.repeat(place), iter(range(800, 900)), buffersize=3)
        executor.map(save, itertools.repeat(place), filter(None, range(900, 1000))).close()
        executor.map(save, zip(itertools.repeat(place), numbers(0)))
        executor.map(slow, [place] * 100, numbers(1100), buffersize=7)
        executor.map(save, [place] * 100, range(1000, 1100))
    return count(place)


@case(820)
def other_built_in_types(place: str) -> int:
    import numpy

    found = {number: str(number + 100) for number in range(100)}
    inputs = [
        found, found.values(), {number + 200 for number in found}, frozenset(range(300, 400)),
        collections.deque(range(400, 500)), array.array("i", range(500, 600)), numpy.arange(600, 700),
        "".join(map(chr, range(0x4E00, 0x4E64))), bytes(range(20)), bytearray(range(10)),
        [number for number, _ in dict.fromkeys(range(710, 730)).items()],
    ]  # fmt: skip
    with Executor(2) as executor:
        for values in inputs:
            executor.map(save, [place] * len(values), values)
    return count(place)


@case(300)
def what_is_changed_after_the_call(place: str) -> int:
    numbers, names, text = list(range(100)), {str(n): n for n in range(100, 200)}, collections.deque(range(200, 300))
    with Executor(2) as executor:
        for values in (numbers, names, text):
            executor.map(save, [place] * 100, values)
            values.clear()  # type: ignore[attr-defined]
    return count(place)


@case((300, True))
def an_input_that_submits(place: str) -> tuple[int, bool]:
    with Executor(2) as executor:
        executor.map(save, itertools.repeat(place), (executor.submit(abs, -n).result() for n in range(300)))
        read = list(executor.map(abs, (executor.submit(abs, -n).result() for n in range(50))))
    return count(place), read == list(range(50))


@case(60)
def an_input_that_blocks(place: str) -> int:
    waiting: queue.Queue[int | None] = queue.Queue()

    def fill() -> None:
        for number in range(60):
            time.sleep(0.005)
            waiting.put(number)
        waiting.put(None)

    threading.Thread(target=fill).start()
    with Executor(2) as executor:
        executor.map(save, itertools.repeat(place), iter(waiting.get, None))
    return count(place)


@case(300)
def two_executors_and_a_thread(place: str) -> int:
    with Executor(1) as one, Executor(1) as two:
        one.map(save, itertools.repeat(place), numbers(100))

        def use() -> None:
            two.map(save, itertools.repeat(place), range(100, 200))
            one.map(save, itertools.repeat(place), map(int, range(200, 300)))

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    return count(place)


@case(100)
def a_map_of_a_group(place: str) -> int:
    with Executor(2) as executor:
        executor.group("all").map(save, itertools.repeat(place), numbers(100))
    return count(place)


def unless_150(place: str, number: int) -> None:
    if number == 150:
        os._exit(3)
    save(place, number)


@case(299)
def an_item_that_kills_its_worker(place: str) -> int:
    with Executor(2) as executor:
        executor.map(unless_150, [place] * 300, range(300), chunksize=20)
    return count(place)


@case((True, 100))
def shutdown_without_waiting(place: str) -> tuple[bool, int]:
    executor = Executor(2)
    executor.map(slow, itertools.repeat(place), numbers(50))
    executor.map(slow, [place] * 50, range(50, 100))
    executor.shutdown(wait=False)
    return count(place) < 90, soon(place, 100)


@case(1000, launched=True)
def in_the_background(place: str) -> int:
    futures.map(save, [place] * 500, range(500))
    futures.map_as_completed(save, [place] * 300, range(500, 800))
    futures.starmap(save, [(place, number) for number in range(800, 1000)])
    return soon(place, 1000)


@case(400)
def serially(place: str) -> int:
    with Executor(mode="serial") as executor:
        executor.map(save, itertools.repeat(place), numbers(300))
        executor.map(save, [place] * 100, range(300, 400), buffersize=2)
    return count(place)


# -- held, closed, read in part --------------------------------------------------------------------------------------


@case((500, True, 499))
def read_after_the_shutdown(place: str) -> tuple[int, bool, int]:
    with Executor(2) as executor:
        unread = executor.map(save, itertools.repeat(place), numbers(500))
        begun = executor.map(save, [place] * 500, map(int, range(500)))
        next(begun)
    return count(place), list(unread) == list(range(500)), len(list(begun))


@case(True)
def left_after_the_first_result(place: str) -> bool:
    with Executor(2) as executor:
        for values in (lambda: range(500), lambda: numbers(500)):
            results = executor.map(slow, itertools.repeat(place), values())
            next(results)
            results.close()  # type: ignore[attr-defined]
            results = executor.map(slow, itertools.repeat(place), values())
            next(results)
            del results
    return count(place) < 200


@case((True, 2))
def cancelled_by_the_shutdown(place: str) -> tuple[bool, int]:
    executor = Executor(2)
    maps = [executor.map(slow, itertools.repeat(place), numbers(500)), executor.map(slow, [place] * 500, range(500))]
    executor.shutdown(cancel_futures=True)
    cancelled = 0
    for results in maps:
        try:
            for _ in results:
                pass
        except concurrent.futures.CancelledError:
            cancelled += 1
    return count(place) < 200, cancelled


@case([*range(20), "no more"])
def an_input_that_raises_at_its_place(place: str) -> list[Any]:
    found: list[Any] = []
    with Executor(2) as executor:
        try:
            for value in executor.map(save, itertools.repeat(place), failing(20), chunksize=8):
                found.append(value)
        except LookupError as error:
            found.append(str(error))
    return found


@case((True, True, "the input of map(slow)"))
def an_input_without_end(place: str) -> tuple[bool, bool, str]:
    began = time.monotonic()
    with Executor(2) as executor:
        results = executor.map(slow, itertools.repeat(place), itertools.count())
    quick, few = time.monotonic() - began < 10, count(place) < 200
    try:
        for _ in results:
            pass
    except RuntimeError as error:
        return quick, few, str(error)[:22]
    return quick, few, "nothing was raised"


# -- in Futures ------------------------------------------------------------------------------------------------------

KEPT: Any = None


def parent(place: str, kind: int) -> int:
    global KEPT
    first = 100 * kind
    if kind == 0:
        futures.map(save, [place] * 100, range(first, first + 100))
    elif kind == 1:
        futures.map(save, itertools.repeat(place), map(int, range(first, first + 100)))
    elif kind == 2:
        KEPT = futures.map_as_completed(save, itertools.repeat(place), map(int, range(first, first + 100)))
    elif kind == 3:
        with Executor() as executor:
            executor.map(save, itertools.repeat(place), map(int, range(first, first + 100)))
        return sum(int(name) >= first for name in os.listdir(place))
    else:
        futures.submit(parent, place, 0).result()
        return count(place)
    return -1


@case([-1, -1, -1, 100, 400, 100, 100, 100, 100])
def maps_in_futures(place: str) -> list[int]:
    """They are made before the result of their Future is there."""
    with Executor(2) as executor:
        found = [executor.submit(parent, place, kind).result() for kind in range(5)]
    return found + [sum(int(name) // 100 == kind for name in os.listdir(place)) for kind in range(4)]


def tree(place: str, number: int, depth: int) -> None:
    save(place, number)
    if depth:
        for child in (1, 2):
            futures.submit(tree, place, 2 * number + child, depth - 1)


@case(127)
def futures_that_futures_do_not_wait_for(place: str) -> int:
    if "launched" in sys.argv:
        return 127  # only the end of the program waits for them: see the programs of test_nobody_waits.py
    with Executor(2) as executor:
        executor.submit(tree, place, 0, 6)
    return count(place)


def main() -> None:
    way, *names = sys.argv[1:]
    for name, (function, expected) in CASES.items():
        if (names and name not in names) or (name in LAUNCHED and way != "launched"):
            continue
        with tempfile.TemporaryDirectory() as place:
            try:
                found = function(place)
            except BaseException as error:
                found = repr(error)
        print(name, "right" if found == expected else f"WRONG: {found}, not {expected}", flush=True)


if __name__ == "__main__":
    main()
