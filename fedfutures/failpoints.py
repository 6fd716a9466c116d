"""Failpoints: places where a test run delays, loses, repeats, shortens or fails what the product does.

They are on where the environment variable ``FEDFUTURES_FAILPOINTS`` has a seed, any text, when a process starts. The
seed chooses half of all points; each of these acts now and then. ``SEED:name,name`` chooses points by name. Where they
are off, the decorators of this module return their function as it is: nothing is called and nothing looked up later.

>>> @delayed("example.send")
... def send() -> str:
...     return "sent"
>>> send(), "example.send" in POINTS
('sent', True)

What a point does the product must survive without a word (docs/faults.rst). The idea is FoundationDB's BUGGIFY (Zhou et
al., "FoundationDB: A Distributed Unbundled Transactional Key Value Store", SIGMOD 2021, section 4).
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

SEED, _, _CHOSEN = os.environ.get("FEDFUTURES_FAILPOINTS", "").partition(":")
LOG = os.environ.get("FEDFUTURES_FAILPOINTS_LOG", "")
"""A file to which the name of each point that acts is added."""
POINTS: dict[str, str] = {}
"""What each point does, by its name; of the modules that were imported."""
_SHARE = 0.02
_DELAY_SECONDS = 0.03
_POINTS_AT_ONCE = 0.5
_FEW_BYTES = 61


def delayed(name: str) -> Callable[[F], F]:
    """Let calls begin late now and then, by 30 ms at most."""

    def wrap(call: Callable[..., Any], is_due: Callable[[], bool], dice: Any) -> Callable[..., Any]:
        def late(*args: Any, **kwargs: Any) -> Any:
            if is_due():
                time.sleep(dice.uniform(0.0, _DELAY_SECONDS))
            return call(*args, **kwargs)

        return late

    return _point(name, "delays", wrap)


def lost(name: str) -> Callable[[F], F]:
    """Do nothing instead of the call now and then; for calls that return None."""

    def wrap(call: Callable[..., Any], is_due: Callable[[], bool], _: Any) -> Callable[..., Any]:
        return lambda *args, **kwargs: None if is_due() else call(*args, **kwargs)

    return _point(name, "loses", wrap)


def repeated(name: str) -> Callable[[F], F]:
    """Do it twice now and then."""

    def wrap(call: Callable[..., Any], is_due: Callable[[], bool], _: Any) -> Callable[..., Any]:
        def twice(*args: Any, **kwargs: Any) -> Any:
            if is_due():
                call(*args, **kwargs)
            return call(*args, **kwargs)

        return twice

    return _point(name, "repeats", wrap)


def failing(name: str, number: int) -> Callable[[F], F]:
    """Raise an OSError of this number instead of the call now and then."""

    def wrap(call: Callable[..., Any], is_due: Callable[[], bool], _: Any) -> Callable[..., Any]:
        def fails(*args: Any, **kwargs: Any) -> Any:
            if is_due():
                raise OSError(number, f"{os.strerror(number)} (failpoint {name})")
            return call(*args, **kwargs)

        return fails

    return _point(name, "fails", wrap)


def size(name: str, usual: int) -> int:
    """Return how much to read or write at a time: as usual, or a few bytes in all of this process."""
    POINTS[name] = "shortens"
    return _FEW_BYTES if _is_chosen(name) and _acts(name) else usual


def _point(
    name: str, what: str, wrap: Callable[[Callable[..., Any], Callable[[], bool], Any], Callable[..., Any]]
) -> Callable[[F], F]:
    POINTS[name] = what
    if not _is_chosen(name):
        return lambda function: function
    from random import Random

    dice = Random(f"{SEED} {name} {os.getpid()}")

    def is_due() -> bool:
        return dice.random() < _SHARE and _acts(name)

    return lambda function: functools.wraps(function)(wrap(function, is_due, dice))  # type: ignore[return-value]


def _is_chosen(name: str) -> bool:
    if not SEED:
        return False
    if _CHOSEN:
        return name in _CHOSEN.split(",")
    from random import Random

    return Random(f"{SEED} {name}").random() < _POINTS_AT_ONCE


def _acts(name: str) -> bool:
    """Write down that a point acts."""
    if LOG:
        file = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, f"{name}\n".encode())
        finally:
            os.close(file)
    return True
