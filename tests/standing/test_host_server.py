"""The host server at its door: whoever comes, and whatever is said, it goes on."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures.errors import RemoteProtocolError
from fedfutures.host.greeting import Greeting, line
from fedfutures.standing.host_server import HostServer
from fedfutures.standing.identity import OURS
from fedfutures.standing.visitors import DoorVisitor
from fedfutures.wire.control import (
    ControlFrame,
    Heartbeat,
    HostProcessEnded,
    HostStarted,
    NoWorkersLeft,
    ResizeHost,
    RunReport,
    StartHost,
    StatusWanted,
)
from fedfutures.wire.framing import FrameReader, pack

pytestmark = pytest.mark.host


GUESTS: list[Guest] = []


class Guest:
    """Somebody at the door."""

    def __init__(self, server: HostServer) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(server.door)
        self.socket.setblocking(False)
        self.socket.send(line())
        self.reader, self.greeting, self.heard = FrameReader(), Greeting(), list[ControlFrame]()
        self.gone = False
        GUESTS.append(self)

    def say(self, frame: ControlFrame, *descriptors: int) -> None:
        socket.send_fds(self.socket, [pack(frame)], descriptors)

    def listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := self.socket.recv(1 << 16):
                self.heard += self.reader.feed(self.greeting.feed(data))
            self.gone = True


def begin() -> None:
    """A host process that says who it is, and ends when its input does."""
    os.write(1, f"{os.getppid()} {os.getcwd()} {os.environ['COLOUR']} {os.umask(0):o}\n".encode())
    while os.read(0, 10):
        pass
    raise SystemExit


@pytest.fixture
def server() -> Iterator[HostServer]:
    def on_other(visitor: DoorVisitor, frame: ControlFrame) -> None:
        if isinstance(frame, StatusWanted):
            raise KeyError("a fault of our own")
        raise RemoteProtocolError("what is that?")

    handler = signal.getsignal(signal.SIGCHLD)
    directory = tempfile.mkdtemp()  # the path of a socket has a bound
    server = HostServer(directory, 2, begin, on_other)
    yield server
    guests, GUESTS[:] = list(GUESTS), []
    for guest in guests:  # the end kills who still reports, and that is this process
        guest.socket.close()
    served(server, seconds=0.05)
    if os.path.exists(server.door):
        server.end("the test is over")
    os.rmdir(directory)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, handler)


def served(server: HostServer, *guests: Guest, seconds: float = 0.3) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        server.wait(time.monotonic() + 0.02)
        for guest in guests:
            guest.listen()


def start(tmp_path: Path) -> StartHost:
    return StartHost(OURS, {"0": "/bin/false"}, {"COLOUR": "red"}, str(tmp_path), 0o27)


def test_a_fork_is_as_the_program_wants_it(server: HostServer, tmp_path: Path) -> None:
    guest = Guest(server)
    (their_in, our_out), (our_in, their_out) = os.pipe(), os.pipe()
    guest.say(start(tmp_path), their_in, their_out, 2)
    served(server, guest)
    os.close(their_in)
    os.close(their_out)
    assert select.select([our_in], [], [], 5)[0]
    assert os.read(our_in, 1000).decode() == f"{os.getpid()} {tmp_path} red 27\n"
    [started] = guest.heard
    assert isinstance(started, HostStarted)
    assert server.is_used
    os.close(our_out)
    served(server, guest)
    assert guest.heard[1:] == [HostProcessEnded(0)]
    assert not server.is_used
    os.close(our_in)


def test_another_interpreter_is_started(server: HostServer, tmp_path: Path) -> None:
    guest = Guest(server)
    (their_in, our_out), (our_in, their_out) = os.pipe(), os.pipe()
    frame = start(tmp_path)
    frame.identity = {**OURS, "python": "another"}
    frame.command = {"0": "/bin/sh", "1": "-c", "2": "echo $COLOUR; umask; exit 3"}
    guest.say(frame, their_in, their_out, 2)
    served(server, guest)
    assert os.read(our_in, 1000) == b"red\n0027\n"
    assert guest.heard[1:] == [HostProcessEnded(3)]
    for descriptor in (their_in, our_out, our_in, their_out):
        os.close(descriptor)


def test_a_start_without_streams_costs_that_visitor_its_connection(server: HostServer, tmp_path: Path) -> None:
    guest, other = Guest(server), Guest(server)
    guest.say(start(tmp_path))
    served(server, guest, other)
    assert guest.gone
    assert not other.gone
    assert not server.is_used


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", line() + b"\0\0\0\2\x91\xff", line() + pack(Heartbeat())])
def test_nonsense_costs_only_who_says_it(server: HostServer, said: bytes) -> None:
    guest, other = Guest(server), Guest(server)
    guest.socket.send(said[len(line()) :] if said.startswith(line()) else said)
    served(server, guest, other)
    assert guest.gone
    assert not other.gone


def test_a_fault_of_our_own_costs_only_that_visitor(server: HostServer, capsys: pytest.CaptureFixture[str]) -> None:
    guest, other = Guest(server), Guest(server)
    guest.say(StatusWanted())
    served(server, guest, other)
    assert guest.gone
    assert not other.gone
    assert f"process {os.getpid()} was hung up on: KeyError" in capsys.readouterr().err


def test_runs_have_shares_and_leave_with_their_connection(server: HostServer) -> None:
    one, two = Guest(server), Guest(server)
    one.say(RunReport("one", 5, 0, 0, "p.py"))
    served(server, one, two)
    assert one.heard == [ResizeHost(2)]
    one.say(RunReport("one", 5, 2, 1, "p.py"))
    two.say(RunReport("two", 5, 0, 0, "q.py"))
    served(server, one, two, seconds=1.5)
    assert one.heard[1:] == [ResizeHost(1)]
    one.say(RunReport("one", 5, 1, 2, "p.py"))
    served(server, one, two)
    assert two.heard[-1] == ResizeHost(1)
    assert {run: of["program"] for run, of in server.runs.items()} == {"one": "p.py", "two": "q.py"}
    one.socket.close()
    served(server, two)
    assert two.heard[-1] == ResizeHost(2)
    assert list(server.runs) == ["two"]


def test_a_run_that_comes_again_is_told_again(server: HostServer) -> None:
    """Before its old connection is known to be lost; what it was told there may not have come."""
    lost, other = Guest(server), Guest(server)
    lost.say(RunReport("one", 5, 0, 0))
    served(server, lost, other)
    again = Guest(server)
    again.say(RunReport("one", 5, 2, 0))
    served(server, lost, again)
    assert again.heard == [ResizeHost(2)]
    lost.socket.close()
    again.say(RunReport("one", 1, 2, 1))
    served(server, again)
    assert list(server.runs) == ["one"]
    other.say(RunReport("two", 5, 0, 0))
    served(server, again, other)
    assert again.heard[1:] == [ResizeHost(1)]
    again.say(RunReport("one", 1, 1, 2))
    served(server, again, other)
    assert other.heard[-1] == ResizeHost(1)


def test_a_host_process_speaks_for_its_own_run(server: HostServer) -> None:
    one, two = Guest(server), Guest(server)
    one.say(RunReport("one", 5, 0, 0))
    two.say(RunReport("two", 5, 0, 0))
    served(server, one, two)
    two.say(RunReport("one", 0, 0, 1))
    served(server, one, two)
    assert two.gone
    assert list(server.runs) == ["one"]


def test_the_end_takes_host_processes_along(tmp_path: Path, server: HostServer) -> None:
    guest = Guest(server)
    frame = start(tmp_path)
    frame.identity = {**OURS, "python": "another"}
    frame.command = {"0": "/bin/sleep", "1": "60"}
    guest.say(frame, 0, 1, 2)
    served(server, guest)
    [started] = guest.heard
    assert isinstance(started, HostStarted)
    begun = time.monotonic()
    server.end("over")
    assert time.monotonic() < begun + 3
    assert not os.path.exists(server.door)
    assert os.waitpid(started.pid, 0)[1] == signal.SIGKILL


def test_a_run_learns_why_it_ends(server: HostServer) -> None:
    guest = Guest(server)
    guest.say(RunReport("one", 5, 0, 0))
    served(server, guest)
    server.say_why("over")
    guest.listen()
    assert guest.heard[-1] == NoWorkersLeft("over")
