"""Workers that use more memory than they may: whom to end, and for which Future. Pure.

Two limits hold: that of a Future that has its Worker to itself (``options(memory=)``), for what is used since it began,
and that of each Worker (``--memory-per-worker``), for all that it uses. With SIGABRT the Worker writes down where it
is; SIGKILL follows. A Worker that has grown over its limit and runs nothing is asked to leave (SIGTERM).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .overruns import ABORT_SECONDS

LEAVE_SECONDS = 5.0
"""A Worker that was asked to leave and is there after that, with nothing to run, is killed."""
GROWN = 1.1
"""A Worker that runs nothing has grown if it uses so many times what it did before its first Future."""


class Usage(NamedTuple):
    """What is seen of a Worker that is ready, with all that it has started."""

    used: int  # bytes
    ready: int = 0  # the same when it became ready
    running: tuple[int, int] | None = None  # (piece, id) of what runs, or waits; None: nothing
    alone: tuple[int, int] | None = None  # of the Future that has it to itself and a limit of its own
    begun: int = 0  # bytes that were used when that one began
    may_use: int = 0  # bytes that it may use


class Overuse(NamedTuple):
    """Why a Worker is ended: a Future of it used too much. `piece` 0: it has grown, and runs nothing."""

    piece: int
    number: int
    used: int
    bound: int  # that of each Worker; 0: that of the Future


class Overuses:
    """The Workers of one host, by slot. `bound`: how many bytes each may use; 0: any number."""

    def __init__(self, bound: int = 0) -> None:
        self.bound = bound
        self._told: dict[int, tuple[Overuse, float]] = {}  # to end, for that; and when they are killed

    def look(self, found: Mapping[int, Usage], now: float) -> dict[int, str]:
        """Take in what all Workers use; return whom to "abort", whom to "kill", and who is to "leave"."""
        self._told = {
            slot: told for slot, told in self._told.items() if slot in found and _is_open(told[0], found[slot])
        }
        verdicts: dict[int, str] = {}
        for slot, usage in found.items():
            if slot in self._told:
                overuse, due = self._told[slot]
                if now < due:
                    continue
                verdicts[slot] = "kill"
            elif (found_overuse := self._overuse(usage)) is not None:
                overuse = found_overuse
                verdicts[slot] = "abort" if overuse.piece else "leave"
            else:
                continue
            self._told[slot] = overuse, now + (ABORT_SECONDS if overuse.piece else LEAVE_SECONDS)
        return verdicts

    def is_told(self, slot: int) -> bool:
        """Whether a Worker was told to end."""
        return slot in self._told

    def end(self, slot: int, last: Usage) -> Overuse | None:
        """A Worker has ended; return why it was ended, if it was. `last`: what it ran then."""
        overuse, _ = self._told.pop(slot, (None, 0.0))
        return overuse if overuse is not None and _is_open(overuse, last) else None

    def _overuse(self, usage: Usage) -> Overuse | None:
        if usage.alone is not None and usage.used - usage.begun > usage.may_use:
            return Overuse(*usage.alone, usage.used - usage.begun, 0)
        if not self.bound or usage.used <= self.bound:
            return None
        if usage.running is not None:
            return Overuse(*usage.running, usage.used, self.bound)
        return Overuse(0, 0, usage.used, self.bound) if usage.used > GROWN * usage.ready else None


def _is_open(overuse: Overuse, usage: Usage) -> bool:
    """Whether the Future runs for which a Worker is to end; or nothing, if it is to end for that."""
    if not overuse.piece:
        return usage.running is None
    return (overuse.piece, overuse.number) in (usage.running, usage.alone)
