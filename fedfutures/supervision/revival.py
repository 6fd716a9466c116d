"""Whether the Origin starts the host process of its machine again, and when it gives up (docs/faults.rst). Pure.

One that had settled is started again at once, one that somebody kills sooner with longer and longer pauses; too many
ends of its own show a fault that another start does not mend (:mod:`.attempts`).
"""

from __future__ import annotations

from .attempts import ENDS_LIMIT, GIVE_UP_SECONDS, Restarts, status_of


class Revival:
    """The lives of one host process, one after the other."""

    __slots__ = ("_ready_at", "_restarts", "is_over", "lives")

    def __init__(self) -> None:
        self._restarts = Restarts()
        self._ready_at: float | None = None
        self.lives = 0  # how often it was started again
        self.is_over = False  # it ends the run itself, and has said why

    @property
    def is_ready(self) -> bool:
        """Whether the one that was started last has become ready."""
        return self._ready_at is not None

    def on_ready(self, now: float) -> None:
        """Its Brokers and Workers are being started."""
        self._ready_at = now

    def on_given_up(self) -> None:
        """It cannot keep a Broker or any Worker running, so it ends the run."""
        self.is_over = True

    def on_ended(self, code: int, now: float) -> float | str:
        """It has ended; return the seconds to wait before the next start, or why there is none ("" was said)."""
        lived = 0.0 if self._ready_at is None else now - self._ready_at
        self._ready_at = None
        if self.is_over:
            return ""
        has_settled = self._restarts.ended(code, lived, now)
        if self._restarts.crashed_within(now) is not None or self._restarts.own >= ENDS_LIMIT:
            return f"it ended {ENDS_LIMIT} times in a short time; last: {status_of(code)}"
        if self._restarts.is_hopeless(now):
            return f"it was ended as soon as it began, for {GIVE_UP_SECONDS:.0f} s; last: {status_of(code)}"
        self.lives += 1
        return 0.0 if has_settled else self._restarts.next_delay()
