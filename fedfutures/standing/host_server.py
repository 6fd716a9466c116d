"""The host server: on each host of a standing Federation, it forks the host processes of the programs that join.

It has loaded the code of host processes, Brokers and Workers, has one thread and no ZeroMQ context, so a fork of it is
a host process within milliseconds. Programs come to its *door*, a socket in a private directory. It knows of a run only
its host process: what runs there belongs to the program, so neither the end of the host server nor that of another
program touches it. It also says how many of the host's slots each run has (:mod:`~fedfutures.supervision.allotment`).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from .. import limits
from ..errors import RemoteProtocolError
from ..host.reattach import DOOR, open_door
from ..host.system import wake_for_children
from ..supervision.allotment import Allotment
from ..wire.control import (
    ControlFrame,
    HostProcessEnded,
    HostStarted,
    NoWorkersLeft,
    ResizeHost,
    RunReport,
    StartHost,
    StartRefused,
)
from .forking import fork_host
from .visitors import DoorVisitor

BACKLOG = 128
LAST_WORD_SECONDS = 1.5
"""For so long host processes may take to end when their host server ends; it kills them then."""


class HostServer:
    """The door in `directory`, and who comes to it. `begin` runs a host process in a forked process.

    on_other: called with each frame that is not the host server's own, and who has sent it.
    """

    def __init__(
        self, directory: str, slots: int, begin: Callable[[], object],
        on_other: Callable[[DoorVisitor, ControlFrame], None],
    ) -> None:  # fmt: skip
        self.allotment = Allotment(slots)
        self.poller = select.poll()
        self.runs: dict[str, dict[str, Any]] = {}  # what each has reported, by name
        self.malformed = 0  # visitors who said what is no frame
        self._begin, self._on_other = begin, on_other
        self._visitors: dict[int, DoorVisitor] = {}  # by descriptor
        self._processes: dict[int, DoorVisitor | None] = {}  # host processes, by pid: for whom
        self.door = os.path.join(directory, DOOR)
        with contextlib.suppress(FileNotFoundError):  # of a host server that was killed
            os.unlink(self.door)
        self._socket = open_door(directory, self.poller, BACKLOG)
        self._wake = wake_for_children()
        self.poller.register(self._wake, select.POLLIN)

    # -- the loop ----------------------------------------------------------------------------------------------------

    def wait(self, deadline: float | None) -> None:
        """Serve until something happens, or the deadline comes."""
        times = [at for at in (deadline, self.allotment.next_deadline()) if at is not None]
        seconds = max(0.0, min(times) - time.monotonic()) if times else None
        for descriptor, events in self.poller.poll(None if seconds is None else seconds * 1000 + 1):
            if descriptor == self._socket.fileno():
                self._accept()
            elif descriptor == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                self._reap()
            elif (visitor := self._visitors.get(descriptor)) is not None:
                self._serve(visitor, events)
        self._allot()

    def _accept(self) -> None:
        with contextlib.suppress(OSError, RemoteProtocolError):
            connection, _ = self._socket.accept()
            visitor = DoorVisitor(connection, self.poller)
            self._visitors[visitor.descriptor] = visitor

    def _serve(self, visitor: DoorVisitor, events: int) -> None:
        try:
            if events & select.POLLOUT:
                visitor.flush()
            frames = visitor.receive() if events & ~select.POLLOUT else []
            if frames is None:
                self._leave(visitor)
                return
            for frame in frames:
                self._on_frame(visitor, frame)
        except Exception as error:
            self.malformed += 1
            if not isinstance(error, RemoteProtocolError):  # our own fault: it costs this visitor alone its connection
                print(f"fedfutures: what process {visitor.pid} said raised {error!r}", file=sys.stderr, flush=True)
            self._leave(visitor)

    def _leave(self, visitor: DoorVisitor) -> None:
        self._visitors.pop(visitor.descriptor, None)
        if visitor.run and not any(other.run == visitor.run for other in self._visitors.values()):
            self.allotment.leave(visitor.run, time.monotonic())
            del self.runs[visitor.run]
        if self._processes.get(visitor.process) is visitor:
            self._processes[visitor.process] = None
        visitor.close()

    def _on_frame(self, visitor: DoorVisitor, frame: ControlFrame) -> None:
        if isinstance(frame, StartHost):
            self._start(visitor, frame)
        elif isinstance(frame, RunReport):
            self._on_report(visitor, frame)
        else:
            self._on_other(visitor, frame)

    # -- host processes ----------------------------------------------------------------------------------------------

    def _start(self, visitor: DoorVisitor, frame: StartHost) -> None:
        streams = visitor.take_streams()
        try:
            if len(streams) != 3 + len(frame.descriptors) or visitor.process:
                raise RemoteProtocolError("a host process needs its streams, and a connection of its own")
            pid = fork_host(frame, streams, self._begin)
        except OSError as error:
            visitor.send(StartRefused(limits.reached(error) or str(error), 1, {}))
        else:
            visitor.await_process(pid)
            self._processes[pid] = visitor
            visitor.send(HostStarted(pid))
        finally:
            for stream in streams:
                os.close(stream)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                visitor = self._processes.pop(pid, None)
                if visitor is not None:
                    visitor.send(HostProcessEnded(os.waitstatus_to_exitcode(status)))

    # -- shares ------------------------------------------------------------------------------------------------------

    def _on_report(self, visitor: DoorVisitor, frame: RunReport) -> None:
        now = time.monotonic()
        if not visitor.run:
            visitor.report_for(frame.run)
            if frame.run not in self.runs:
                self.allotment.join(frame.run, now)
                self.runs[frame.run] = {"since": time.time(), "pid": visitor.pid}
        if visitor.run != frame.run:
            raise RemoteProtocolError("a host process speaks for another run")
        self.allotment.report(frame.run, frame.wanted, frame.workers, now, frame.told)
        self.runs[frame.run] |= {"program": frame.program, "wanted": frame.wanted, "workers": frame.workers}

    def _allot(self) -> None:
        changed = self.allotment.tick(time.monotonic())
        for visitor in self._visitors.values():
            if visitor.run in changed:
                visitor.send(ResizeHost(changed[visitor.run]))

    @property
    def is_used(self) -> bool:
        """Whether a program has joined."""
        return bool(self._processes or self.runs)

    # -- the end -----------------------------------------------------------------------------------------------------

    def end(self, reason: str) -> None:
        """End all host processes, and those whose host server was killed; their programs learn the reason."""
        self.poller.unregister(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self.door)
        self.say_why(reason)
        deadline = time.monotonic() + LAST_WORD_SECONDS
        while (self._processes or self._reporting()) and time.monotonic() < deadline:
            for descriptor, events in self.poller.poll(50):
                if descriptor == self._wake:
                    os.read(self._wake, 4096)
                elif descriptor in self._visitors:
                    self._serve(self._visitors[descriptor], events)
            self._reap()
        for pid in {*self._processes, *(visitor.pid for visitor in self._reporting())}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        for visitor in self._visitors.values():
            visitor.close()

    def say_why(self, reason: str) -> None:
        """Tell all runs why they end."""
        for visitor in self._reporting():
            visitor.send(NoWorkersLeft(reason))

    def _reporting(self) -> list[DoorVisitor]:
        return [visitor for visitor in self._visitors.values() if visitor.run]
