"""What the launching side needs to start a host process again as it has started the first one, and to bury the last."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..supervision.attempts import status_of
from ..supervision.revival import Revival
from .here import directory_here
from .marks import end_all
from .system import end_session

END_SECONDS = 5.0


class EndOfLife(NamedTuple):
    """How a host process has ended, and what follows."""

    status: str  # for people
    pause: float = 0.0  # seconds until the next one is started
    why: str | None = None  # why there is no next one


class Lives:
    """The environment, the directory and the descriptors of the first start, and the rules (:class:`Revival`)."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        self.rules = Revival()
        self._descriptors = {descriptor: _identity(descriptor) for descriptor in descriptors}
        self._environment = dict(os.environ)
        self._directory = directory_here()

    def options(self) -> dict[str, Any]:
        """Return the options of ``subprocess.Popen`` for the next start: the program may have changed its own state."""
        directory = self._directory
        exists = directory is not None and os.path.isdir(directory)
        return {"env": self._environment, "cwd": directory if exists else None, "pass_fds": list(self._descriptors)}

    def bury(self, process: subprocess.Popen[bytes], mark: int) -> EndOfLife:
        """Kill what is left of a host process and of all below it, wait for that, and say what follows.

        `mark`: of what its Workers have started (:mod:`.marks`).

        Only then the next one may start: of two Brokers at one address each would have a part of the nodes.
        """
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has closed its pipe, so it hears nobody any more
                os.kill(process.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError, subprocess.TimeoutExpired):  # the program has reaped it
                if isinstance(process, subprocess.Popen):
                    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                else:  # somebody else's child
                    process.wait(END_SECONDS)
                end_session(process.pid, END_SECONDS)
            end_all(mark)
        code = process.wait()
        status = status_of(code)
        if any(_identity(descriptor) != known for descriptor, known in self._descriptors.items()):
            return EndOfLife(status, why="a queue, pipe or value in initargs, which the next one needs, was closed")
        verdict = self.rules.on_ended(code, time.monotonic())
        return EndOfLife(status, why=verdict) if isinstance(verdict, str) else EndOfLife(status, verdict)


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
