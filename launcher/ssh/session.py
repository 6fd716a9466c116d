"""A session: a command on another host, whichever ssh client carries it.

A session is three pipes: the standard input, output and error of the remote command. The user of the session has its
ends from the start, while a thread of the client still makes the connection. `read_fd` ends when the session is over,
whether it ever worked or not; by then `failure` holds why it did not.
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

from .texts.failures import Failure

PIPE_BYTES = 1 << 18
F_SETPIPE_SZ = 1031
CONNECT_SECONDS = 9.5  # a host that does not answer has failed after this long


@dataclass(slots=True)
class LoginTarget:
    """A host to run a command on."""

    name: str  # of the host in the run
    host: str  # as the user wrote it: an alias, a name or an address
    user: str | None = None
    port: int | None = None
    jump: LoginTarget | None = None  # the access host that leads to it
    command: str = ""
    meeting: str = ""  # the file that the command reads to come by itself; "": it has the session's streams
    returns: bool = False  # the command comes back to what an earlier one has begun


class Closable:
    """Something that any thread may close while its own thread waits."""

    def __init__(self) -> None:
        self.closed = False
        self._lock = threading.Lock()
        self._hang_ups: list[Callable[[], None]] = []
        self.wake, self._waker = os.pipe2(os.O_CLOEXEC)  # `wake` has ended once this is closed

    def close(self) -> None:
        """End every wait of its thread. Returns at once."""
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
        """Close `wake`: its thread waits no more."""
        if self.wake >= 0:
            os.close(self.wake)
            self.wake = -1

    def on_close(self, hang_up: Callable[[], None]) -> None:
        """Call `hang_up` when this is closed; at once if it is closed already."""
        with self._lock:
            if not self.closed:
                self._hang_ups.append(hang_up)
                return
        hang_up()

    def forget(self, hang_up: Callable[[], None]) -> None:
        """Call this `hang_up` no more: what it ends has ended by itself."""
        with self._lock, contextlib.suppress(ValueError):
            self._hang_ups.remove(hang_up)

    def pause(self, seconds: float) -> None:
        """Sleep for so long, or until this is closed."""
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
        self.notes: list[str] = []  # for people, such as that a host key was stored
        self.connected_at: float | None = None  # since when the remote command runs, on the monotonic clock
        self.patience = 0.0  # seconds that the login may take, as the user's ssh config says
        self.address = ""  # of the host, where it was not reached by ssh and its name has one
        self.read_fd, self.output = _pipe()  # the client has `output`, `input` and `errors`, the inner ends
        self.input, self.write_fd = _pipe()
        self.error_fd, self.errors = _pipe()
        for descriptor in (self.read_fd, self.write_fd, self.error_fd):
            os.set_blocking(descriptor, False)
        self._inner = {self.input, self.output, self.errors}
        self._thread: threading.Thread | None = None

    def close_input(self) -> None:
        """Close the standard input of the remote command: it sees the end once it has read the rest."""
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
        """Return the notes since the last call."""
        notes = self.notes[:]
        del self.notes[: len(notes)]  # another thread may have added more
        return notes

    # -- for clients -------------------------------------------------------------------------------------------------

    def on_connected(self) -> None:
        """The remote command runs."""
        self.connected_at = time.monotonic()

    @property
    def connected(self) -> bool:
        """Whether the remote command runs, or has run."""
        return self.connected_at is not None

    def on_patience(self, seconds: float) -> None:
        """The user's ssh config says how long the login may take."""
        self.patience = seconds

    def on_address(self, address: str) -> None:
        """The name of the host stands for this address."""
        self.address = address

    def on_failure(self, failure: Failure | None) -> None:
        """The session has failed; None: it has ended for another reason."""
        self.failure = failure

    def on_exit(self, status: int | None) -> None:
        """The remote command has ended; None: its exit code is not known."""
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
        """Whether it is closed and its thread has ended."""
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
            # The output is closed last: who reads its end looks at `failure` and `status` next.
            self.drop(self.input, self.errors)
            self.drop(self.output)
            self.release()


def _pipe() -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # beyond the memory that this user may have for pipes
        fcntl.fcntl(write, F_SETPIPE_SZ, PIPE_BYTES)
    return read, write
