"""What Futures of the live tests do, and how their results are judged."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.lab import Lab, Site, here
from fedfutures import futures, shared

SECONDS = 20.0


def work(number: int, seconds: float, path: str) -> tuple[int, int]:
    """Note that this was run, and where; take a while."""
    with open(path, "a") as file:
        file.write(f"{number} {here()} {os.getpid()}\n")
    time.sleep(seconds)
    return number * number, here()


def place(number: int) -> tuple[int, int, int]:
    """Take a while; who did so."""
    time.sleep(0.005)
    return number, here(), os.getpid()


def nest(depth: int, width: int) -> list[int]:
    """Submit Futures that submit Futures; return the hosts of all that ran."""
    time.sleep(0.01)
    below = [futures.submit(nest, depth - 1, width) for _ in range(width if depth else 0)]
    return [here(), *(host for future in below for host in future.result())]


def constant(name: str) -> tuple[Any, int]:
    """Read a shared constant."""
    time.sleep(0.005)
    return shared.get(name, timeout=5.0), here()


class Trial:
    """Futures under way, and the note that each has made of having been run."""

    def __init__(self, site: Site, count: int, seconds: float, path: Path) -> None:
        self.path = str(path)
        self.resolved: Counter[int] = Counter()
        self.futures = [site.submit(work, number, seconds, self.path) for number in range(count)]
        for number, future in enumerate(self.futures):
            future.add_done_callback(lambda _, number=number: self.resolved.update([number]))

    def started(self) -> Counter[int]:
        """How often each has been started."""
        try:
            return Counter(int(line.split()[0]) for line in Path(self.path).read_text().splitlines())
        except FileNotFoundError:
            return Counter()

    def hosts(self) -> Counter[int]:
        """How many were started on each host."""
        return Counter(int(line.split()[1]) for line in Path(self.path).read_text().splitlines())

    def until(self, count: int) -> None:
        """Wait until so many have been started."""
        deadline = time.monotonic() + SECONDS
        while len(self.started()) < count:
            assert time.monotonic() < deadline, f"{len(self.started())} of {count} started"
            time.sleep(0.01)

    def end(self, twice: int = 0) -> float:
        """Wait for all; assert that all values are right, and at most `twice` were run twice; return the seconds."""
        began = time.monotonic()
        values = [future.result(timeout=SECONDS)[0] for future in self.futures]
        seconds = time.monotonic() - began
        assert values == [number**2 for number in range(len(self.futures))]
        assert set(self.resolved.values()) == {1}
        started = self.started()
        assert len(started) == len(self.futures)
        again = [number for number, times in started.items() if times > 1]
        assert len(again) <= twice, f"run again: {again}"
        assert max(started.values()) <= 2
        return seconds


def serves(site: Site) -> bool:
    """Whether Futures run as they should."""
    found = [site.submit(pow, number, 2) for number in range(200)]
    return [future.result(timeout=SECONDS) for future in found] == [number**2 for number in range(200)]


def hosts_of(site: Site, function: Callable[..., Any], rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return the results of a function over rows of arguments."""
    return [future.result(timeout=SECONDS) for future in [site.submit(function, *row) for row in rows]]


__all__ = ["SECONDS", "Lab", "Site", "Trial", "constant", "hosts_of", "nest", "place", "serves", "work"]
