"""Workers that the kernel holds: blocked where no signal ends the wait (state D), or by a debugger (state t). Pure.

Neither is an end or a stop that a parent is told of, so the host process looks every five seconds. A Worker stands
still if its main thread is in one of these states look after look, and neither its CPU time nor its input and output
have grown: a slow disk or a crowded memory shows the state, too. Looks are counted, not seconds (:mod:`.stops` says
why).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

LOOK_SECONDS = 5.0
LOOKS_AT_A_STANDSTILL = 6
BLOCKED, TRACED = "D", "t"
BLOCKED_GRACE = f"{LOOKS_AT_A_STANDSTILL * LOOK_SECONDS:.0f} s"
KILLED_AS_BLOCKED = f"blocked in the kernel for {BLOCKED_GRACE}, and killed for that"


class Sight(NamedTuple):
    """What is seen of a Worker."""

    state: str  # its letter (proc_pid_stat(5))
    progress: tuple[str, ...]  # counters that grow with all that it does


class Looks:
    """When to look."""

    def __init__(self, now: float) -> None:
        self._due = now + LOOK_SECONDS

    def next_deadline(self) -> float:
        """When to look next."""
        return self._due

    def is_due(self, now: float) -> bool:
        """Whether to look now; if so, the next look is a while later."""
        if now < self._due:
            return False
        self._due = now + LOOK_SECONDS
        return True


class Standstills:
    """The Workers of one host, by slot, and for how many looks on end each one has stood still."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Sight, int]] = {}

    def look(self, found: Mapping[int, Sight]) -> dict[int, str]:
        """Take in what is seen of all Workers; return what is to be done about whom.

        That is to "suspend" one that stands still, to "continue" one that no longer does, and to "abandon" one that is
        blocked and still there a look after it was killed.
        """
        before, self._seen = self._seen, {}
        verdicts = {}
        for slot, sight in found.items():
            last, looks = before.get(slot, (None, 0))
            now = looks + 1 if sight == last and sight.state in (BLOCKED, TRACED) else 0
            self._seen[slot] = sight, now
            if now == LOOKS_AT_A_STANDSTILL:
                verdicts[slot] = "suspend"
            elif now == LOOKS_AT_A_STANDSTILL + 1 and sight.state == BLOCKED:
                verdicts[slot] = "abandon"
            elif now == 0 and looks >= LOOKS_AT_A_STANDSTILL:
                verdicts[slot] = "continue"
        return verdicts

    def is_blocked(self, slot: int) -> bool:
        """Whether the Worker of this slot is killed because it was blocked."""
        sight, looks = self._seen.get(slot, (None, 0))
        return sight is not None and sight.state == BLOCKED and looks >= LOOKS_AT_A_STANDSTILL

    def forget(self, slot: int) -> None:
        """The Worker of this slot has ended."""
        self._seen.pop(slot, None)
