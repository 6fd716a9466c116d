"""A joined run's line to its host server: what it has and could use, and how many Workers it may have.

The host server may be killed: the run goes on with the Workers that it has, and reports to the next host server as soon
as that is at the door. Who watches the door starts it again, and knows when there will be none.
"""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Protocol

from ..errors import RemoteProtocolError
from ..supervision.elastic import ElasticWorkers
from ..wire.control import ControlFrame, NoWorkersLeft, ResizeHost, RunReport
from .frame_line import FrameLine
from .greeting import Greeting, line
from .settings import Settings

AGAIN_SECONDS = 0.25


class WatchesDoor(Protocol):
    """What is to be done when nobody opens."""

    def on_shut(self, now: float) -> str:
        """Nobody has opened; return why nobody will, which ends the run; "": come again."""

    def on_open(self) -> None:
        """Somebody has opened."""

    def door(self) -> str:
        """Return where the door is."""


def first_workers(settings: Settings) -> int:
    """Return how many Workers a host begins with: where they are allotted, it is told."""
    return 0 if settings.server else settings.min_workers or settings.workers


def allotting(
    settings: Settings, run: str, program: str, poller: select.poll, watch: WatchesDoor | None
) -> ServerLine | ElasticWorkers:  # fmt: skip
    """Return who says how many Workers a run has here: its host server, or what the run could use."""
    if settings.min_workers:
        return ElasticWorkers(settings.min_workers, settings.workers)
    return ServerLine(settings.server, run, program, poller, watch)


class ServerLine:
    """The line of `run`, which runs `program`, to the host server behind `door`; "": this is no joined run."""

    def __init__(
        self, door: str, run: str, program: str, poller: select.poll, watch: WatchesDoor | None = None
    ) -> None:  # fmt: skip
        self._watch = watch
        self._door, self._run, self._program, self._poller = door, run, program, poller
        self._connection: socket.socket | None = None
        self._line: FrameLine | None = None
        self._greeting = Greeting()
        self._due: float | None = None  # when to come to the door again
        self._said: tuple[int, ...] = ()  # wanted, workers, told
        self._told = 0  # how often the host server has said how many Workers this run may have

    def report(self, wanted: int, workers: int, now: float) -> list[ControlFrame]:
        """Say how many Workers this run could use here, and has; that is sent if it is news, and somebody hears it.

        Return what a host server would say that will not be there any more.
        """
        why = ""
        if self._door and self._line is None and (self._due is None or now >= self._due):
            why = self._come(now)
        said = wanted, workers, self._told
        if self._line is not None and said != self._said:
            self._said = said
            self._line.send(RunReport(self._run, *said, self._program))
        return [NoWorkersLeft(why)] if why else []

    def next_deadline(self) -> float | None:
        """Return when to call :meth:`report` if nothing happens."""
        return self._due

    def serve(self, descriptor: int, events: int, now: float) -> list[ControlFrame] | None:
        """Return what the host server says; None: the descriptor belongs to somebody else."""
        if self._line is None or descriptor != self._line.read:
            return None
        data = self._line.exchange(events)
        with contextlib.suppress(RemoteProtocolError):
            if data is None:
                return []
            if data:
                frames = self._line.reader.feed(self._greeting.feed(data))
                self._told += sum(isinstance(frame, ResizeHost) for frame in frames)
                return frames
        self._leave(now)
        return []

    def _come(self, now: float) -> str:
        """Come to the door; return why nobody will ever open."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)  # one that is stopped lets nobody in when its queue is full
        try:
            connection.connect(self._door)
            connection.sendall(line())
        except OSError:
            connection.close()
            self._due = now + AGAIN_SECONDS
            if self._watch is None:
                return ""
            why, self._door = self._watch.on_shut(now), self._watch.door() or self._door
            return why
        self._due, self._connection, self._greeting, self._told = None, connection, Greeting(), 0
        self._said = ()
        self._line = FrameLine(connection.fileno(), connection.fileno(), self._poller)
        if self._watch is not None:
            self._watch.on_open()
        return ""

    def _leave(self, now: float) -> None:
        assert self._line is not None
        assert self._connection is not None
        self._line.let_go()
        self._connection.close()
        self._line = self._connection = None
        self._due = now + AGAIN_SECONDS

    def let_go(self) -> None:
        """Close the descriptor in a process that the host process has forked."""
        if self._connection is not None:
            self._connection.close()
