"""What both ssh clients share: sessions, each in a thread of its own, and logins that a busy server drops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from .configuration import Unusable
from .pacing import Pace, pause
from .session import CONNECT_SECONDS, Closable, LoginTarget, Session
from .texts import failures
from .texts.failures import Place

UNCHECKED = "the ssh config says StrictHostKeyChecking {value}: keys of hosts that are not known are taken unseen"
BUSY_SECONDS = 19.5
"""A server that drops logins, because there are many, has failed after this long."""

JOIN_SECONDS = 2.0

T = TypeVar("T")


class Dropped(Exception):
    """The server has ended the connection before anybody could log in."""


class Client:
    """Starts sessions. `config_file` takes the place of the user's and the system's ssh config.

    `seconds`: how long a host may take to answer.
    """

    name = "ssh"
    shares_home = False  # hosts have the home of here, and a command that people type gets no input from here

    def __init__(
        self, config_file: str | None = None, *, host_key_policy: str = "reject", seconds: float = CONNECT_SECONDS
    ) -> None:
        self.config_file, self.seconds = config_file, seconds
        self.accept_new = host_key_policy == "accept-new"
        self._pace = Pace()
        self._said: set[str] = set()
        self._sessions: list[Session] = []
        self._starting = threading.Lock()

    def start(self, target: LoginTarget) -> Session:
        """Start a session; returns at once. Any thread may call this."""
        session = Session(target)
        with self._starting:
            self._sessions = [*(known for known in self._sessions if not known.over), session]
        session.begin(self._run)
        return session

    def new_meeting(self) -> str:
        """Return the path of a file by which a host finds a new meeting; "": what starts it there passes streams."""
        return ""

    def close(self) -> None:
        """Close all sessions, and wait until every thread and process has ended."""
        for session in self._sessions:
            session.close()
        deadline = time.monotonic() + JOIN_SECONDS
        for session in self._sessions:
            session.join(deadline)
        self._sessions.clear()

    def serve(self, session: Session) -> None:
        """Connect, run the command and move bytes until it has ended, in the session's thread. Raises Unusable."""
        raise NotImplementedError

    def log_in(self, place: Place, server: str, life: Closable, limit: float, attempt: Callable[[float], T]) -> T:
        """Return what `attempt`, given the seconds it may take, returns; try again while it raises Dropped.

        One attempt takes at most `limit` seconds. Raises Unusable when the server drops all of them.
        """
        started, tries = 0.0, 0
        while True:
            with self._pace.slot(server):
                now = time.monotonic()
                started = started or now
                try:
                    return attempt(max(0.1, min(limit, started + max(limit, BUSY_SECONDS) - now)))
                except Dropped as error:
                    detail = str(error)
            tries += 1
            self._pace.dropped(server)
            rest = pause(tries)
            if life.closed or time.monotonic() + rest > started + BUSY_SECONDS:
                raise Unusable(failures.TOO_MANY_CONNECTIONS(place, detail, tries=tries))
            life.pause(rest)

    def say_once(self, notes: list[str], text: str) -> None:
        """Add what people are told once, not for each host, to the notes of a session."""
        if text not in self._said:
            self._said.add(text)
            notes.append(text)

    def _run(self, session: Session) -> None:
        try:
            self.serve(session)
        except Unusable as error:
            session.on_failure(error.failure)
        except Exception as error:
            session.on_failure(failures.PROTOCOL(session.target.host, f"{type(error).__name__}: {error}"))
