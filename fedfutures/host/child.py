"""A forked process, as the host process has it: its pipes, its black box, and the fork itself."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ..program import records
from ..wire.control import ControlFrame
from ..wire.framing import FrameReader, pack
from .blackbox import SPOOL_BYTES, BlackBox
from .output import Lines
from .settings import Settings
from .system import Usual, be_usual, die_with_parent

_F_SETPIPE_SZ = 1031  # fcntl has a name for it from Python 3.10 on, but not everywhere
PIPE_BYTES = 1 << 18
CHILDREN = {"broker": "fedfutures.broker.shell", "worker": "fedfutures.worker.process"}
"""Modules with a ``main(...)`` that a forked child runs. Named, not imported: this package stands below theirs."""


class Child:
    """A forked process and the host's ends of its pipes. `slot` is a Worker's slot, or a Broker's index."""

    def __init__(self, role: str, name: str, slot: int, pid: int, control: int, box: BlackBox, dump: int) -> None:
        self.role, self.name, self.slot, self.pid, self.control = role, name, slot, pid, control
        self.box, self.dump = box, dump
        self.outputs: dict[int, tuple[int, Lines]] = {}  # descriptor -> (1, 2, or 3 for log records, lines)
        self.listens = role == "broker"  # whether the host process listens to what it says over its control pipe
        self._read, self._last_read, self._last_size = 0, deque[bytes](), 0  # of its standard output
        self._heard = FrameReader()
        self._unsaid = bytearray()

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
        return self.box.spooled(self._read, b"".join(self._last_read))

    def tell(self, frame: ControlFrame, poller: select.poll) -> None:
        """Send a frame over the control pipe. What does not fit in waits: the child may be stopped."""
        if self.control >= 0:
            self._unsaid += pack(frame)
            self.say_on(poller)

    def say_on(self, poller: select.poll) -> None:
        """Send what waits."""
        try:
            while self._unsaid:
                del self._unsaid[: os.write(self.control, self._unsaid[: 1 << 16])]
        except BlockingIOError:
            poller.register(self.control, select.POLLOUT | (select.POLLIN if self.listens else 0))
            return
        except OSError:  # it has ended
            self._unsaid.clear()
        if self.listens:
            poller.register(self.control, select.POLLIN)
            return
        with contextlib.suppress(KeyError):
            poller.unregister(self.control)

    def hear(self, poller: select.poll) -> list[ControlFrame]:
        """Return what the child has said over its control pipe."""
        try:
            data = os.read(self.control, 1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:  # it is ending, which will be heard another way
            self.listens = False
            with contextlib.suppress(KeyError):
                poller.unregister(self.control)
        return self._heard.feed(data)

    def hang_up(self, poller: select.poll) -> None:
        """Close the control pipe: the child ends when it sees that."""
        if self.control >= 0:
            with contextlib.suppress(KeyError):
                poller.unregister(self.control)
            os.close(self.control)
            self.control = -1

    def let_go(self) -> None:
        """In a process that was forked later: close what is the host process's."""
        for descriptor in (self.control, self.dump, *self.outputs):
            if descriptor >= 0:
                os.close(descriptor)


def fork_child(
    role: str, name: str, slot: int, settings: Settings, facts: dict[str, Any], others: Iterable[Child],
    usual: Usual,
) -> Child:  # fmt: skip
    """Fork a Broker or a Worker and run it; returns in the host process only.

    `usual` is what the host process has kept of what Workers are to have again (:func:`.system.be_usual`).
    """
    main: Callable[..., None] = importlib.import_module(CHILDREN[role]).main
    control, control_theirs = (end.detach() for end in socket.socketpair())
    box, dump = BlackBox(), os.memfd_create("dump") if hasattr(os, "memfd_create") else os.dup(2)
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)] if role == "worker" else []
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        code = 1
        try:
            if role == "worker":
                die_with_parent(parent)
                be_usual(usual)
            _become(role, control, [write for _, write in pipes], others, usual)
            if pipes:
                records.write = functools.partial(_write_all, pipes[2][1])
            for descriptor in settings.descriptors if role == "broker" else ():
                os.close(descriptor)
            main(settings, facts, name, control_theirs, box, dump)
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
    os.set_blocking(control, False)
    child = Child(role, name, slot, pid, control, box, dump)
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


def _become(role: str, control: int, outputs: list[int], others: Iterable[Child], usual: Usual) -> None:
    """In the child: let go of everything of the parent's.

    What whoever started the run has ignored stays ignored, as ``nohup`` and a shell's ``&`` want it.
    """
    signal.set_wakeup_fd(-1)
    for handled in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(handled, signal.SIG_IGN if handled in usual.ignored else signal.SIG_DFL)
    if role == "worker" and signal.SIGINT not in usual.ignored:
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
