"""Moves bytes between the pipes of a session and a paramiko channel, in the thread of the session.

Both directions wait for a slow reader: the pump takes bytes from the channel, which opens its window, only when the
pipe has room, and leaves in the pipe what the remote window does not take. A descriptor of paramiko tells of bytes to
read but not of a window that opens; so while the window is shut, and only then, the pump looks every few milliseconds.
"""

from __future__ import annotations

import os
import select
from typing import Any

from fedfutures import failpoints

from .session import Session

CHUNK_BYTES = 4 << 20  # paramiko would copy what a smaller read leaves
SEND_BYTES = failpoints.size("ssh.size", 1 << 18)
SHORTEST_SECONDS, LONGEST_SECONDS = 0.001, 0.05
STATUS_SECONDS = 0.5
GONE = select.POLLERR | select.POLLNVAL


class ChannelPump:
    """One session; :meth:`run` returns when it is over."""

    def __init__(self, session: Session, channel: Any) -> None:
        self._channel = channel
        self._input: int | None = session.input
        self._output, self._errors = session.output, session.errors
        self._unread = {self._output: memoryview(b""), self._errors: memoryview(b"")}  # by the pipe that it goes to
        self._unsent = memoryview(b"")
        self._shut_for = 0.0
        self._gone = False  # the reader of a pipe has closed it
        for descriptor in (session.input, session.output, session.errors):
            os.set_blocking(descriptor, False)

    def run(self) -> None:
        """Pump until the remote command has ended and its output is passed on, or until a reader has closed a pipe."""
        while not self._gone:
            over = self._channel.eof_received or self._channel.closed
            self._receive()
            self._send()
            if over and not any(self._unread.values()) and not self._has_more():
                break
            self._wait(over)
        if not self._gone:
            self._channel.status_event.wait(STATUS_SECONDS)

    @property
    def status(self) -> int | None:
        """The exit code of the command, if it is known."""
        code: int = self._channel.exit_status
        return code if code >= 0 else None

    def _has_more(self) -> bool:
        return bool(self._channel.recv_ready() or self._channel.recv_stderr_ready())

    @failpoints.delayed("ssh.receive")
    def _receive(self) -> None:
        if not self._unread[self._output] and self._channel.recv_ready():
            self._unread[self._output] = memoryview(self._channel.recv(CHUNK_BYTES))
        if not self._unread[self._errors] and self._channel.recv_stderr_ready():
            self._unread[self._errors] = memoryview(self._channel.recv_stderr(CHUNK_BYTES))
        for pipe, data in self._unread.items():
            if data:
                self._unread[pipe] = data[self._written(pipe, data) :]

    def _written(self, pipe: int, data: memoryview) -> int:
        try:
            return os.write(pipe, data)
        except BlockingIOError:
            return 0
        except OSError:
            self._gone = True
            return 0

    @failpoints.delayed("ssh.send")
    def _send(self) -> None:
        if self._input is not None and not self._unsent:
            try:
                self._unsent = memoryview(os.read(self._input, SEND_BYTES))
            except BlockingIOError:
                return
            if not self._unsent:
                self._input = None
                self._shut()
                return
        try:
            while self._unsent and self._channel.send_ready():
                self._unsent = self._unsent[self._channel.send(bytes(self._unsent[:32768])) :]
                self._shut_for = 0.0
        except OSError:  # the channel is closed; the pump still reads what it has received
            self._input, self._unsent = None, memoryview(b"")

    def _shut(self) -> None:
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError):
            pass

    def _wait(self, over: bool) -> None:
        poller = select.poll()
        waiting = False
        for pipe, data in self._unread.items():
            poller.register(pipe, select.POLLOUT if data else 0)
            waiting = waiting or bool(data)
        seconds = None
        if waiting or over:
            seconds = LONGEST_SECONDS if waiting else SHORTEST_SECONDS
        else:
            poller.register(self._channel.fileno(), select.POLLIN)
        if self._unsent:
            self._shut_for = min(LONGEST_SECONDS, max(SHORTEST_SECONDS, self._shut_for * 1.5))
            seconds = min(seconds or self._shut_for, self._shut_for)
        elif self._input is not None:
            poller.register(self._input, select.POLLIN)
        for descriptor, events in poller.poll(None if seconds is None else seconds * 1000):
            if descriptor in self._unread and events & GONE:
                self._gone = True
