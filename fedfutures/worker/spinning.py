"""For how long whoever waits for a lane looks at it before sleeping: a sleep and a wake-up take longer than most calls.

Looking takes a processor, so it is done for a moment only, while calls follow each other at once, and while no other
process or thread could use that processor. ``FEDFUTURES_SPIN=0`` switches it off.
"""

from __future__ import annotations

import os
import threading

from ..host.system import number_behind, processors, words_in

SPIN_SECONDS = 100e-6
SHORT_SECONDS = 500e-6
"""What came later than this is not looked for: it was asleep, too."""
LOOK_AGAIN_SECONDS = 0.1
"""So often it is looked whether others want a processor."""
THROTTLED_SECONDS = 5.0
"""For so long nobody looks after the control group was throttled."""
OWN_THREADS = "fedfutures"


class Spinning:
    """Whether, and for how long, one node looks at its lane."""

    __slots__ = ("_gap", "_is_on", "_is_quiet", "_look_at", "_processors", "_quiet_from", "_throttled")

    def __init__(self) -> None:
        self._is_on = os.environ.get("FEDFUTURES_SPIN", "1") != "0"
        self._gap = 0.0  # how long it took lately until something came
        self._is_quiet = False  # whether nobody else wants a processor
        self._look_at = self._quiet_from = 0.0
        self._processors = 0
        self._throttled: int | None = None

    def seconds(self, now: float) -> float:
        """Return for how many seconds to look now."""
        if not self._is_on or self._gap > SHORT_SECONDS:
            return 0.0
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN_SECONDS
            self._is_quiet = self._look(now)
        return SPIN_SECONDS if self._is_quiet else 0.0

    def came(self, waited: float) -> None:
        """Something has come after so many seconds."""
        self._gap = waited

    def _look(self, now: float) -> bool:
        if not self._processors:
            self._processors = processors()
        throttled = number_behind("nr_throttled", "/sys/fs/cgroup/cpu.stat")
        if throttled != self._throttled:
            if self._throttled is not None:
                self._quiet_from = now + THROTTLED_SECONDS
            self._throttled = throttled
        others = sum(not thread.name.startswith(OWN_THREADS) for thread in threading.enumerate()) - 1
        return now >= self._quiet_from and others <= 0 and running() <= self._processors


def running() -> int:
    """Return how many threads of this machine run or want to, this one among them (proc_loadavg(5)); 1: not known.

    >>> running() >= 1
    True
    """
    words = words_in("/proc/loadavg")
    count = words[3].partition("/")[0] if len(words) > 3 else ""
    return max(1, int(count)) if count.isdigit() else 1
