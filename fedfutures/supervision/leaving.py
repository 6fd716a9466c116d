"""What a host process does about SIGTERM and SIGHUP (docs/faults.rst, "Signals"). Pure.

Slurm, systemd and containers send such a signal to all processes of a job at once. So beside the program the signal
says nothing: the program answers it, and the host process ends with the program. Only if the program lives on for
:data:`WORD_SECONDS`, it was meant for the host process alone, and people are told what to do instead.

On another host the signal means that this host is to leave the run (:class:`Drain`): no Worker is started any more, the
Workers finish what they run, and when the last one has ended, the host process ends.
"""

from __future__ import annotations

WORD_SECONDS = 0.1
"""For so long a process of the launching side waits for the program's own end."""
LAST_SECONDS = 0.5
"""For so long after the last Worker a host process lives, so that its Brokers can pass on the last results."""
LATE_SECONDS = 1.0
"""For so long after their grace it waits for Workers."""


class Leaving:
    """The signals of one host process; `what` names it."""

    __slots__ = ("_due", "_name", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._due: float | None = None
        self._name = ""

    def on_signal(self, name: str, now: float) -> None:
        """A signal of this name has come."""
        self._name = name
        if self._due is None:
            self._due = now + WORD_SECONDS

    def next_deadline(self) -> float | None:
        """When the program has not ended in time."""
        return self._due

    def tick(self, now: float) -> str:
        """Return what people are to be told; "" for nothing."""
        if self._due is None or now < self._due:
            return ""
        self._due = None
        return f"{self._what} got {self._name} and goes on, since the program does. To end the run, end the program"


class Drain:
    """The leave that a host process on another host takes; what runs there has `grace` seconds."""

    __slots__ = ("_due", "_grace", "_has_begun", "_is_last", "name")

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._due: float | None = None
        self._has_begun = self._is_last = False
        self.name = ""  # of the signal; "" as long as none has come

    def on_signal(self, name: str, now: float) -> None:
        """A signal of this name has come."""
        if not self.name:
            self.name, self._due = name, now + self._grace + LATE_SECONDS

    def next_deadline(self) -> float | None:
        """When it is over at the latest."""
        return self._due

    def begins(self) -> bool:
        """Whether Workers are to be told now: once."""
        begins, self._has_begun = bool(self.name) and not self._has_begun, bool(self.name)
        return begins

    def is_over(self, now: float, workers: int, *, is_lost: bool) -> bool:
        """Whether it is time to end. `workers`: how many live; `is_lost`: whether the launching side is not there."""
        if self._due is None:
            return False
        if not workers and not self._is_last:
            self._is_last, self._due = True, min(self._due, now + LAST_SECONDS)
        return is_lost or now >= self._due
