"""A program at the door: each way in which nobody, or somebody else, is there is a clear error."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedfutures.errors import StartFailed
from fedfutures.host.greeting import line
from fedfutures.standing import joining
from fedfutures.standing.joining import DoorVisit, ForkedProcess, status_of
from fedfutures.standing.places import StandingPlace
from fedfutures.wire.control import HostProcessEnded, HostStarted, StartHost, StartRefused, StatusWanted
from fedfutures.wire.framing import pack

START = StartHost({}, {}, {}, "", 0o22)


@pytest.fixture
def door() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        yield os.path.join(directory, "door")


def serve(door: str, answer: Callable[[socket.socket], None]) -> threading.Thread:
    """Have somebody at the door, for one visit."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(door)
    listener.listen(1)

    def run() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            answer(connection)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_nobody_is_there(door: str) -> None:
    with pytest.raises(StartFailed, match=r"lab has no keeper any more: it was killed.*fedfutures up lab"):
        DoorVisit(door, "lab")


def test_another_version_is_there(door: str) -> None:
    thread = serve(door, lambda connection: connection.sendall(b"fedfutures-door 9.9 (protocol 99)\n"))
    visit = DoorVisit(door, "lab")
    thread.join()  # it has hung up already
    with pytest.raises(StartFailed, match=r"fedfutures 9\.9 \(protocol 99\), and this is .*fedfutures down lab"):
        visit.ask(StatusWanted())
    visit.close()
    thread.join()


def test_somebody_is_there_who_does_not_speak(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "ANSWER_SECONDS", 0.2)
    done = threading.Event()
    thread = serve(door, lambda connection: done.wait(10) and None)  # type: ignore[func-returns-value]
    visit = DoorVisit(door, "lab")
    with pytest.raises(StartFailed, match=r"the keeper of lab \(pid [0-9]+\) has not answered for 0.2 s.*kill -9 "):
        visit.ask(StatusWanted())
    visit.close()
    done.set()
    thread.join()


def test_a_start_that_is_refused_leaves_nothing_open(door: str) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.sendall(line())
        heard = b""
        while len(heard) < len(line() + pack(START)):
            heard += connection.recv(1 << 16)
        connection.sendall(pack(StartRefused("no processes are left", 1, {})))

    thread = serve(door, refuse)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(StartFailed, match="no processes are left"):
        ForkedProcess(DoorVisit(door, "lab"), START)
    thread.join()
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def test_how_a_process_has_ended(door: str) -> None:
    child = subprocess.Popen(["sleep", "60"])

    def answer(connection: socket.socket) -> None:
        connection.sendall(line() + pack(HostStarted(child.pid)))
        child.wait()
        connection.sendall(pack(HostProcessEnded(5)))

    thread = serve(door, answer)
    process = ForkedProcess(DoorVisit(door, "lab"), START)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.kill()
    assert process.wait(5) == process.wait() == process.returncode == 5
    thread.join()
    process.stdin.close()
    process.stdout.close()


def test_how_a_process_has_ended_whose_host_server_was_killed(door: str) -> None:
    child = subprocess.Popen(["sleep", "60"])

    def answer(connection: socket.socket) -> None:
        connection.sendall(line() + pack(HostStarted(child.pid)))
        child.wait()

    thread = serve(door, answer)
    process = ForkedProcess(DoorVisit(door, "lab"), START)
    process.kill()
    child.wait()
    assert process.wait(5) == -9
    thread.join()
    process.stdin.close()
    process.stdout.close()


def test_a_record_that_others_may_change_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = StandingPlace("lab")
    place.make()
    place.write({"door": "/nowhere"})
    os.chmod(place.path, 0o777)
    with pytest.raises(StartFailed, match="others may enter"):
        status_of("lab")
