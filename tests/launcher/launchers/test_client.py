"""Sessions by a command: real processes, which leave nothing behind."""

from __future__ import annotations

import os
import select
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import machines

from fedfutures_launcher.launchers.client import CommandClient
from fedfutures_launcher.launchers.command import Command
from fedfutures_launcher.ssh.session import LoginTarget, Session

SECONDS = 5.0
Start = Callable[..., Session]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """What starts a session by a script; no descriptor, thread or process is left of it."""
    clients: list[CommandClient] = []
    descriptors, threads = len(os.listdir("/proc/self/fd")), set(threading.enumerate())
    children = set(machines.children(os.getpid()))

    def start(script: str, command: str = "cat", host: str = "localhost") -> Session:
        path = tmp_path / "launch"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(stat.S_IRWXU)
        clients.append(CommandClient(Command(str(path))))
        return clients[-1].start(LoginTarget("h", host, command=command))

    yield start
    for client in clients:
        client.close()
    machines.wait_until(lambda: set(threading.enumerate()) <= threads, "no thread is left")
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert set(machines.children(os.getpid())) <= children


def read(session: Session, descriptor: int | None = None) -> bytes:
    """Return all that a session says until its end."""
    found, number = b"", session.read_fd if descriptor is None else descriptor
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if select.select([number], [], [], 0.1)[0]:
            data = os.read(number, 1 << 16)
            if not data:
                return found
            found += data
    raise AssertionError(f"no end; so far {found!r}")


def test_the_streams_of_the_command_are_those_of_the_session(start: Start) -> None:
    session = start('echo "for $1" >&2; exec sh -c "$2"', "cat; exit 3")
    data = bytes(range(256)) * 1000
    os.write(session.write_fd, data)
    session.close_input()
    assert read(session) == data
    assert (session.connected, session.status, session.failure) == (True, 3, None)
    assert read(session, session.error_fd) == b"for localhost\n"


def test_the_name_of_the_host_is_looked_up(start: Start) -> None:
    session = start("exec cat")
    machines.wait_until(lambda: session.address, "an address")
    assert session.address in ("127.0.0.1", "::1")


def test_a_command_that_is_missing_has_failed() -> None:
    client = CommandClient(Command("/no/such thing"))
    session = client.start(LoginTarget("h", "h", command="true"))
    assert read(session) == b""
    assert session.failure is not None
    assert session.failure.kind == "launcher missing"
    assert "'/no/such' cannot be started: No such file" in session.failure.text
    client.close()


def test_a_command_that_ignores_the_end_is_killed_with_what_it_has_started(start: Start) -> None:
    session = start("trap '' TERM QUIT; sleep 600 & echo $! ; sleep 600")
    assert select.select([session.read_fd], [], [], SECONDS)[0]
    child = int(os.read(session.read_fd, 100))
    before = time.monotonic()
    session.close()
    session.join(time.monotonic() + SECONDS)
    assert time.monotonic() - before < 2.0
    machines.wait_until(lambda: not machines.name_of(child), "what it has started is gone")


def test_a_command_may_end_in_its_own_way(start: Start, tmp_path: Path) -> None:
    session = start(
        f"exec 2>/dev/null; trap 'echo over > {tmp_path}/said; exit' QUIT; echo up; while :; do sleep 0.01; done"
    )
    assert select.select([session.read_fd], [], [], SECONDS)[0]
    session.close()
    session.join(time.monotonic() + SECONDS)
    assert (tmp_path / "said").read_text() == "over\n"
