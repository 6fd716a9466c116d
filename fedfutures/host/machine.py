"""When to start a child again, and when not: the rules of the host process. Pure.

A Worker that had become ready and ended is replaced at once. One that ended before it was ready says that starting
does not work here: the next try waits, twice as long each time, and after five in a row the host is given up, with
the last child's end as the reason. A Broker that ends takes the run with it for now.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FAILED_STARTS_LIMIT = 5
FIRST_DELAY_SECONDS = 0.1
INITIALIZER_EXIT_CODE = 81
"""How a Worker ends whose initializer raised: trying again would not help."""


@dataclass(slots=True)
class Ended:
    """Event: a child has ended."""

    slot: int
    ready: bool  # it had become ready
    status: str  # how, for people
    exit_code: int | None  # None: a signal


@dataclass(slots=True)
class Start:
    """Action: fork a Worker for this slot; `name` has not been used before."""

    slot: int
    name: str


@dataclass(slots=True)
class Surrender:
    """Action: tell the Broker that no Worker will come, and why."""

    reason: str


@dataclass(slots=True)
class HostMachine:
    """The Workers of one host: slots 0 to `workers` - 1, each with one Worker or a time to start the next."""

    host: str
    workers: int
    _starts: dict[int, int] = field(default_factory=dict)
    _due: dict[int, float] = field(default_factory=dict)
    _failed: int = 0
    _surrendered: bool = False

    def begin(self) -> list[Start]:
        """Return the first starts."""
        return [self._start(slot) for slot in range(self.workers)]

    def ended(self, event: Ended, now: float) -> list[Start | Surrender]:
        """A Worker has ended: start another now or later, or give up."""
        if self._surrendered:
            return []
        if event.exit_code == INITIALIZER_EXIT_CODE and not event.ready:
            return self._surrender(f"the initializer raised on host {self.host}; its traceback is in the output above")
        if event.ready:
            self._failed = 0
            return [self._start(event.slot)]
        self._failed += 1
        if self._failed >= FAILED_STARTS_LIMIT:
            return self._surrender(
                f"Workers on host {self.host} end before they are ready, {self._failed} times in a row; "
                f"the last one: {event.status}"
            )
        self._due[event.slot] = now + FIRST_DELAY_SECONDS * 2 ** (self._failed - 1)
        return []

    def tick(self, now: float) -> list[Start | Surrender]:
        """Start what is due."""
        due = [slot for slot, at in self._due.items() if at <= now]
        for slot in due:
            del self._due[slot]
        return [self._start(slot) for slot in due]

    def next_deadline(self) -> float | None:
        """When the next tick is due."""
        return min(self._due.values(), default=None)

    def _start(self, slot: int) -> Start:
        self._starts[slot] = self._starts.get(slot, 0) + 1
        count = self._starts[slot]
        name = f"{self.host}.{slot + 1}"
        return Start(slot, name if count == 1 else f"{name}+{count - 1}")

    def _surrender(self, reason: str) -> list[Start | Surrender]:
        self._surrendered = True
        self._due.clear()
        return [Surrender(reason)]
