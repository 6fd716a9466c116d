"""Sessions by a launcher: one process of its command for each, whose standard streams are the session's."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence

from ..ssh.client import Client
from ..ssh.session import Session
from ..ssh.texts import failures
from .launcher import Launcher

LOOK_SECONDS = 0.02
ASK_SECONDS = 5.0
END_SECONDS = 0.5
"""So long a command has from the end of its standard input to SIGQUIT, and from that to SIGKILL."""


class CommandClient(Client):
    """Starts sessions by a launcher."""

    def __init__(self, launcher: Launcher) -> None:
        super().__init__()
        self.name, self.shares_home = launcher.name, not launcher.passes_streams
        self._launcher = launcher
        self._answer: str | None = None
        self._asking = threading.Lock()

    def new_meeting(self) -> str:
        """As that of :class:`Client`."""
        if self._launcher.passes_streams:
            return ""
        from .meeting import new_place

        return new_place()

    def serve(self, session: Session) -> None:
        """As that of :class:`Client`."""
        if session.target.meeting:
            self._serve_at_meeting(session)
            return
        process = self._start(session, session.output)
        if process is not None:
            session.drop(session.input, session.errors)  # the command has them; and the output, which ends the session
            session.on_exit(_wait(process, session.wake))

    def _start(self, session: Session, output: int) -> subprocess.Popen[bytes] | None:
        """Start the command; None if that has failed."""
        host = session.target.host
        words = self._launcher.words(host, session.target.command, os.environ, self._answered())
        try:
            process = subprocess.Popen(
                words, stdin=session.input, stdout=output, stderr=session.errors, start_new_session=True,
                env=self._launcher.environment(os.environ),
            )  # fmt: skip
        except OSError as error:
            why, executable = error.strerror or str(error), self._launcher.executable
            session.on_failure(failures.LAUNCHER_MISSING(host, why, executable=executable))
            return None
        session.on_connected()
        threading.Thread(target=look_up, args=(session, host), daemon=True, name=f"name {host}").start()
        return process

    def _serve_at_meeting(self, session: Session) -> None:
        """Start a command that passes no streams, and be those of the host that comes by itself."""
        from .meeting import Meeting  # with TLS and certificates, which other launchers do not need
        from .visit import Visit

        try:
            meeting = Meeting(session.target.meeting)
        except OSError as error:
            host, path = session.target.host, session.target.meeting
            facts = {"way": self.name, "path": path, "folder": path.rpartition("/")[0]}
            session.on_failure(failures.NO_MEETING(host, error.strerror or str(error), **facts))
            return
        said, output = os.pipe2(os.O_CLOEXEC)
        try:
            with meeting:
                try:
                    process = self._start(session, output)
                finally:
                    os.close(output)
                if process is not None:
                    try:
                        Visit(session, meeting, said).serve(lambda: _has_ended(process), lambda: _has_failed(process))
                    finally:
                        session.on_exit(_end(process))
        finally:
            os.close(said)

    def _answered(self) -> str:
        """Return the answer to the launcher's question, which is asked once; nothing if there is none."""
        with self._asking:
            if self._answer is None:
                self._answer = ""
                if question := self._launcher.question(os.environ):
                    with contextlib.suppress(OSError, subprocess.SubprocessError, UnicodeDecodeError):
                        asked = subprocess.run(
                            question, stdin=subprocess.DEVNULL, capture_output=True, timeout=ASK_SECONDS
                        )
                        self._answer = asked.stdout.decode()
            return self._answer


def look_up(session: Session, host: str) -> None:
    """Find the address that the scheduler's name of a host stands for; nothing can interrupt that."""
    with contextlib.suppress(OSError, UnicodeError, IndexError):
        session.on_address(str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]))


def _wait(process: subprocess.Popen[bytes], wake: int) -> int:
    """Wait until a command has ended, and end it when `wake` does; return its exit code."""
    _wait_for(process, math.inf, [wake])
    return _end(process)


def _end(process: subprocess.Popen[bytes]) -> int:
    """End a command, if it does not end by itself; return its exit code.

    A signal comes late: srun and qrsh kill what they have started upon any, and Grid Engine then ends the job.
    """
    _wait_for(process, time.monotonic() + END_SECONDS)
    if not _has_ended(process):
        _signal(process, signal.SIGQUIT)  # SIGTERM is ignored: see OpenSSHClient
        _wait_for(process, time.monotonic() + END_SECONDS)
    _signal(process, signal.SIGKILL)  # with what a script has started and left
    return process.wait()


def _wait_for(process: subprocess.Popen[bytes], until: float, wakes: Sequence[int] = ()) -> None:
    """Wait until a process has ended, or until one of `wakes` has."""
    poller = select.poll()
    for wake in wakes:
        poller.register(wake, select.POLLIN)
    while not _has_ended(process) and time.monotonic() < until and not poller.poll(LOOK_SECONDS * 1000):
        pass


def _has_failed(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process that has ended did so with another code than 0, or by a signal."""
    ended = _end_of(process)
    return ended is not None and ended.si_status != 0


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    return _end_of(process) is not None


def _end_of(process: subprocess.Popen[bytes]) -> os.waitid_result | None:
    """Return how it has ended, if it has; it is not reaped, so its id still stands for its group."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
