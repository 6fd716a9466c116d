"""Forks the host process of a joined program from its host server, or starts another interpreter for it.

The host process is to be as if the program had started it: it gets the program's environment, working directory, umask
and standard streams. Limits, niceness and the processors that it may use are those of the host server.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence

from ..wire.control import StartHost
from .identity import OURS


def fork_host(start: StartHost, streams: Sequence[int], begin: Callable[[], object]) -> int:
    """Fork a host process and return its pid. Raises OSError where none can be had.

    streams: its standard input, output and error, and the descriptors that `start` names.
    begin: runs a host process, in a process that has the code of one loaded.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _run(start, streams, begin)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        with contextlib.suppress(BaseException):
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
    finally:
        os._exit(code)


def _take_descriptors(given: Sequence[int], numbers: Sequence[int]) -> None:
    """Give these descriptors the numbers that they have in the program, and close all others."""
    above = max(numbers) + 1
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, above) for descriptor in given]
    for descriptor, number in zip(moved, numbers):
        os.dup2(descriptor, number)
    wanted = sorted(numbers)
    for before, number in zip(wanted, [*wanted[1:], os.sysconf("SC_OPEN_MAX")]):
        os.closerange(before + 1, number)


def _run(start: StartHost, streams: Sequence[int], begin: Callable[[], object]) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for ending in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(ending, signal.SIG_DFL)
    _take_descriptors(streams, [0, 1, 2, *start.descriptors])
    os.umask(start.umask)
    if start.directory:
        with contextlib.suppress(OSError):  # it was removed; Workers say so
            os.chdir(start.directory)
    if start.identity != OURS:
        words = [start.command[str(place)] for place in range(len(start.command))]
        os.execvpe(words[0], words, start.environment)
    for name in list(os.environ):
        if name not in start.environment:
            del os.environ[name]
    os.environ.update(start.environment)
    time.tzset()
    begin()
