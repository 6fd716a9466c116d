"""Values of options: what is wrong with one is said as argparse says it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from fedfutures.host.walltime import checked_seconds

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
