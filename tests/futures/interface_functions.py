"""Futures for the tests of the interface."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

from fedfutures import Executor, futures


def price(row: int) -> float:
    return row / 2


def all_of_it(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What it was called with."""
    return args, kwargs


def drawn(item: int) -> float:
    return random.random()


def slow_first(item: int) -> int:
    time.sleep(0.5 if item == 0 else 0)
    return item


def fail_odd(item: int) -> int:
    if item % 2:
        raise ValueError(item)
    return item


def hold(path: str) -> None:
    """Run until a file is there."""
    Path(path + ".runs").touch()
    while not Path(path).exists():
        time.sleep(0.01)


def submit_wrongly() -> None:
    futures.submit(4)  # type: ignore[arg-type]


def with_future_as_argument() -> str:
    """The error of a Future that hands a Future to a Future."""
    try:
        futures.submit(price, futures.submit(price, 4))
    except Exception as error:
        return str(error)
    return "none"


def interrupted(executor: Executor, path: str) -> bool:
    """Leave the block of an Executor by Ctrl-C while a Future runs; return whether that was at once."""

    def interrupt() -> None:
        while not Path(path + ".runs").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    began = float("inf")
    try:
        with executor:
            executor.submit(hold, path)
            try:
                time.sleep(20)
            finally:
                began = time.monotonic()
    except KeyboardInterrupt:
        return time.monotonic() - began < 5
    return False
