"""Who comes to the door of a host server: programs, host processes of joined runs, and verbs."""

from __future__ import annotations

import os
import select
import socket
import struct

from ..errors import RemoteProtocolError
from ..host.frame_line import FrameLine
from ..host.greeting import Greeting, line
from ..wire.control import ControlFrame

READ_BYTES = 1 << 18
STREAMS_AT_MOST = 200
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class DoorVisitor:
    """One connection at the door. What it says is frames, behind the greeting; descriptors may come along."""

    def __init__(self, connection: socket.socket, poller: select.poll, greets_until: float) -> None:
        connection.setblocking(False)
        self.pid = _pid_of(connection)
        connection.send(line())
        self._connection, self._greeting = connection, Greeting()
        self._line = FrameLine(connection.fileno(), connection.fileno(), poller)
        self.descriptor = connection.fileno()
        self.greets_until: float | None = greets_until  # by then it has to say that it is fedfutures; None: it has
        self.run = ""  # of which it reports
        self.streams: list[int] = []  # that came along
        self.process = 0  # the host process that was started for it

    def report_for(self, run: str) -> None:
        """It is the host process of this run, from now on."""
        self.run = run

    def await_process(self, pid: int) -> None:
        """A host process was started for it."""
        self.process = pid

    def receive(self) -> list[ControlFrame] | None:
        """Return what it says now; None: it has gone. Raises RemoteProtocolError."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._connection, READ_BYTES, STREAMS_AT_MOST)
        except BlockingIOError:
            return []
        except OSError:
            return None
        self.streams += descriptors
        if len(self.streams) > STREAMS_AT_MOST:
            raise RemoteProtocolError("too many descriptors")
        if not data:
            return None
        frames = self._line.reader.feed(self._greeting.feed(data))
        if self._greeting.is_over:
            self.greets_until = None
        return frames

    def send(self, frame: ControlFrame) -> None:
        """Send a frame, now or later."""
        self._line.send(frame)

    def flush(self) -> None:
        """Send what waits."""
        self._line.flush()

    @property
    def has_unsent(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._line.unsent)

    def take_streams(self) -> list[int]:
        """Return the descriptors that came along; they are the caller's from now on."""
        streams, self.streams = self.streams, []
        return streams

    def hand_over(self) -> socket.socket:
        """Return the connection, whose bytes are the caller's from now on; all that was said here is taken in."""
        self._line.let_go()
        return self._connection

    def close(self) -> None:
        """Hang up."""
        self._line.let_go()
        for descriptor in self.take_streams():
            os.close(descriptor)
        self._connection.close()


def _pid_of(connection: socket.socket) -> int:
    """Return the pid of the process at the other end; raise RemoteProtocolError for another user's."""
    pid, uid = _credentials(connection)
    if uid not in (os.geteuid(), 0):
        raise RemoteProtocolError(f"uid {uid} is at the door")
    return pid


def _credentials(connection: socket.socket) -> tuple[int, int]:
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0, os.geteuid()
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return int(pid), int(uid)


def pid_behind(connection: socket.socket) -> int:
    """Return the pid of the process that listens at the other end; 0: nobody says."""
    return _credentials(connection)[0]


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal (proc_pid_stat(5))."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False
