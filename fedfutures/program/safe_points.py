"""The points of our own code at which a signal handler may raise; elsewhere :mod:`.postponing` delays it.

Each function does one thing that may take long or that runs code of the program, without state. Callers expect any
exception.
"""

from __future__ import annotations

import dis
import select
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import postponing


def check() -> None:
    """Run the handlers of signals that were postponed, if there are any."""
    if postponing.pending.due:
        postponing.deliver()


def poll(poller: select.poll, milliseconds: float | None) -> list[tuple[int, int]]:
    """Poll descriptors; None: without limit."""
    if postponing.pending.due:
        postponing.deliver()
    return poller.poll(milliseconds)


def sleep(seconds: float) -> None:
    """Sleep."""
    check()
    time.sleep(seconds)


def ring(bell: Any, seconds: float | None) -> None:
    """Wait until a lock that serves as a bell is released; None: without limit. It may stay acquired."""
    check()
    bell.acquire(timeout=-1 if seconds is None else max(0.0, seconds))


def extend(rows: list[Any], source: Iterable[Any]) -> None:
    """Append what an iterator of the program gives; when it raises, the items before are there."""
    rows.extend(source)


def each(source: Iterable[Any]) -> Iterator[Any]:
    """Yield what an iterable of the program gives."""
    yield from source


def call(function: Callable[[Any], object], argument: Any) -> object:
    """Call a function of the program. A handler may interrupt it after the call, not before: each is called once."""
    return function(argument)


def apply(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function of the program, or one that waits. A handler may interrupt it before the call, too."""
    return function(*args, **kwargs)


postponing.has_safe_points(
    __name__, call.__code__,
    next(found.offset for found in dis.get_instructions(call) if found.opname.startswith("CALL")),
)  # fmt: skip
