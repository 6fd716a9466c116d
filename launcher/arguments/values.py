"""Values of options: what is wrong with one is said as argparse says it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from fedfutures.host.walltime import checked_seconds

MOST_WORKERS = 1 << 16

T = TypeVar("T")


def checked(read: Callable[[], T]) -> T:
    """Return what `read` does; its ValueError has the text for the user.

    >>> checked(lambda: int("7"))
    7
    """
    try:
        return read()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def seconds(text: str) -> float:
    """Read a time, as in ``90``, ``30m`` and ``1:30:00``.

    >>> seconds("30m")
    1800.0
    """
    return checked(lambda: checked_seconds("it", text))


def worker_count(text: str, least: int = 1) -> int:
    """Return the number of Workers that a host or a Federation is to have; raise ArgumentTypeError."""
    return whole_number(text, least, MOST_WORKERS)


def whole_number(text: str, least: int, most: int) -> int:
    """Return a number between bounds; raise ArgumentTypeError.

    >>> whole_number("80", 0, 65535)
    80
    """
    if not text.isdigit() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text} is not a number from {least} to {most}")
    return int(text)
