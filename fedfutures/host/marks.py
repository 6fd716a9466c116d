"""The mark of a Worker's descendants: by it the host process finds those that have left it, and ends them with it.

A process that forks twice and calls setsid(2) is neither a child of its Worker nor in its process group, and may have
dropped its environment. Limits of resources stay: fork and exec hand them on, and only root can raise a hard one again.
So Workers get a limit of the CPU time of real-time threads (RLIMIT_RTTIME) that no process reaches, since it is
thousands of years: the hard limit is a random number of the host process, the soft one is smaller by the Worker's pid.
Others have another limit, or none. Sources: getrlimit(2), sched(7), prctl(2) on sub-reapers.
"""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any

from .system import orphans

_LIMIT = getattr(resource, "RLIMIT_RTTIME", None)
_MOST = 1 << 61
_LEAST = 1 << 50
"""So much is left of a limit that a run has that was started inside of a Worker of another one; it is 35 years."""
_PASSES = 100
_PAUSE_SECONDS = 0.002


class Mark:
    """The mark of one host process."""

    def __init__(self) -> None:
        self.number = _drawn()

    def marked(self, main: Callable[..., None]) -> Callable[..., None]:
        """Return what marks this process as a Worker, and then runs `main`."""

        def run(*given: Any) -> None:
            take_mark(self.number)
            main(*given)

        return run

    def adopted(self, living: Iterable[int]) -> dict[int, list[int]]:
        """Return which children of this process descend from which Worker, by the pids of those that live."""
        known, found = set(living), dict[int, list[int]]()
        for pid in orphans():
            if pid not in known and (worker := worker_of(pid, self.number)) in known:
                found.setdefault(worker, []).append(pid)
        return found

    def end_orphans(self, living: Iterable[int]) -> None:
        """Kill children of this process that descend from Workers which do not live any more.

        `living`: the pids of children that it has forked itself. When the end of a killed one is heard, what that one
        leaves has become a child, too.
        """
        known = set(living)
        for pid in orphans():
            if pid not in known and (worker := worker_of(pid, self.number)) and worker not in known:
                _kill(pid)


def take_mark(number: int) -> None:
    """Mark this process as a Worker, or as the template, of the host process with this number; 0: it marks none."""
    if number and _LIMIT is not None:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(_LIMIT, (number - os.getpid(), number))


def end_all(number: int) -> None:
    """Kill all processes that carry the mark of a host process, which has died, until none is left."""
    killed: set[int] = set()  # some may stay for a while, dead
    for _ in range(_PASSES if number else 0):
        found = {int(name) for name in os.listdir("/proc") if name.isdigit() and worker_of(int(name), number)}
        if found <= killed:
            return
        for pid in found - killed:
            _kill(pid)
        killed |= found
        time.sleep(_PAUSE_SECONDS)


def end_children(reap: Callable[[], object]) -> None:
    """Kill all children of this process and `reap` them; as they end, theirs become children, too."""
    for _ in range(_PASSES // 2):
        if not (left := orphans()):
            return
        for pid in left:
            _kill(pid)
        time.sleep(_PAUSE_SECONDS)
        reap()


def worker_of(pid: int, number: int) -> int:
    """Return the pid of the Worker from which a process descends; 0: none of this mark, or one that nobody may ask."""
    if not number or _LIMIT is None:
        return 0
    try:
        soft, hard = resource.prlimit(pid, _LIMIT)
    except (OSError, ValueError):
        return 0
    return hard - soft if hard == number else 0


def _drawn() -> int:
    """Return a random number that may become a limit here; 0 where there are no such limits, or it has one already."""
    if _LIMIT is None or not hasattr(resource, "prlimit"):
        return 0
    hard = resource.getrlimit(_LIMIT)[1]
    most = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    return 0 if most < _LEAST else most // 2 + secrets.randbelow(most // 2)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
