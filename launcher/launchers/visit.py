"""A host at a meeting: its connection becomes the streams of a session."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable

from fedfutures.host.secure_line import Joint, SecureLine
from fedfutures.host.system import write_all

from ..remote.hello import MAGIC
from ..ssh.session import Session
from .meeting import Meeting

LOOK_SECONDS = 0.02
REST_SECONDS = 1.0
"""So long a connection lasts after the command that has started the host has ended, and that command after it."""
CHUNK_BYTES = 1 << 16


class Visit:
    """Serves a session. `said` has what the launcher's command says: the session's output until a host has come.

    So a command that passes streams after all works as well: its host cannot come, and says its hello there.
    """

    def __init__(self, session: Session, meeting: Meeting, said: int) -> None:
        self._session, self._meeting, self._said = session, meeting, said
        self._is_said = False  # all that the command says
        self._heard = b""

    def serve(self, has_ended: Callable[[], bool], has_failed: Callable[[], bool]) -> None:
        """Serve until the session is closed, the connection or the command has ended.

        `has_ended`: whether the command has; `has_failed`: whether it has failed then, so that nothing was started.
        """
        with contextlib.suppress(BrokenPipeError):  # the session was closed
            line = self._await(has_ended, has_failed)
            if line is None:
                return
            try:
                self._join(line, has_ended)
                self._await_end(has_ended)
            finally:
                line.close()

    def _await(self, has_ended: Callable[[], bool], has_failed: Callable[[], bool]) -> SecureLine | None:
        """Return the line to the host; None: it will not come, or there was no need, and all is over."""
        wake = self._session.wake
        while True:
            is_last = has_ended()
            others = [wake] if self._is_said else [wake, self._said]
            line, ready = self._meeting.wait(0.0 if is_last else LOOK_SECONDS, *others)
            if line is not None:
                self._meeting.close()
                return line
            if wake in ready:
                return None
            if self._said in ready:
                self._heard = self._heard[-len(MAGIC) :] + self._hand_on(self._session.output)
                if MAGIC in self._heard:
                    self._meeting.close()
                    self._pass_on()
                    return None
            elif is_last:
                self._tell_why(started=not has_failed())
                return None

    def _pass_on(self) -> None:
        """Pass on all that the command says: it has the host's streams, and reads the session's input by itself."""
        poller = select.poll()
        for descriptor in (self._said, self._session.wake):
            poller.register(descriptor, select.POLLIN)
        while not self._is_said:
            if any(descriptor == self._session.wake for descriptor, _ in poller.poll()):
                return
            self._hand_on(self._session.output)

    def _join(self, line: SecureLine, has_ended: Callable[[], bool]) -> None:
        session, until = self._session, 0.0
        for descriptor in (session.input, session.output):
            os.set_blocking(descriptor, False)
        joint = Joint(line, session.input, session.output, lambda: session.drop(session.output))
        while not joint.sink_ended:
            others = [session.wake] if self._is_said else [session.wake, self._said]
            ready = joint.turn(LOOK_SECONDS, *others)
            if session.wake in ready:
                return
            if self._said in ready:
                self._hand_on(session.errors)
            if has_ended():
                until = until or time.monotonic() + REST_SECONDS
                if time.monotonic() > until:
                    return

    def _await_end(self, has_ended: Callable[[], bool]) -> None:
        """Let the command end by itself, so that its exit code is the host's."""
        until = time.monotonic() + REST_SECONDS
        while not self._session.closed and not has_ended() and time.monotonic() < until:
            self._session.pause(LOOK_SECONDS)

    def _hand_on(self, to: int) -> bytes:
        data = os.read(self._said, CHUNK_BYTES)
        self._is_said = not data
        write_all(to, data)
        return data

    def _tell_why(self, *, started: bool) -> None:
        """Say why no host has come, as if the command had said it. `started`: that has gone well."""
        words = self._meeting.words()
        if words:
            write_all(self._session.output, words)
        if words or not started:
            return
        where = self._session.target.meeting
        text = f"fedfutures: nobody has come who was to read {where}: perhaps that host has another home directory\n"
        write_all(self._session.errors, text.encode())
