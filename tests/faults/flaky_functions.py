"""What the tests of retries run: functions that raise some times, and count that in a file."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from fedfutures import Retries, futures

QUICK = Retries(3, delay=0.02)


def count(path: str) -> int:
    """Return how often this was called for a path, by whatever process."""
    with open(path, "a") as file:
        file.write("x")
    return os.path.getsize(path)


def flaky(path: str, failures: int, value: Any = "value") -> Any:
    tried = count(path)
    if tried <= failures:
        raise OSError(f"try {tried}")
    return value


def late_first(path: str) -> str:
    if count(path) == 1:
        time.sleep(60)
    return "in time"


def killed(path: str, times: int) -> str:
    if count(path) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def draws(path: str, failures: int) -> float:
    drawn: float = futures.rng().random()
    flaky(path, failures)
    return drawn


def family(directory: str) -> tuple[list[Any], float]:
    """Children that raise at first; others run meanwhile, also in one Worker."""
    began = time.monotonic()
    patient = futures.options(retries=Retries(2, delay=2.0))
    children = [patient.submit(flaky, f"{directory}/child{number}", 1, number) for number in range(3)]
    inside = children[0].result()
    return [inside, *(child.result() for child in children[1:])], time.monotonic() - began


def in_a_thread(directory: str) -> list[Any]:
    found: list[Any] = []

    def ask() -> None:
        found.append(futures.options(retries=QUICK).submit(flaky, f"{directory}/thread", 2).result())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return found


def mapped(directory: str) -> list[Any]:
    paths = [f"{directory}/item{number}" for number in range(3)]
    return list(futures.map(flaky, paths, [1] * 3, range(3), retries=QUICK))


def leaves_one_behind(directory: str) -> str:
    """Submits one that waits for its next try when this ends."""
    futures.options(retries=Retries(1, delay=0.5)).submit(flaky, f"{directory}/left", 1)
    return "done"


def tries_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
