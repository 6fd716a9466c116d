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
from ..host.reattach import open_door
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

SERVER_DOOR = "server"
BACKLOG = 128
LAST_WORD_SECONDS = 1.5
"""For so long host processes may take to end when their host server ends; it kills them then."""
GREETING_SECONDS = 10.0
"""Who has not said by then that it is fedfutures is hung up on."""
SETTLE_SECONDS = 0.75
"""For so long a host server that takes over waits for the runs of the last one, before it gives away what is free."""
SAID_AT_MOST = 1000
PAUSE_SECONDS = 0.5
"""For so long nobody is let in when the machine has no descriptors left."""


class HostServer:
    """The door in `directory`, and who comes to it. `begin` runs a host process in a forked process.

    on_other: called with each frame that is not the host server's own, and who has sent it. `say`: adds to the log.
    `waits`: runs of a host server that was killed are to come first.
    """

    def __init__(
        self, directory: str, slots: int, begin: Callable[[], object],
        on_other: Callable[[DoorVisitor, ControlFrame], None], say: Callable[[str], None] | None = None, *,
        waits: bool = False,
    ) -> None:  # fmt: skip
        self.allotment = Allotment(slots)
        self.poller = select.poll()
        self.runs: dict[str, dict[str, Any]] = {}  # what each has reported, by name
        self.malformed = 0  # visitors who said what is no frame
        self._begin, self._on_other, self._say = begin, on_other, say or _print
        self._ending = ""  # why
        self._opens_at: float | None = None  # the door, when the machine has descriptors again
        self._settled_at = time.monotonic() + SETTLE_SECONDS if waits else 0.0
        self._visitors: dict[int, DoorVisitor] = {}  # by descriptor
        self._processes: dict[int, DoorVisitor | None] = {}  # host processes, by pid: for whom
        self._children: dict[int, Callable[[int], object]] = {}  # other ones, by pid: who is told the exit code
        self.door = os.path.join(directory, SERVER_DOOR)
        with contextlib.suppress(FileNotFoundError):  # of a host server that was killed
            os.unlink(self.door)
        self._socket = open_door(directory, self.poller, BACKLOG, SERVER_DOOR)
        self._wake = wake_for_children()
        self.poller.register(self._wake, select.POLLIN)

    # -- the loop ----------------------------------------------------------------------------------------------------

    def wait(self, deadline: float | None) -> list[tuple[int, int]]:
        """Serve until something happens, or the deadline comes; return others' descriptors, and their events."""
        now = time.monotonic()
        allot_at = self._settled_at if now < self._settled_at else self.allotment.next_deadline()
        greeted_at = min((one.greets_until for one in self._visitors.values() if one.greets_until), default=None)
        times = [at for at in (deadline, allot_at, greeted_at, self._opens_at) if at is not None]
        seconds = max(0.0, min(times) - now) if times else None
        others = []
        for descriptor, events in self.poller.poll(None if seconds is None else seconds * 1000 + 1):
            if descriptor == self._socket.fileno():
                self._accept()
            elif descriptor == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                self._reap()
            elif (visitor := self._visitors.get(descriptor)) is not None:
                self._serve(visitor, events)
            else:
                others.append((descriptor, events))
        self._allot()
        self._look(time.monotonic())
        return others

    def _look(self, now: float) -> None:
        """Hang up on those that say nothing, and open the door again."""
        for visitor in [one for one in self._visitors.values() if one.greets_until and now >= one.greets_until]:
            self._leave(visitor)
        if self._opens_at is not None and now >= self._opens_at:
            self._opens_at = None
            self.poller.register(self._socket.fileno(), select.POLLIN)

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError as error:
            if limits.reached(error) and not isinstance(error, BlockingIOError):
                self._say(f"nobody is let in: {limits.reached(error)}")
                self.poller.unregister(self._socket.fileno())
                self._opens_at = time.monotonic() + PAUSE_SECONDS
            return
        try:
            visitor = DoorVisitor(connection, self.poller, time.monotonic() + GREETING_SECONDS)
        except (OSError, RemoteProtocolError) as error:
            connection.close()
            self._say(f"somebody was not let in: {error}")
            return
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
            if self.malformed <= SAID_AT_MOST:  # our own fault, too, costs this visitor alone its connection
                self._say(f"process {visitor.pid} was hung up on: {error!r}")
            self._leave(visitor)

    def _leave(self, visitor: DoorVisitor) -> None:
        self._visitors.pop(visitor.descriptor, None)
        if visitor.run and not any(other.run == visitor.run for other in self._visitors.values()):
            self.allotment.leave(visitor.run, time.monotonic())
            run = self.runs.pop(visitor.run)
            self._say(f"{run.get('program') or 'a program'} (host process {visitor.pid}) has left")
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
            if self._ending:
                visitor.send(StartRefused(self._ending, 1, {}))
                return
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

    def watch(self, pid: int) -> None:
        """Take a process for a host process: it ends with this host server."""
        self._processes[pid] = None

    def watch_child(self, pid: int, on_end: Callable[[int], object]) -> None:
        """Call this with the exit code of a child that is no host process."""
        self._children[pid] = on_end

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if pid in self._children:
                    self._children.pop(pid)(os.waitstatus_to_exitcode(status))
                visitor = self._processes.pop(pid, None)
                if visitor is not None:
                    visitor.send(HostProcessEnded(os.waitstatus_to_exitcode(status)))

    # -- shares ------------------------------------------------------------------------------------------------------

    def _on_report(self, visitor: DoorVisitor, frame: RunReport) -> None:
        now = time.monotonic()
        if not visitor.run:
            visitor.report_for(frame.run)
            if self._ending:
                visitor.send(NoWorkersLeft(self._ending))
            self.allotment.join(frame.run, now)
            if frame.run not in self.runs:
                self._say(f"{frame.program or 'a program'} (host process {visitor.pid}) has joined")
                self.runs[frame.run] = {"since": time.time(), "pid": visitor.pid}
        if visitor.run != frame.run:
            raise RemoteProtocolError("a host process speaks for another run")
        self.allotment.report(frame.run, frame.wanted, frame.workers, now, frame.told)
        self.runs[frame.run] |= {"program": frame.program, "wanted": frame.wanted, "workers": frame.workers}

    def _allot(self) -> None:
        if time.monotonic() < self._settled_at:
            return
        changed = self.allotment.tick(time.monotonic())
        for visitor in self._visitors.values():
            if visitor.run in changed:
                visitor.send(ResizeHost(changed[visitor.run]))

    @property
    def wanted(self) -> int:
        """How many of the slots the programs that have joined could use."""
        return sum(run.get("wanted", 0) for run in self.runs.values())

    @property
    def is_used(self) -> bool:
        """Whether a program has joined."""
        return bool(self._processes or self.runs)

    # -- the end -----------------------------------------------------------------------------------------------------

    def leave(self, reason: str) -> None:
        """Let no more programs in, and have the host processes leave their runs when what runs there is done."""
        self._ending = reason
        for pid in {*self._processes, *(visitor.pid for visitor in self._reporting())}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)

    def end(self, reason: str) -> None:
        """End all host processes, and those whose host server was killed; their programs learn the reason."""
        self._ending = reason
        with contextlib.suppress(KeyError):
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
                elif descriptor in self._visitors:  # one that joins is told the reason, too
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


def _print(text: str) -> None:
    print(f"fedfutures: {text}", file=sys.stderr, flush=True)
