"""How long a child may be stopped by a signal (SIGSTOP) before it is killed. Pure.

A stopped process neither works nor ends. The time is counted in looks, not by the clock: if the host process was
stopped as well, with its container or its machine, nobody knows for how long the child was.
"""

from __future__ import annotations

LOOK_SECONDS = 0.5
VIGIL_SECONDS = 1.0
LOOKS_AT_A_STOPPED_CHILD = 10
"""Long enough for who stops a process to copy or inspect it, short enough for who waits for its Futures."""
STOP_GRACE = f"{LOOKS_AT_A_STOPPED_CHILD * LOOK_SECONDS:.0f} s"
KILLED_FOR_THAT = f"stopped for {STOP_GRACE}, and killed for that"


class Stop:
    """One child is stopped."""

    __slots__ = ("due", "looks")

    def __init__(self, now: float) -> None:
        self.looks = 0
        self.due: float | None = now + LOOK_SECONDS  # None: it is to be killed

    @property
    def is_over(self) -> bool:
        """Whether it is to be killed, or was."""
        return self.due is None

    def look(self, now: float) -> int:
        """Look at it if that is due; return how many looks that makes, 0 if it is not due."""
        if self.due is None or now < self.due:
            return 0
        self.looks += 1
        self.due = now + LOOK_SECONDS if self.looks < LOOKS_AT_A_STOPPED_CHILD else None
        return self.looks


class Vigil:
    """Looks at a process that is no child, again and again: the kernel reports the stop of children only."""

    def __init__(self) -> None:
        self._stop: Stop | None = None

    def look(self, is_stopped: bool, now: float) -> str:
        """Return what is to be done: "say" that it is stopped, "continue" it after too long a time, or ""."""
        if not is_stopped:
            self._stop = None
        elif self._stop is None:
            self._stop = Stop(now)
            return "say"
        elif self._stop.look(now) and self._stop.is_over:
            self._stop = None
            return "continue"
        return ""

    def pause(self) -> float:
        """Return how many seconds to wait before the next look."""
        return VIGIL_SECONDS if self._stop is None else LOOK_SECONDS
