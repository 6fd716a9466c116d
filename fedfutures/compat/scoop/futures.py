"""``scoop.futures``: map, submit and their kin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ... import futures
from ...errors import NotSupportedHere
from ...futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    TimeoutError,
    as_completed,
    submit,
)  # fmt: skip
from ...worker import current

__all__ = [
    "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "CancelledError", "Future", "TimeoutError", "as_completed",
    "map", "mapReduce", "mapScan", "map_as_completed", "shutdown", "submit", "wait",
]  # fmt: skip


def map(
    func: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None, **ignored: Any
) -> Iterator[Any]:  # fmt: skip
    """Yield ``func(*items)`` in order, for at most `timeout` seconds; other keywords are ignored, as there."""
    return futures.map(func, *iterables, timeout=timeout)


def map_as_completed(
    func: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None, **ignored: Any
) -> Iterator[Any]:  # fmt: skip
    """Yield ``func(*items)`` as they are done."""
    return futures.map(func, *iterables, timeout=timeout, unordered=True)


def mapReduce(
    mapFunc: Callable[..., Any], reductionFunc: Callable[[Any, Any], Any],
    *iterables: Iterable[Any], timeout: float | None = None,
) -> Any:  # fmt: skip
    """Map, then reduce the results to one by an associative function."""
    _refuse(timeout)
    return futures.map_reduce(mapFunc, reductionFunc, *iterables)


def mapScan(
    mapFunc: Callable[..., Any], reductionFunc: Callable[[Any, Any], Any],
    *iterables: Iterable[Any], timeout: float | None = None,
) -> list[Any]:  # fmt: skip
    """Map, then return the running reductions, one for each item and in order; SCOOP's were not."""
    _refuse(timeout)
    return futures.map_scan(mapFunc, reductionFunc, *iterables)


def wait(fs: Iterable[Any], timeout: float | None = -1, return_when: str = ALL_COMPLETED) -> Any:
    """Wait for Futures and return the pair of sets ``(done, not_done)``; a negative `timeout` is none."""
    return futures.wait(fs, None if timeout is None or timeout < 0 else timeout, return_when)


def shutdown(wait: bool = True) -> None:
    """Do nothing, as SCOOP does: the Federation ends with the program."""


def _startup(rootFuture: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run the root of a program, which submits all the rest; inside a Worker do nothing."""
    return rootFuture(*args, **kwargs) if current.is_origin else None


def _refuse(timeout: float | None) -> None:
    if timeout is not None:
        raise NotSupportedHere(
            "a reduction has no timeout, here as in SCOOP, which ignored it; to end calls that take too long: "
            "futures.options(time_limit=...)"
        )
