"""What is cancelled while it runs; Workers import it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import late_functions as late

from fedfutures import futures


def touch_and_nap(path: str, seconds: float) -> int:
    """Say that it has begun, and take some time."""
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return os.getpid()


def parent(path: str, seconds: float) -> int:
    """Wait for a Future that may run elsewhere."""
    children = [futures.submit(touch_and_nap, f"{path}{index}", seconds) for index in range(2)]
    futures.wait(children)
    return len(children)


def cancels_its_child(seconds: float, cancellable: bool) -> list[object]:
    """Cancel a Future of its own that runs."""
    child = futures.options(cancellable=cancellable).submit(late.nap, seconds)
    until = time.monotonic() + 10.0
    while cancellable and not child.running() and time.monotonic() < until:
        time.sleep(0.01)
    return [child.cancel(running=True), child.cancelled()]


def has_begun(path: Path, count: int = 1) -> bool:
    """Whether so many have said that they have."""
    return path.exists() and len(path.read_text().split()) >= count
