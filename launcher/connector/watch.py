"""What a joined program's connector hears of the hosts of its standing Federation, as they come and go.

It is a session by the keeper's connector that runs nothing: frames come on it. When it ends, another one is made.
"""

from __future__ import annotations

import select
import time

from fedfutures.errors import RemoteProtocolError
from fedfutures.host.frame_line import FrameLine
from fedfutures.wire.control import ControlFrame

from ..ssh.client import Client
from ..ssh.session import LoginTarget, Session

PAUSE_SECONDS = 2.0
"""Between two sessions: the keeper's connector may be gone for a moment."""


class HostsWatch:
    """The session by `client`, and those that follow it; `poller` is the connector's."""

    def __init__(self, client: Client, poller: select.poll) -> None:
        self._client, self._poller = client, poller
        self._session: Session | None = None
        self._line: FrameLine | None = None
        self._due = 0.0
        self._said: ControlFrame | None = None
        self._is_heard = False  # the keeper's connector has answered in this session

    def tick(self, now: float) -> None:
        """Begin a session, if there is none and it is time to."""
        if self._session is None and now >= self._due:
            self._session = session = self._client.start(LoginTarget("", ""))  # no host, and nothing to run there
            self._line = FrameLine(session.read_fd, session.write_fd, self._poller)

    def say(self, frame: ControlFrame) -> None:
        """Say this now, and at the beginning of each session that follows, until something else is said."""
        self._said = frame
        if self._line is not None and self._is_heard:
            self._line.send(frame)

    def serve(self, descriptor: int, events: int) -> list[ControlFrame] | None:
        """Return the frames that have come; None: the descriptor is none of the session's."""
        line = self._line
        if line is None or descriptor not in (line.read, line.write):
            return None
        if descriptor == line.write and events & select.POLLOUT:
            line.flush()
        data = line.receive()
        if data is None:
            return []
        try:
            if data:
                return self._heard(line.reader.feed(data))
        except RemoteProtocolError:
            pass
        self.close()
        return []

    def _heard(self, frames: list[ControlFrame]) -> list[ControlFrame]:
        if frames and not self._is_heard:
            self._is_heard = True
            if self._said is not None:
                self.say(self._said)
        return frames

    def close(self) -> None:
        """End the session; the next one comes after a pause."""
        if self._session is not None and self._line is not None:
            self._line.let_go()
            self._session.close()
        self._session = self._line = None
        self._is_heard = False
        self._due = time.monotonic() + PAUSE_SECONDS
