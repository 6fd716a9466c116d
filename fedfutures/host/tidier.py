"""The process that removes what a run leaves on a host where a batch system has killed all other processes at once.

It is started in batch jobs alone, and does nothing until then. Where batch systems kill by process groups, sessions or
descent, it is not found: its parent is gone, and its session is its own. Where they kill by control group it ends with
the others, and their directories stay for the next run (:mod:`.directories`). The others inherit the write end of a
pipe, so it sees them end without looking.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence

from .directories import Hold
from .system import name_process, subreaper_paused

LATE_SECONDS = 1.0
"""For so long after the end of the host process and of all below it the Origin may still be ending."""


def start_tidier(paths: Sequence[str]) -> None:
    """Start one for directories that this process holds. One end of the pipe stays open, for the others to inherit."""
    with contextlib.suppress(OSError):  # the machine has no process for it: then nobody tidies up
        read, _ = os.pipe2(os.O_CLOEXEC)
        try:
            with subreaper_paused():
                pid = os.fork()
                if not pid:
                    _part(paths, read)
                os.waitpid(pid, 0)
        finally:
            os.close(read)


def _part(paths: Sequence[str], read: int) -> None:
    """Leave the session and the parent of the process that has forked this one; never return."""
    code = 1
    try:
        os.setsid()
        if not os.fork():
            _wait_and_tidy(paths, read)
        code = 0
    finally:
        os._exit(code)


def _wait_and_tidy(paths: Sequence[str], read: int) -> None:
    name_process("fedfut-tidier")
    signal.set_wakeup_fd(-1)
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    pipe = os.dup(read)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    for number in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, pipe}:
        with contextlib.suppress(OSError):
            os.close(number)
    os.read(pipe, 1)
    deadline = time.monotonic() + LATE_SECONDS
    hold = Hold(paths)  # only now: what this one holds, nobody else could remove
    hold.remove_if_last(max(0.0, deadline - time.monotonic()))
