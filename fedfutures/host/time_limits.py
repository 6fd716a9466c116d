"""The time limits of Futures, as the host process keeps them: it reads when they are over from its Workers' memory."""

from __future__ import annotations

from collections.abc import Iterable

from ..supervision.machine import Action, HostMachine
from .child import Child


class TimeLimits:
    """Looks at all Workers when one of them wakes this process, and when the next time is over."""

    def __init__(self, machine: HostMachine) -> None:
        self._machine = machine
        self._is_due = False

    def on_wake(self) -> None:
        """A Worker may have begun a Future with a time limit."""
        self._is_due = True

    def next_deadline(self) -> float | None:
        """When the next time is over."""
        return self._machine.overruns.next_deadline()

    def tick(self, workers: Iterable[Child], now: float) -> list[Action]:
        """Return what ends the Workers that are over a limit; say to all when the next look is."""
        if not self._is_due and not self._machine.overruns.is_due(now):
            return []
        self._is_due = False
        workers = list(workers)
        for child in workers:
            child.cells.look_at(0)  # one that begins meanwhile wakes this process
        found = {child.slot: limited for child in workers if (limited := child.alone()) is not None}
        actions = self._machine.on_alone(found, now)
        due = self.next_deadline()
        for child in workers:
            child.cells.look_at(0 if due is None else int(due * 1e9))
        return actions
