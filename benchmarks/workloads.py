"""What the Futures of the figures do. Imported by every Worker, so it imports next to nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path


def noop() -> None:
    """Nothing: what is left is the price of a Future."""


def identity(item: int) -> int:
    """A trivial item of a map."""
    return item


def pid_after(seconds: float) -> tuple[int, float]:
    """Sleep; then which Worker this is, and when it had done its first work (one clock for all processes)."""
    time.sleep(seconds)
    return os.getpid(), time.monotonic()


def burn(seconds: float) -> float:
    """Compute for `seconds` of this thread's own CPU time; the exact amount is returned."""
    start = time.thread_time()
    while (used := time.thread_time() - start) < seconds:
        for _ in range(50):
            pass
    return used


def burn_100us(item: int) -> int:
    """An item that takes 100 µs."""
    burn(0.0001)
    return item


def burn_1ms(item: int) -> int:
    """An item that takes 1 ms."""
    burn(0.001)
    return item


def hold(directory: str) -> None:
    """Occupy this Worker until the file ``release`` appears in `directory`."""
    Path(directory, str(os.getpid())).touch()
    while not Path(directory, "release").exists():
        time.sleep(0.01)
