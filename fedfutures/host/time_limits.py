"""The time limits of Futures, as the host process keeps them: it reads when they are over from its Workers' memory."""

from __future__ import annotations

from collections.abc import Iterable

from ..supervision.actions import Action
from ..supervision.machine import HostMachine
from .child import Child
from .memory_limits import MemoryLimits


class TimeLimits:
    """Looks at all Workers when one of them wakes this process, and when the next time is over.

    At the same times it has the limits of `memory` kept.
    """

    def __init__(self, machine: HostMachine, memory: MemoryLimits) -> None:
        self._machine, self.memory = machine, memory
        self._is_due = False

    def on_wake(self) -> None:
        """A Worker may have begun a Future with a time limit."""
        self._is_due = True

    def next_deadline(self) -> float | None:
        """When the next time is over, or what is used is to be looked at."""
        times = self._machine.overruns.next_deadline(), self.memory.next_deadline()
        return min((at for at in times if at is not None), default=None)

    def tick(self, workers: Iterable[Child], now: float) -> list[Action]:
        """Return what ends the Workers that are over a limit; say to all when the next look is."""
        due = self.next_deadline()
        if not self._is_due and (due is None or now < due):
            return []
        self._is_due = False
        workers = list(workers)
        for child in workers:
            child.cells.look_at(0)  # one that begins meanwhile wakes this process
        found = {child.slot: limited for child in workers if (limited := child.alone()) is not None}
        actions = self._machine.on_alone(found, now)
        self.memory.look(workers, now)
        due = self.next_deadline()
        for child in workers:
            child.cells.look_at(0 if due is None else int(due * 1e9))
        return actions
