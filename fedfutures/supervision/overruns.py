"""Futures that are over their time limit: when to look, and how to end them. Pure.

A Worker writes into shared memory when the time of its limited Future is over (:mod:`..host.crash_cells`). SIGABRT
makes it write down where it is; where user code has a handler for that signal, or where nothing helps, SIGKILL follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

ABORT_SECONDS = 0.1
"""So long after SIGABRT comes SIGKILL."""
LOOK_SECONDS = 1.0
"""So often at least it looks while Futures with a limit are open, to know for how long it stood still itself."""
STOOD_STILL_SECONDS = 1.0
"""A look that comes so late shows that the host process itself stood still: with the whole job, or container."""


class AloneFuture(NamedTuple):
    """A Future that has a Worker to itself and is open."""

    piece: int
    number: int
    over_at: float  # seconds of the monotonic clock


class Overruns:
    """The Workers of one host, by slot."""

    def __init__(self) -> None:
        self._due: float | None = None
        self._aborted: dict[int, tuple[AloneFuture, float]] = {}  # when to kill them
        self._credit: dict[tuple[int, AloneFuture], float] = {}  # seconds that count for nobody

    def next_deadline(self) -> float | None:
        """When to look next."""
        return self._due

    def is_due(self, now: float) -> bool:
        """Whether to look now."""
        return self._due is not None and now >= self._due

    def look(self, found: Mapping[int, AloneFuture], now: float) -> dict[int, str]:
        """Take in what is open in all Workers; return whom to "abort" and whom to "kill"."""
        entries = found.items()
        self._credit = {entry: seconds for entry, seconds in self._credit.items() if entry in entries}
        if self._due is not None and now - self._due > STOOD_STILL_SECONDS:
            for entry in entries:
                self._credit[entry] = self._credit.get(entry, 0.0) + now - self._due
        self._aborted = {slot: entry for slot, entry in self._aborted.items() if found.get(slot) == entry[0]}
        verdicts: dict[int, str] = {}
        times = []
        for slot, limited in entries:
            is_aborted = slot in self._aborted
            at = self._aborted[slot][1] if is_aborted else limited.over_at + self._credit.get((slot, limited), 0.0)
            if now >= at:
                verdicts[slot] = "kill" if is_aborted else "abort"
                at = now + ABORT_SECONDS
                self._aborted[slot] = limited, at
            times.append(at)
        self._due = min([*times, now + LOOK_SECONDS]) if times else None
        return verdicts

    def end(self, slot: int, last: AloneFuture | None) -> AloneFuture | None:
        """A Worker has ended; return for which Future it was ended. `last`: what was open then."""
        limited, _ = self._aborted.pop(slot, (None, 0.0))
        return limited if limited == last else None
