"""A connector in a thread, and those that it speaks with: a program, and a host process of this machine."""

from __future__ import annotations

import os
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fedfutures.host.frame_line import FrameLine
from fedfutures.host.reattach import DOOR
from fedfutures.lazy_dataclass import replaced
from fedfutures.wire.control import ControlFrame, HostReady, ProbeReply, RunPlanned
from fedfutures.wire.framing import FrameReader, pack
from fedfutures_launcher.connector.access import Ways
from fedfutures_launcher.connector.main import Connector

from .far_hosts import SECONDS, FarHosts, until
from .requests import request_of

F = TypeVar("F", bound=ControlFrame)
READY = HostReady("/run", "/shm", "/disk", 7, [3, 11, 7], [["b", "main", "meta", "subscriber", ""]])


class Peer:
    """Who speaks with the connector over two pipes, of which it has the other ends."""

    def __init__(self) -> None:
        self.theirs_read, self._write = os.pipe()
        self._read, self.theirs_write = os.pipe()
        self._reader = FrameReader()
        self.heard: list[ControlFrame] = []

    def say(self, *frames: ControlFrame) -> None:
        for frame in frames:
            os.write(self._write, pack(frame))

    def write(self, data: bytes) -> None:
        os.write(self._write, data)

    def take(self) -> None:
        """Take in what has come."""
        if select.select([self._read], [], [], 0.0)[0]:
            self.heard += self._reader.feed(os.read(self._read, 1 << 18))

    def of(self, kind: type[F]) -> list[F]:
        return [frame for frame in self.heard if isinstance(frame, kind)]

    def hang_up(self) -> None:
        if self._write >= 0:
            os.close(self._write)
        self._write = -1

    def close(self) -> None:
        self.hang_up()
        os.close(self._read)


class Local:
    """A host process of this machine: its door is in `directory`, and the connector may have come."""

    def __init__(self, directory: str) -> None:
        self.ready = replaced(READY, run=directory)
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(os.path.join(directory, DOOR))
        self._door.listen()
        self._reader = FrameReader()
        self._connection: socket.socket | None = None
        self.heard: list[ControlFrame] = []

    def say(self, *frames: ControlFrame) -> None:
        self.write(b"".join(map(pack, frames)))

    def write(self, data: bytes) -> None:
        assert self._connection is not None
        self._connection.sendall(data)

    def take(self) -> None:
        """Let the connector in, and take in what it says."""
        if self._door.fileno() < 0:  # it is dead
            return
        if self._connection is None and select.select([self._door], [], [], 0.0)[0]:
            self._connection, _ = self._door.accept()
        if self._connection is not None and select.select([self._connection], [], [], 0.0)[0]:
            self.heard += self._reader.feed(self._connection.recv(1 << 18))

    def of(self, kind: type[F]) -> list[F]:
        return [frame for frame in self.heard if isinstance(frame, kind)]

    @property
    def is_met(self) -> bool:
        return self._connection is not None

    def close(self) -> None:
        for one in (self._door, self._connection):
            if one is not None:
                one.close()
        self._connection = None


class Run:
    """A connector in a thread, host "vm", and both processes of this machine."""

    def __init__(
        self, directory: Path, *words: str, notes: dict[str, Any] | None = None, scheduler: str | None = None,
        kind: type[Connector] = Connector, workers: int | None = None, local_workers: int | None = None, **options: Any,
    ) -> None:  # fmt: skip
        self.directory = directory
        self.origin, self.far, poller = Peer(), FarHosts(), select.poll()
        self.local = self.new_local()
        line = FrameLine(self.origin.theirs_read, self.origin.theirs_write, poller)
        request = request_of(*(words or ("vm",)), **options)
        request.notes, request.scheduler, request.workers = notes or {}, scheduler, workers
        request.local.count = local_workers
        self.connector = kind(request, line, poller, Ways(request, {"ssh": self.far, "keeper": self.far}))
        self._thread = threading.Thread(target=self.connector.run)
        self._thread.start()

    def new_local(self) -> Local:
        """Return a host process of this machine, beside those before it."""
        self.directory.mkdir(exist_ok=True)
        return Local(tempfile.mkdtemp(dir=self.directory))

    def until(self, condition: Callable[[], bool]) -> bool:
        def turn() -> None:
            time.sleep(0.005)
            self.origin.take()
            self.local.take()

        return until(condition, turn)

    def begin(self) -> None:
        """Take the run to where all hosts serve."""
        assert self.until(lambda: bool(self.far.sessions))
        self.far.last.say_hello()
        self.far.last.say(ProbeReply(), ProbeReply())
        assert self.until(lambda: bool(self.origin.of(RunPlanned)))
        self.meet(self.local)
        self.far.last.say(READY)

    def meet(self, local: Local) -> None:
        """Have the program say that there is a host process, and the connector come to its door."""
        self.local = local
        self.origin.say(local.ready)
        assert self.until(lambda: local.is_met)

    def close(self) -> None:
        """End the run, and both processes of this machine."""
        self.end()
        self.origin.close()
        self.local.close()

    def end(self) -> None:
        """End the run from the side of the program, and wait for the connector."""
        self.origin.hang_up()
        for host in self.far.sessions:
            if host.session is not None:
                host.end()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        self.origin.take()
