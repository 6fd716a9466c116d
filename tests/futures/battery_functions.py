"""What the tests of the face submit: functions of a module that Workers import."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any


def square(x: int) -> int:
    return x * x


def text(x: Any) -> str:
    """A letter for a number, so that the order of a concatenation shows."""
    return f"{x},"


def concatenate(a: str, b: str) -> str:
    return a + b


def raise_it(error: BaseException) -> None:
    raise error


def inverse(x: float) -> float:
    return 1 / x


def sleep(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


def keywords(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
    return args, kwargs


def wait_for(path: str, seconds: float = 20.0) -> bool:
    """Run until a file is there."""
    Path(path + ".started").touch()
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def pid(_: Any = None) -> int:
    return os.getpid()


def pids() -> tuple[int, int]:
    return os.getpid(), os.getppid()


def thread_name() -> str:
    return threading.current_thread().name


class Thing:
    """What can be referred to weakly."""


def make_thing(_: Any) -> Thing:
    return Thing()


state: list[Any] = []


def initialize(*values: Any) -> None:
    state.extend(values)


def initialized() -> list[Any]:
    return state


def fail_to_initialize() -> None:
    raise ValueError("no initialization")
