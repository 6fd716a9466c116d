"""Hosts for the connector whose ssh sessions end in the test: it reads and writes what a host process would."""

from __future__ import annotations

import json
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fedfutures.wire.control import ControlFrame
from fedfutures.wire.framing import FrameReader, pack
from fedfutures_launcher.remote.hello import MAGIC
from fedfutures_launcher.remote.preflight import local_versions
from fedfutures_launcher.ssh.client import Client
from fedfutures_launcher.ssh.session import LoginTarget, Session
from fedfutures_launcher.ssh.texts.failures import Failure

SECONDS = 5.0


class FarHost:
    """The far end of one session."""

    def __init__(self, target: LoginTarget) -> None:
        self.target = target
        self.session: Session | None = None
        self._begun, self._over = threading.Event(), threading.Event()
        self._reader = FrameReader()

    def serve(self, session: Session, before: Callable[[], object]) -> None:
        """Be there until the test or the connector ends the session."""
        self.session = session
        session.on_close(self._over.set)
        session.on_connected()
        self._begun.set()
        before()
        self._over.wait(60.0)

    def _open(self) -> Session:
        assert self._begun.wait(SECONDS)
        assert self.session is not None
        return self.session

    def write(self, data: bytes) -> None:
        os.write(self._open().output, data)

    def print_error(self, data: bytes) -> None:
        os.write(self._open().errors, data)

    def say(self, *frames: ControlFrame) -> None:
        for frame in frames:
            self.write(pack(frame))

    def say_hello(self, **facts: Any) -> None:
        """Say what a host says that is like this one, but for these facts."""
        own = {
            **asdict(local_versions()),
            "executable": "/py",
            "processors": 4,
            "memory": 1 << 33,
            "address": "10.0.0.1",
        }
        self.write(MAGIC + json.dumps({**own, **facts}).encode() + b"\n")

    def heard(self) -> list[ControlFrame]:
        """Return the frames that have come."""
        session = self._open()
        if not select.select([session.input], [], [], 0.0)[0]:
            return []
        return self._reader.feed(os.read(session.input, 1 << 18))

    def end(self, failure: Failure | None = None) -> None:
        """End the session from this side."""
        session = self._open()
        session.on_failure(failure)
        self._over.set()
        session.join(time.monotonic() + SECONDS)


class FarHosts(Client):
    """A client whose sessions are these; the last one of a host counts."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[FarHost] = []
        self.by: list[str] = []  # the launchers of the sessions
        self.before: Callable[[FarHost], object] = lambda host: None  # what a host does as its session begins

    def start(self, target: LoginTarget) -> Session:
        self.sessions.append(FarHost(target))
        return super().start(target)

    def called(self, name: str) -> Client:
        """Return a client of this name that starts the sessions of this one."""
        return _Called(self, name)

    def serve(self, session: Session) -> None:
        host = next(far for far in self.sessions if far.target is session.target)
        host.serve(session, lambda: self.before(host))

    @property
    def last(self) -> FarHost:
        return self.sessions[-1]


class _Called(Client):
    def __init__(self, hosts: FarHosts, name: str) -> None:
        super().__init__()
        self.name, self._hosts = name, hosts

    def start(self, target: LoginTarget) -> Session:
        self._hosts.by.append(self.name)
        return self._hosts.start(target)


def until(condition: Callable[[], bool], turn: Callable[[], None]) -> bool:
    """Turn until the condition holds; False when that takes too long."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        turn()
    return True
