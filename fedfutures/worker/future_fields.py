"""What the modules of this room and above read and write of a Future.

Its users are shown none of this, and no path pays a call for it.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from .future import Future


def home_of(future: Any) -> Any:
    """Return the node of a Future; None for one that ran in the process itself, and of other executors."""
    return getattr(future, "_home", None)


number_of: Callable[[Future], int] = attrgetter("_number")
"""The number that a Future has at its node."""

priority_of: Callable[[Future], int] = attrgetter("_priority")
"""The priority that a Future was submitted with, or has from the Future that submitted it."""


def call_of(future: Any) -> Any:
    """Return what a node needs to run or send a Future that waits; None once it has started, and of other executors."""
    return getattr(future, "_call", None)


def digest_of(future: Any) -> bytes | None:
    """Return the digest of a Future's function, where that is ready to travel: then its duration will be measured."""
    call = call_of(future)
    return call[0].digest if call is not None and len(call) == 3 else None


failure_of: Callable[[concurrent.futures.Future[Any]], BaseException | None] = attrgetter("_exception")
"""The exception of a Future that has failed; asking does not count as having seen it."""

value_of: Callable[[concurrent.futures.Future[Any]], Any] = attrgetter("_result")
"""The value of a Future that has finished; None for others."""


def is_finished(future: Future) -> bool:
    """Whether a Future has a value or an exception: it was not cancelled."""
    return future.done() and not future.cancelled()


class SliceCut(NamedTuple):
    """What is due among the callbacks of a node: a slice was cut, and keeps so many items."""

    future: Future
    kept: int

    def _invoke_callbacks(self) -> None:
        if self.future.on_cut is not None:
            self.future.on_cut(self.future, self.kept)
