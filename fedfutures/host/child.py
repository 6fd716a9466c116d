"""A forked process, as the host process has it: its pipes, its crash cells, and the fork itself."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import RemoteProtocolError
from ..program import records
from ..wire.control import ControlFrame
from .crash_cells import SPOOL_BYTES, CrashCells
from .frame_line import FrameLine
from .lines import Lines
from .settings import Settings
from .system import FormerState, die_with_parent, restore_core_dumps

_F_SETPIPE_SZ = 1031  # fcntl has a name for it from Python 3.10 on, but not everywhere
PIPE_BYTES = 1 << 18
ChildMain = Callable[[Settings, dict[str, Any], str, int, CrashCells, int], None]
"""What a forked child runs: with settings, facts of the host, its name, its control pipe, its cells, its dump."""


class Child:
    """A forked process and the host's ends of its pipes. `slot` is a Worker's slot, or a Broker's index."""

    def __init__(
        self, role: str, name: str, slot: int, pid: int, control: int, cells: CrashCells, dump: int, poller: select.poll
    ) -> None:  # fmt: skip
        self.role, self.name, self.slot, self.pid, self.control = role, name, slot, pid, control
        self.cells, self.dump = cells, dump
        self._line = FrameLine(control, control, poller)
        self.malformed = 0  # how often it has sent what is no frame
        self.outputs: dict[int, tuple[int, Lines]] = {}  # descriptor -> (1, 2, or 3 for log records, lines)
        self._read, self._last_read, self._last_size = 0, deque[bytes](), 0  # of its standard output

    def note_read(self, data: bytes) -> None:
        """This came of its standard output; as much is remembered as it may have begun to write when it dies."""
        last = self._last_read
        self._read += len(data)
        self._last_size += len(data)
        last.append(data)
        while self._last_size - len(last[0]) >= SPOOL_BYTES:
            self._last_size -= len(last.popleft())

    def spooled(self) -> bytes:
        """Return what it has printed and not written, once it has died and all that it has written was read."""
        return self.cells.spooled(self._read, b"".join(self._last_read))

    def tell(self, frame: ControlFrame) -> None:
        """Send a frame over the control pipe. What does not fit in waits: the child may be stopped."""
        self._line.send(frame)

    def serve(self, events: int) -> list[ControlFrame]:
        """Do what the control pipe is ready for; return the frames that the child has sent.

        The pipe of a child that sends anything else is closed, by which it ends.
        """
        self._line.flush()
        data = self._line.receive() if events & (select.POLLIN | select.POLLHUP) else None
        if data == b"":  # it is ending, which will be seen another way
            self._line.let_go()
        try:
            return self._line.reader.feed(data) if data else []
        except RemoteProtocolError:
            self.malformed += 1
            self.hang_up()
            return []

    def hang_up(self) -> None:
        """Close the control pipe: the child ends when it sees that."""
        if self.control >= 0:
            self._line.let_go()
            os.close(self.control)
            self.control = -1

    def read_dump(self) -> str:
        """Return what faulthandler has written."""
        return os.pread(self.dump, 16 << 10, 0).decode("utf-8", "replace") if self.dump > 2 else ""

    def close(self) -> None:
        """The child has ended, and all is known of it."""
        self.hang_up()
        os.close(self.dump)
        self.cells.close()

    def let_go(self) -> None:
        """In a process that was forked later: close what is the host process's."""
        for descriptor in (self.control, self.dump, *self.outputs):
            if descriptor >= 0:
                os.close(descriptor)


def fork_child(
    role: str, main: ChildMain, name: str, slot: int, settings: Settings, facts: dict[str, Any],
    others: Iterable[Child], former: FormerState, poller: select.poll,
) -> Child:  # fmt: skip
    """Fork a Broker or a Worker and run its `main`; returns in the host process only.

    `former` is what Workers are to have again (:func:`.system.restore_core_dumps`).
    """
    control, control_theirs = (end.detach() for end in socket.socketpair())
    cells, dump = CrashCells(), os.memfd_create("dump") if hasattr(os, "memfd_create") else os.dup(2)
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)] if role == "worker" else []
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        code = 1
        try:
            if role == "worker":
                die_with_parent(parent)
                restore_core_dumps(former)
            _become(role, control, [write for _, write in pipes], others, former)
            if pipes:
                records.send_by(functools.partial(_write_all, pipes[2][1]))
            for descriptor in settings.descriptors if role == "broker" else ():
                os.close(descriptor)
            main(settings, facts, name, control_theirs, cells, dump)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    os.close(control_theirs)
    child = Child(role, name, slot, pid, control, cells, dump, poller)
    for stream, (read, write) in enumerate(pipes, 1):
        with contextlib.suppress(OSError):  # the user has many already
            fcntl.fcntl(read, _F_SETPIPE_SZ, PIPE_BYTES)
        os.close(write)
        os.set_blocking(read, False)
        child.outputs[read] = (stream, Lines(time.monotonic()))
    return child


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _become(role: str, control: int, outputs: list[int], others: Iterable[Child], former: FormerState) -> None:
    """In the child: let go of everything of the parent's.

    What whoever started the run has ignored stays ignored, as ``nohup`` and a shell's ``&`` want it.
    """
    signal.set_wakeup_fd(-1)
    for handled in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(handled, signal.SIG_IGN if handled in former.ignored else signal.SIG_DFL)
    if role == "worker" and signal.SIGINT not in former.ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpgid(0, 0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    for number, descriptor in enumerate(outputs[:2] or [2, 2], 1):
        os.dup2(descriptor, number)
    for child in others:
        child.let_go()
    for descriptor in (null, control, *outputs[:2]):
        os.close(descriptor)
