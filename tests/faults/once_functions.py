"""Futures that start once at most, and say so in a file; Workers import it."""

from __future__ import annotations

import os
import signal
import time

from fedfutures import futures
from fedfutures.errors import FutureLost


def note(directory: str, name: str) -> None:
    """Say in a file of this name that it starts, and where."""
    with open(os.path.join(directory, name), "a") as file:
        file.write(f"{os.getpid()}\n")


def work(directory: str, name: str, seconds: float = 0.0) -> str:
    """Start, take some time, and return the name."""
    note(directory, name)
    time.sleep(seconds)
    return name


def crash(directory: str, name: str) -> None:
    """Start, and kill the process."""
    note(directory, name)
    os.kill(os.getpid(), signal.SIGKILL)


def guard(directory: str, name: str) -> str:
    """Start, submit one that crashes and one that does not, and live on."""
    note(directory, name)
    once = futures.options(idempotent=False)
    other = futures.submit(work, directory, f"{name}-other")
    try:
        once.submit(crash, directory, f"{name}-child").result()
    except FutureLost as error:
        return f"lost {error.function}, {other.result()}"
    return "nothing happened"
