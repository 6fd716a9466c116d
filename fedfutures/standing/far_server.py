"""The host server of another host: what the keeper's connector has started there, in place of a host process.

It speaks with that connector in frames over standard input and output. When the connection is lost it goes on for its
grace, and the connector of this keeper or of the next one comes back to its door. Programs come through the connector:
each of their sessions is a stream (:mod:`fedfutures.host.local_streams`), and what ends it here is a process that the
host server has forked, with the stream as its standard input and output.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from math import inf

from ..errors import RemoteProtocolError
from ..host.directories import Hold
from ..host.hello_line import SERVER, hello
from ..host.local_streams import LocalStreams
from ..host.reattach import DOOR, LaunchingSide
from ..host.settings import Settings
from ..host.system import name_process, remove_tree, write_all
from ..supervision.contact import Contact, ParentLink
from ..wire.control import (
    CloseStream,
    ControlFrame,
    EndRun,
    HostLeaves,
    OpenSession,
    RemoveHost,
    ServerReady,
    SlotsWanted,
    StartHost,
    StreamCredit,
    StreamData,
    WorkerOutput,
)
from ..wire.framing import FrameReader
from .forking import fork_host
from .host_server import HostServer
from .identity import OURS
from .keeper import made
from .visitors import DoorVisitor

SAID_AGAIN_SECONDS = 1.0
"""How often at most it says how many of its slots are wanted."""
LATE_SECONDS = 2.0
"""For so long after their grace it waits for host processes."""


class FarServer:
    """A host server and its keeper's connector. `begin` runs a host process, in a process that has its code loaded."""

    def __init__(self, settings: Settings, reader: FrameReader, begin: Callable[[], object]) -> None:
        self._settings, self._begin = settings, begin
        self._hold = Hold(())
        before = "".join(settings.directories[:1])
        self._directory = self._hold.add(lambda: made(before))
        with contextlib.suppress(FileNotFoundError):  # of a host server that was killed
            os.unlink(os.path.join(self._directory, DOOR))
        self._server = HostServer(self._directory, settings.workers, begin, self._on_visitor, self._say)
        self._poller = self._server.poller
        contact = Contact(settings.grace, time.monotonic(), in_job=settings.in_job)
        self._side = LaunchingSide(reader, contact, self._directory, self._poller, lambda: ParentLink.UNKNOWN)
        self._streams = LocalStreams(self._side.send, self._poller)
        self._said, self._says = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)  # the standard error of what it starts
        os.set_blocking(self._says, True)
        os.dup2(self._says, 2)  # and its own: the connection that it began with may be lost
        self._poller.register(self._said, select.POLLIN)
        self._why = self._leaving = ""  # why it is to end, at once, or when what runs is done
        self._said_wanted, self._say_at = -1, 0.0  # how many of its slots are wanted, and when to say it again
        self._leaves_by = inf  # it ends then, or when no program has anything here any more

    def run(self, early: list[ControlFrame]) -> None:
        """Serve until the Federation is taken down, or nobody has come back; `early` came behind the settings."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._side.send(ServerReady(self._directory, os.getpid()))
        self._on_frames(early)
        while not self._why:
            self._wait()
        if self._leaves_by < inf:
            self._side.send(HostLeaves(self._leaving))
        self._side.send_rest()
        self._streams.reset()
        for descriptor in (0, 1, self._said, self._side.door):
            with contextlib.suppress(KeyError):
                self._poller.unregister(descriptor)
        self._server.end(self._why)
        remove_tree(self._directory)
        self._hold.let_go()

    def _wait(self) -> None:
        deadline = self._side.next_deadline()
        if self._leaves_by < inf:
            deadline = min(self._leaves_by, deadline or inf)
        if self._server.wanted != self._said_wanted:
            deadline = min(self._say_at, deadline or inf)
        for descriptor, events in self._server.wait(deadline):
            self._serve(descriptor, events)
        self._say_wanted(time.monotonic())
        self._side.tick(time.monotonic())
        # what its host processes have said last may be on the way
        has_ended = not (self._server.is_used or self._streams or self._side.has_unsent)
        if self._leaves_by < inf and (has_ended or time.monotonic() >= self._leaves_by):
            self._why = self._why or self._leaving
        if self._side.lost:
            self._streams.reset()
        if self._side.has_ended:
            self._why = self._why or f"the keeper was not heard for {self._settings.grace:g} s"

    def _say_wanted(self, now: float) -> None:
        if self._server.wanted != self._said_wanted and now >= self._say_at:
            self._said_wanted, self._say_at = self._server.wanted, now + SAID_AGAIN_SECONDS
            self._side.send(SlotsWanted(self._settings.host, self._said_wanted))

    def _serve(self, descriptor: int, events: int) -> None:
        if descriptor == 0:
            self._on_frames(self._side.receive())
        elif descriptor == 1:
            self._side.flush()
        elif descriptor == self._side.door:
            if self._side.accept():
                self._streams.reset()
                self._side.send(ServerReady(self._directory, os.getpid()))
                self._said_wanted = -1
        elif descriptor == self._said:
            with contextlib.suppress(BlockingIOError):
                self._side.send(WorkerOutput(self._settings.host, 2, os.read(self._said, 1 << 16)))
        else:
            self._streams.serve(descriptor, events)

    def _say(self, text: str) -> None:
        """Tell the keeper, which adds it to the log."""
        self._side.send(WorkerOutput(self._settings.host, 2, text.encode("utf-8", "replace")))

    def _on_signal(self, number: int, frame: object) -> None:
        self._leave(f"its host server got {signal.Signals(number).name}", self._settings.departure)

    def _leave(self, reason: str, seconds: float) -> None:
        """Leave the Federation: what runs may take so long."""
        if self._leaves_by == inf:
            self._leaving, self._leaves_by = reason, time.monotonic() + seconds + LATE_SECONDS
            self._server.leave(reason)

    def _on_visitor(self, visitor: DoorVisitor, frame: ControlFrame) -> None:
        raise RemoteProtocolError(f"{type(frame).__name__} is not for the host server of a host without keeper")

    def _on_frames(self, frames: list[ControlFrame]) -> None:
        for frame in frames:
            if isinstance(frame, OpenSession):
                self._open(frame)
            elif isinstance(frame, (StreamData, StreamCredit, CloseStream)):
                self._streams.on_frame(frame)
            elif isinstance(frame, RemoveHost):
                self._leave("it was removed", frame.seconds)
            elif isinstance(frame, EndRun):
                self._why = "the standing Federation was taken down"

    def _open(self, frame: OpenSession) -> None:
        if frame.stream % 2 or frame.stream in self._streams:
            return
        if self._leaves_by < inf:
            self._side.send(CloseStream(frame.stream))
            return
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            try:
                pid = fork_host(self._start_of(frame.command), [number, number, self._says], self._as_host_process)
            except OSError as error:
                print(f"fedfutures: no process can be started: {error}", file=sys.stderr, flush=True)
                ours.close()
                self._side.send(CloseStream(frame.stream))
                return
        self._server.watch(pid)
        ours.setblocking(False)
        self._streams.add(frame.stream, ours)

    def _start_of(self, command: str) -> StartHost:
        """Return what to start; for a command line, a shell, as sshd would."""
        umask = os.umask(0o077)
        os.umask(umask)
        environment = {**os.environ, SERVER: self._server.door}
        words = {"0": "/bin/sh", "1": "-c", "2": command}
        return StartHost({} if command else OURS, words, environment, "", umask)

    def _as_host_process(self) -> None:
        """Be what the bootstrap would have become: say hello, and run a host process."""
        os.environ.pop(SERVER, None)
        write_all(1, memoryview(hello(self._server.door, self._settings.far_address or "")))
        self._begin()


def serve(settings: Settings, reader: FrameReader, early: list[ControlFrame], begin: Callable[[], object]) -> None:
    """Be the host server that these settings describe, in a process that has the code of host processes loaded."""
    name_process("fedfut-server")
    server = FarServer(settings, reader, begin)
    gc.freeze()
    server.run(early)
