"""A forked process as its host process sees it: the fork, pipes and crash cells."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import failpoints, limits
from ..errors import RemoteProtocolError
from ..program import records
from ..supervision.overruns import AloneFuture
from ..wire.control import ControlFrame
from .crash_cells import SPOOL_BYTES, CrashCells
from .frame_line import FrameLine
from .inherited import HasDescriptors
from .lines import Lines
from .settings import Settings
from .system import FormerState, die_with_parent, offer_memory, restore_core_dumps, write_all

_F_SETPIPE_SZ = 1031  # fcntl has a name for it from Python 3.10 on, but not everywhere
PIPE_BYTES = 1 << 18
OUTPUT_PIPES = 3
"""Of a Worker: its standard output, its standard error, and its log records."""
_PIPES = {"broker": 0, "template": 2, "worker": OUTPUT_PIPES}
ChildMain = Callable[[Settings, dict[str, Any], str, int, CrashCells, int], None]
"""What a forked child runs: (settings, facts of the host, name, control pipe, crash cells, descriptor of the dump)."""


class Child:
    """A forked process and the host process's ends of its pipes. `slot`: of a Worker; of a Broker its index.

    Its role is "broker", "worker" or "template".
    """

    def __init__(
        self, role: str, name: str, slot: int, pid: int, control: int, cells: CrashCells, dump: int, poller: select.poll
    ) -> None:  # fmt: skip
        self.role, self.name, self.slot, self.pid, self.control = role, name, slot, pid, control
        self.cells, self.dump = cells, dump
        self._line = FrameLine(control, control, poller)
        self.malformed = 0  # how often it has sent what is no frame
        self.outputs: dict[int, tuple[int, Lines]] = {}  # descriptor -> (1, 2, or 3 for log records, lines)
        self.stopped_itself = False  # the last time that it was stopped, or nobody knows
        self._read, self._last_read = 0, b""  # of its standard output: how many bytes, and the last ones

    def alone(self) -> AloneFuture | None:
        """Return the Future that has it to itself and is open."""
        found = self.cells.alone()
        return None if found is None else AloneFuture(found[0], found[1], found[2] / 1e9)

    def note_stop(self, *, itself: bool) -> None:
        """It was stopped by a signal."""
        self.stopped_itself = itself

    def note_read(self, data: bytes) -> None:
        """Remember the last bytes of its standard output, as many as it may be writing when it dies."""
        self._read += len(data)
        self._last_read = (self._last_read + data)[-SPOOL_BYTES:]

    def spooled(self) -> bytes:
        """Return what it has printed and not written; it has died, and all that it has written was read."""
        return self.cells.spooled(self._read, self._last_read)

    @failpoints.delayed("host.tell_child")
    def tell(self, frame: ControlFrame) -> None:
        """Send a frame over the control pipe; what does not fit waits, for the child may be stopped."""
        self._line.send(frame)
        self.cells.note_told()

    @failpoints.delayed("host.serve_child")
    def serve(self, events: int) -> list[ControlFrame]:
        """Flush and read the control pipe; return its frames. A child that sends anything else is hung up on."""
        self._line.flush()
        data = self._line.receive() if events & (select.POLLIN | select.POLLHUP) else None
        if data == b"":  # the child is ending: SIGCHLD tells
            self._line.let_go()
        try:
            return self._line.reader.feed(data) if data else []
        except RemoteProtocolError:
            self.malformed += 1
            self.hang_up()
            return []

    def hang_up(self) -> None:
        """Close the control pipe, upon which the child ends."""
        if self.control >= 0:
            self._line.let_go()
            os.close(self.control)
            self.control = -1

    def read_dump(self) -> str:
        """Return what faulthandler has written."""
        return os.pread(self.dump, 16 << 10, 0).decode("utf-8", "replace") if self.dump > 2 else ""

    def empty_dump(self) -> None:
        """Forget what faulthandler has written, of a child that lives."""
        if hasattr(os, "memfd_create"):
            os.ftruncate(self.dump, 0)
            os.lseek(self.dump, 0, os.SEEK_SET)  # which the child writes at, too

    def limit_met(self, code: int) -> str:
        """Return which limit of the machine it has met, if it has ended with this code; "": none."""
        return self.read_dump() if code == limits.LIMIT_EXIT_CODE else ""

    def printed(self, piece: int, number: int) -> dict[str, Any]:
        """Return the fields of a frame that say what this Future had printed; none where that is not kept."""
        texts = self.cells.printed(piece, number)
        return {} if texts is None else {"printed": [piece, number], "out": texts[0], "err": texts[1]}

    def close(self) -> None:
        """Close what is left of a child that has ended."""
        self.hang_up()
        os.close(self.dump)
        self.cells.close()

    def let_go(self) -> None:
        """Close the host process's ends, in a process that it has forked later."""
        for descriptor in (self.control, self.dump, *self.outputs):
            if descriptor >= 0:
                os.close(descriptor)


@failpoints.failing("host.fork", errno.EAGAIN)
def fork_child(
    role: str, main: ChildMain, name: str, slot: int, settings: Settings, facts: dict[str, Any],
    others: Iterable[HasDescriptors], former: FormerState, poller: select.poll,
) -> Child:  # fmt: skip
    """Fork a Broker, a Worker or a template, which runs `main`; return in the host process only.

    What runs the program restores `former`.

    The descriptors of `others` are the host process's own: the child closes them. Raises OSError where the machine has
    no descriptors, memory or processes for it; then nothing is left behind.
    """
    parent, cells = os.getpid(), CrashCells()
    pid, control, control_theirs, dump, *ends = _open_and_fork(cells, _PIPES[role])
    pipes = list(zip(ends[::2], ends[1::2]))
    if pid == 0:
        code = 1
        try:
            if role != "broker":
                die_with_parent(parent)
            _become(role, control, [write for _, write in pipes], others, former)
            if role != "broker":  # now that descriptors are free: the former limit of them may be low
                restore_core_dumps(former)
                offer_memory(former)
            if role == "worker":
                records.send_by(functools.partial(write_all, pipes[2][1]))
            for descriptor in settings.descriptors if role == "broker" else ():
                os.close(descriptor)
            main(settings, facts, name, control_theirs, cells, dump)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException as error:
            code = report_end(error, dump)
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    return child_of([pid, control, control_theirs, dump, *ends], role, name, slot, cells, poller)


def child_of(
    opened: list[int], role: str, name: str, slot: int, cells: CrashCells, poller: select.poll
) -> Child:  # fmt: skip
    """Return a child that was forked, with the host process's ends; close its own. `opened`: its pid, and all ends."""
    pid, control, control_theirs, dump, *ends = opened
    os.close(control_theirs)
    child = Child(role, name, slot, pid, control, cells, dump, poller)
    for stream, (read, write) in enumerate(zip(ends[::2], ends[1::2]), 1):
        with contextlib.suppress(OSError):  # the user's pipes take all the room that the system grants
            fcntl.fcntl(read, _F_SETPIPE_SZ, PIPE_BYTES)
        os.close(write)
        os.set_blocking(read, False)
        child.outputs[read] = (stream, Lines(time.monotonic()))
    return child


def _open_and_fork(cells: CrashCells, pipes: int) -> list[int]:
    """Return the result of the fork, both ends of the control pipe, the dump, and both ends of each of the pipes."""
    with closed_if_it_fails(cells) as opened:
        open_ends(opened, pipes)
        return [os.fork(), *opened]


@contextlib.contextmanager
def closed_if_it_fails(cells: CrashCells) -> Iterator[list[int]]:
    """Give a list of descriptors; they are closed, as the cells are, if an OSError is raised within this."""
    opened: list[int] = []
    try:
        yield opened
    except OSError:
        cells.close()
        for descriptor in opened:
            os.close(descriptor)
        raise


def open_ends(opened: list[int], pipes: int) -> None:
    """Append both ends of a control pipe, the dump, and both ends of so many pipes for output."""
    opened += (end.detach() for end in socket.socketpair())
    opened.append(os.memfd_create("dump") if hasattr(os, "memfd_create") else os.dup(2))
    for _ in range(pipes):
        opened += os.pipe2(os.O_CLOEXEC)


def report_end(error: BaseException, dump: int) -> int:
    """Say why this child ends, in its dump where it has met a limit of the machine; return its exit code."""
    if why := limits.reached(error):
        with contextlib.suppress(OSError):
            os.pwrite(dump, why.encode(), 0)
            return limits.LIMIT_EXIT_CODE
    sys.excepthook(type(error), error, error.__traceback__)
    return 1


def _become(role: str, control: int, outputs: list[int], others: Iterable[HasDescriptors], former: FormerState) -> None:
    """Drop the parent's signal handlers and descriptors, in the child.

    Signals that were ignored when the run started stay ignored, as under ``nohup`` or a shell's ``&``. A Broker ends
    with its host process and by no signal: one that comes to all processes at once is the program's to answer.
    """
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        stays = role == "broker" or ending in former.ignored
        signal.signal(ending, signal.SIG_IGN if stays else signal.SIG_DFL)
    if role != "broker" and signal.SIGINT not in former.ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpgid(0, 0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    for number, descriptor in enumerate(outputs[:2] or [2, 2], 1):
        os.dup2(descriptor, number)
    for other in others:
        other.let_go()
    for descriptor in (null, control, *outputs[:2]):
        os.close(descriptor)
