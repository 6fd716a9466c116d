"""What is called with time limits; Workers import it."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from fedfutures import futures
from fedfutures.errors import TaskTimeout


def nap(seconds: float) -> float:
    """Take some time."""
    time.sleep(seconds)
    return seconds


def spin(seconds: float) -> float:
    """Take some time, in Python."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return seconds


def hold_the_lock(seconds: float) -> None:
    """Take some time in compiled code that lets no other thread run."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def ignore_signals(seconds: float) -> None:
    """Take some time, and all that can be ignored is."""
    for number in (signal.SIGABRT, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    nap(seconds)


def swallow(seconds: float) -> None:
    """Take some time, whatever is raised."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            nap(seconds)
        except BaseException:
            continue


def start_another(path: str) -> None:
    """Start a process that would write a file a second after the limit."""
    if not os.fork():
        time.sleep(1.5)
        with open(path, "w") as file:
            file.write("it lives")
        os._exit(0)
    nap(60)


def guarded(function: Callable[..., Any], argument: Any, limit: float) -> str:
    """Submit a limited call, and live on whatever becomes of it."""
    try:
        return f"returned {futures.options(time_limit=limit).submit(function, argument).result()}"
    except TaskTimeout as error:
        return f"caught {error.call}"


def in_a_thread(argument: float, limit: float) -> str:
    """Wait for a limited call in a thread, and for the thread."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(guarded(nap, argument, limit)))
    thread.start()
    thread.join()
    return said[0]


def deep(levels: int) -> int:
    """Wait for a limited call that waits for another."""
    return 1 + int(futures.options(time_limit=30).submit(deep, levels - 1).result()) if levels else 0


def families(count: int, seconds: float) -> float:
    """Wait for Futures of its own."""
    return sum(futures.map(nap, [seconds] * count, chunksize=1))


def pid(_: Any = None) -> int:
    """Return which process runs this, after some time."""
    time.sleep(0.02)
    return os.getpid()
