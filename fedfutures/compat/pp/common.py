"""``ppft.common``: what programs use of it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["b_", "randomport", "start_thread", "str_"]


def b_(string: Any) -> Any:
    """Return a text as bytes (Latin-1), and anything else as it is."""
    return string.encode("latin-1") if isinstance(string, str) else string


def str_(byte: Any) -> Any:
    """Return bytes as a text (Latin-1), and anything else as it is."""
    return byte.decode("latin-1") if isinstance(byte, (bytes, bytearray)) else byte


def start_thread(
    name: str, target: Callable[..., object], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None,
    daemon: bool = True,
) -> threading.Thread:  # fmt: skip
    """Start a thread, and return it."""
    thread = threading.Thread(name=name, target=target, args=args, kwargs=kwargs, daemon=daemon)
    thread.start()
    return thread


def randomport(min: int = 1024, max: int = 65536) -> int:
    """Return a random number of a port, which may be in use."""
    return random.randrange(min, max)
