"""What a session on another host is to whoever uses it, whichever ssh client carries it.

A session is three descriptors of pipes: what the remote command reads, and what it writes. They are there from the
moment a client starts the session, while the connection is being made in a thread; whoever polls them sees the first
bytes when there are some, and the end of `read_fd` when the session is over, whether it ever worked or not. Why it did
not work is in `failure` by then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .texts.failures import Failure

PIPE_BYTES = 1 << 18
F_SETPIPE_SZ = 1031
CONNECT_SECONDS = 9.5
"""A host that does not answer has failed after this long."""

BUSY_SECONDS = 19.5
"""One that answers, but drops logins because there are many, after this long."""

JOIN_SECONDS = 2.0


@dataclass(slots=True)
class LoginTarget:
    """A host to run a command on."""

    name: str  # in the run
    host: str  # as the user wrote it: an alias, a name or an address
    user: str | None = None
    port: int | None = None
    jump: LoginTarget | None = None  # the access host that leads to it
    command: str = ""


class Closable:
    """Something that may be closed while a thread waits on its behalf."""

    def __init__(self) -> None:
        self.closed = False
        self._lock = threading.Lock()
        self._hang_ups: list[Callable[[], None]] = []
        self.wake, self._waker = os.pipe2(os.O_CLOEXEC)  # `wake` has ended once this is closed

    def close(self) -> None:
        """Have every waiting end. Does not wait itself."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            hang_ups, self._hang_ups = self._hang_ups, []
            self._close_descriptors()
        for hang_up in hang_ups:
            hang_up()

    def _close_descriptors(self) -> None:
        os.close(self._waker)

    def release(self) -> None:
        """Nobody waits any more."""
        if self.wake >= 0:
            os.close(self.wake)
            self.wake = -1

    def on_close(self, hang_up: Callable[[], None]) -> None:
        """Have something called when this is closed; at once if it is."""
        with self._lock:
            if not self.closed:
                self._hang_ups.append(hang_up)
                return
        hang_up()

    def forget(self, hang_up: Callable[[], None]) -> None:
        """What :meth:`on_close` was told has ended by itself."""
        with self._lock, contextlib.suppress(ValueError):
            self._hang_ups.remove(hang_up)

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the end."""
        poller = select.poll()
        poller.register(self.wake, select.POLLIN)
        poller.poll(max(0.0, seconds) * 1000)


class Session(Closable):
    """A command on another host. `read_fd`, `write_fd` and `error_fd` are its standard output, input and error.

    They do not block, and they belong to the session: `close_input` and `close` close them.
    """

    def __init__(self, target: LoginTarget) -> None:
        super().__init__()
        self.target = target
        self.failure: Failure | None = None
        self.status: int | None = None  # the exit code of the command, if it is known
        self.notes: list[str] = []  # for people: a host key was stored
        self.connected = False
        self.read_fd, self.output = _pipe()  # the second is the inner end: that of the client
        self.input, self.write_fd = _pipe()
        self.error_fd, self.errors = _pipe()
        for descriptor in (self.read_fd, self.write_fd, self.error_fd):
            os.set_blocking(descriptor, False)
        self._inner = {self.input, self.output, self.errors}
        self._thread: threading.Thread | None = None

    def close_input(self) -> None:
        """The remote command sees the end of its standard input once it has read the rest."""
        with self._lock:
            if self.write_fd >= 0:
                os.close(self.write_fd)
                self.write_fd = -1

    def _close_descriptors(self) -> None:
        super()._close_descriptors()
        for descriptor in (self.read_fd, self.write_fd, self.error_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self.read_fd = self.write_fd = self.error_fd = -1

    def take_notes(self) -> list[str]:
        """Return what people are to be told since the last time."""
        notes = self.notes[:]
        del self.notes[: len(notes)]  # another thread may have added more
        return notes

    # -- for clients -------------------------------------------------------------------------------------------------

    def on_connected(self) -> None:
        """The remote command runs."""
        self.connected = True

    def on_failure(self, failure: Failure | None) -> None:
        """The session has failed, or (None) has ended for another reason."""
        self.failure = failure

    def on_exit(self, status: int | None) -> None:
        """The remote command has ended; None: nobody knows how."""
        self.status = status

    def begin(self, serve: Callable[[Session], None]) -> None:
        """Serve the session in a thread."""
        self._thread = threading.Thread(target=self._run, args=(serve,), name=f"ssh {self.target.name}", daemon=True)
        self._thread.start()

    def join(self, deadline: float) -> None:
        """Wait for the thread."""
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def over(self) -> bool:
        """Whether nothing is left of it: it is closed, and its thread has ended."""
        return self.closed and self._thread is not None and not self._thread.is_alive()

    def drop(self, *inner: int) -> None:
        """Close inner ends of pipes."""
        for descriptor in self._inner.intersection(inner):
            self._inner.remove(descriptor)
            os.close(descriptor)

    def _run(self, serve: Callable[[Session], None]) -> None:
        try:
            serve(self)
        finally:
            # The failure is known by now: the end of the output is what tells.
            self.drop(self.input, self.errors)
            self.drop(self.output)
            self.release()


class Client(Protocol):
    """Starts sessions."""

    def start(self, target: LoginTarget) -> Session:
        """Start a session; returns at once."""
        ...

    def close(self) -> None:
        """Close all sessions, and end every thread and process."""
        ...


class OpenSessions:
    """The sessions of a client that are not over; any thread may start one."""

    def __init__(self) -> None:
        self._sessions: list[Session] = []
        self._lock = threading.Lock()

    def start(self, target: LoginTarget, serve: Callable[[Session], None]) -> Session:
        """Start a session that a thread of its own serves."""
        session = Session(target)
        with self._lock:
            self._sessions = [*(known for known in self._sessions if not known.over), session]
        session.begin(serve)
        return session

    def close(self) -> None:
        """Close them, and wait until their threads have ended."""
        for session in self._sessions:
            session.close()
        deadline = time.monotonic() + JOIN_SECONDS
        for session in self._sessions:
            session.join(deadline)
        self._sessions.clear()


def _pipe() -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # a limit of this user on memory for pipes
        fcntl.fcntl(write, F_SETPIPE_SZ, PIPE_BYTES)
    return read, write
