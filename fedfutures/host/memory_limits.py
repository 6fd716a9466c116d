"""The memory limits of Workers and Futures, as the host process keeps them: it looks at what its Workers use."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

from ..supervision.memory_use import Overuse, Overuses, Usage
from .child import Child
from .marks import Mark
from .memory_use import LOOK_SECONDS, used_by

IDLE_EVERY = 10
"""Workers that run nothing are looked at in each tenth look."""
_SIGNALS = {"abort": signal.SIGABRT, "kill": signal.SIGKILL, "leave": signal.SIGTERM}


class MemoryLimits:
    """Looks again and again while something has a limit. `bound`: how many bytes each Worker may use; 0: any number."""

    def __init__(self, mark: Mark, bound: int = 0) -> None:
        self._mark, self._overuses = mark, Overuses(bound)
        self._due = 0.0 if bound else None
        self._looks = 0

    def next_deadline(self) -> float | None:
        """When to look next."""
        return self._due

    def look(self, workers: list[Child], now: float) -> None:
        """End the Workers that use more than they may, if it is time to look or one has begun a Future with a limit."""
        limited = [child for child in workers if self._is_limited(child)]
        self._due = now + LOOK_SECONDS if limited or self._overuses.bound else None
        self._looks += 1
        if not limited:
            return
        adopted = self._mark.adopted({child.pid for child in workers})
        by_slot = {child.slot: child for child in limited}
        found = {slot: self._usage(child, adopted.get(child.pid, ())) for slot, child in by_slot.items()}
        for slot, verdict in self._overuses.look(found, now).items():
            with contextlib.suppress(ProcessLookupError):
                os.kill(by_slot[slot].pid, _SIGNALS[verdict])

    def end(self, child: Child) -> Overuse | None:
        """A Worker has ended; return why it was ended, if that was for its memory."""
        return self._overuses.end(child.slot, seen(child, 0))

    def _is_limited(self, child: Child) -> bool:
        if child.alone() is not None and child.cells.memory()[2]:
            return True
        if not self._overuses.bound or not child.cells.ready:
            return False
        is_idle = child.cells.running() is None and child.cells.waiting() is None
        return not is_idle or self._looks % IDLE_EVERY == 0 or self._overuses.is_told(child.slot)

    def _usage(self, child: Child, adopted: Iterable[int]) -> Usage:
        usage = seen(child, 0)
        bounds = [bound for bound in (self._overuses.bound, usage.may_use and usage.begun + usage.may_use) if bound]
        return usage._replace(used=used_by(child.pid, min(bounds), adopted))


def seen(child: Child, used: int) -> Usage:
    """Return what the memory that it shares says of a Worker, which uses so many bytes."""
    ready, begun, may_use = child.cells.memory()
    alone = child.alone() if may_use else None
    return Usage(
        used, ready, child.cells.running() or child.cells.waiting(), alone and alone[:2], begun, may_use if alone else 0
    )  # fmt: skip
