"""Hosts come to a meeting: by a `pbsdsh` that passes no streams, as its manual says; real processes on this machine.

What comes is the host's command line as for any launcher, or a program that joins descriptors 0 and 1 and is then `sh`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import machines

from fedfutures.host.invitation import Invitation
from fedfutures_launcher.launchers.client import CommandClient
from fedfutures_launcher.launchers.pbsdsh import Pbsdsh
from fedfutures_launcher.remote.hello import HelloReader
from fedfutures_launcher.ssh.session import LoginTarget, Session
from fedfutures_launcher.ssh.texts.command import remote_command

SECONDS = 15.0
PASSES_NOTHING = 'shift 3; "$@" </dev/null >>"$HOME/job.out"'
PASSES_STREAMS = 'shift 3; exec "$@"'
COMING = "import os,sys;from fedfutures.host.meeting import come;sys.stderr.write(str(come(sys.argv[1])));"
Start = Callable[..., Session]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """What starts a session by a pbsdsh with such a script; nothing is left of it."""
    clients: list[CommandClient] = []
    descriptors, threads = len(os.listdir("/proc/self/fd")), set(threading.enumerate())
    nodes = tmp_path / "nodes"
    nodes.write_text("localhost\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PBS_NODEFILE", str(nodes))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "home").mkdir()

    def start(script: str, command: Callable[[str], str]) -> Session:
        path = tmp_path / "pbsdsh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        clients.append(CommandClient(Pbsdsh()))
        place = clients[-1].new_meeting()
        return clients[-1].start(LoginTarget("h", "localhost", command=command(place), meeting=place))

    yield start
    for client in clients:
        client.close()
    machines.wait_until(lambda: set(threading.enumerate()) <= threads, "no thread is left")
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    machines.wait_until(lambda: not with_home(tmp_path / "home"), "no process is left")
    assert not files(tmp_path / "home")


def with_home(home: Path) -> list[int]:
    """Return the processes that a session has started: they have this home."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"HOME={home}".encode() in words:
                found.append(int(name))
    return found


def files(home: Path) -> list[str]:
    folder = home / ".cache" / "fedfutures"
    return os.listdir(folder) if folder.exists() else []


def host(place: str) -> str:
    """Return the command line of a host process."""
    return remote_command([sys.executable], meeting=place)


def coming_as(program: str) -> Callable[[str], str]:
    """Return the command line of what comes and is then a shell's program."""
    script = f"{COMING}os.execlp('/bin/sh', 'sh', '-c', '{program}')"
    return lambda place: f'exec {sys.executable} -c "{script}" {place}'


def read(session: Session, until: bytes | None = None) -> bytes:
    """Return what a session says until its end, or until these bytes."""
    found, deadline = b"", time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if select.select([session.read_fd], [], [], 0.1)[0]:
            data = os.read(session.read_fd, 1 << 16)
            found += data
            if not data or (until is not None and until in found):
                return found
    raise AssertionError(f"no end; so far {found[-1000:]!r}")


def errors(session: Session) -> str:
    """Return all that it says on standard error."""
    found = b""
    while select.select([session.error_fd], [], [], 1.0)[0] and (data := os.read(session.error_fd, 1 << 16)):
        found += data
    return found.decode()


def write(session: Session, data: bytes) -> None:
    os.set_blocking(session.write_fd, True)
    while data:
        data = data[os.write(session.write_fd, data) :]


def test_all_bytes_pass_both_ways_and_so_do_the_ends(start: Start, tmp_path: Path) -> None:
    session = start(PASSES_NOTHING, coming_as("cat; exit 3"))
    data = os.urandom(1 << 20)
    writer = threading.Thread(target=lambda: (write(session, data), session.close_input()))
    writer.start()
    assert read(session) == data
    writer.join()
    machines.wait_until(lambda: session.status is not None, "the exit code")
    assert (session.status, session.failure) == (3, None)
    assert errors(session) == "True"
    assert not (tmp_path / "home" / "job.out").read_bytes(), "the bytes took no other way"


def test_the_file_is_gone_when_the_host_has_come(start: Start, tmp_path: Path) -> None:
    session = start(PASSES_NOTHING, coming_as("echo up; exec cat"))
    assert read(session, b"up\n") == b"up\n"
    assert not files(tmp_path / "home")


def test_the_secret_is_nowhere_but_in_the_file(start: Start, tmp_path: Path) -> None:
    look = f"cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >{tmp_path}/seen 2>/dev/null; exec cat"
    copy = f"cp $HOME/.cache/fedfutures/meeting-* {tmp_path}/invitation; {PASSES_NOTHING}"
    session = start(copy, coming_as(f"{look}"))
    machines.wait_until((tmp_path / "seen").exists, "what others can see")
    session.close_input()
    read(session)
    invitation, seen = Invitation.read(str(tmp_path / "invitation")), (tmp_path / "seen").read_bytes()
    assert invitation.secret.encode() not in seen
    assert b"fedfutures/meeting-" in seen


def test_the_host_process_says_hello(start: Start) -> None:
    session, reader = start(PASSES_NOTHING, host), HelloReader()
    reader.feed(read(session, b"}\n"))
    assert reader.hello is not None
    assert reader.hello.error is None


@pytest.mark.parametrize(
    ("script", "said"), [(PASSES_STREAMS, "True"), (f"HOME=/nowhere; {PASSES_STREAMS}", "False")], ids=["both", "one"]
)
def test_a_launcher_that_passes_streams_works_as_well(start: Start, script: str, said: str) -> None:
    session = start(script, coming_as(r"printf \"\\n\\036fedfutures up\\n\"; cat; exit 4"))
    assert read(session, b"up\n") == b"\n\x1efedfutures up\n"
    write(session, b"some")
    session.close_input()
    assert read(session) == b"some"
    machines.wait_until(lambda: session.status is not None, "the exit code")
    assert session.status == 4
    assert errors(session) == said


def test_another_home_is_said_to_be_the_cause(start: Start) -> None:
    session = start(f"HOME=/nowhere; {PASSES_NOTHING.replace('$HOME/job.out', '/dev/null')}", host)
    assert read(session) == b""
    assert "perhaps that host has another home directory" in errors(session)


def test_a_command_that_has_started_nothing_speaks_for_itself(start: Start) -> None:
    session = start("echo 'error from tm_poll() 17002' >&2; exit 1", host)
    assert read(session) == b""
    assert errors(session) == "error from tm_poll() 17002\n"


def test_a_host_without_python_or_fedfutures_says_so_in_the_file(start: Start) -> None:
    for command in (
        lambda place: remote_command(["/no/python"], meeting=place),
        lambda place: remote_command([sys.executable], "/no/prolog", meeting=place),
        lambda place: remote_command([sys.executable], meeting=place, flags=["-S"]),
    ):
        session, reader = start(PASSES_NOTHING, command), HelloReader()
        reader.feed(read(session))
        assert reader.hello is not None
        assert (reader.hello.prolog, reader.hello.tried, "fedfutures" in str(reader.hello.error)) in (
            (None, ("/no/python",), False), ("/no/prolog", (), False), (None, (), True),
        )  # fmt: skip


def test_a_host_that_cannot_connect_says_why(start: Start) -> None:
    closed = 'sed -i \'s/"port": [0-9]*/"port": 1/\' $HOME/.cache/fedfutures/meeting-*'
    session = start(f"{closed}; {PASSES_NOTHING}", host)
    assert b"could not connect: " in (said := read(session)), said
    assert b": Connection refused" in said


def test_a_host_that_is_killed_ends_the_session(start: Start) -> None:
    session = start(PASSES_NOTHING, coming_as("echo $$; exec sleep 600"))
    os.kill(int(read(session, b"\n")), signal.SIGKILL)
    assert read(session) == b""


def test_a_pump_that_is_killed_ends_the_session_and_the_input_of_the_host(start: Start, tmp_path: Path) -> None:
    session = start(PASSES_NOTHING, coming_as(f"echo $$; cat; echo over >{tmp_path}/over"))
    read(session, b"\n")
    pumps = [pid for pid in with_home(tmp_path / "home") if machines.name_of(pid) == "fedfut-meeting"]
    os.kill(pumps[0], signal.SIGKILL)
    assert read(session) == b""
    machines.wait_until((tmp_path / "over").exists, "the end of its input")


def test_the_end_of_the_command_ends_the_session(start: Start) -> None:
    session = start('shift 3; "$@" </dev/null >/dev/null & sleep 1.5; exit 5', coming_as("echo up; exec cat"))
    assert read(session, b"up\n") == b"up\n"
    assert read(session) == b""
    machines.wait_until(lambda: session.status is not None, "the exit code")
    assert session.status == 5


@pytest.mark.parametrize("come", [True, False])
def test_a_session_that_is_closed_leaves_nothing(start: Start, come: bool) -> None:
    session = start(PASSES_NOTHING if come else "exec sleep 600", coming_as("echo up; exec cat"))
    if come:
        read(session, b"up\n")
    before = time.monotonic()
    session.close()
    session.join(time.monotonic() + SECONDS)
    assert session.over
    assert time.monotonic() - before < 2.0


def test_a_home_that_cannot_be_written_is_a_failure(start: Start, tmp_path: Path) -> None:
    (tmp_path / "home" / ".cache").write_text("in the way")
    session = start(PASSES_NOTHING, host)
    assert read(session) == b""
    assert session.failure is not None
    assert session.failure.kind == "no meeting"
    assert "h" in session.failure.text


def test_a_host_that_is_not_of_the_job_is_a_failure(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nodes").write_text("n7\n")
    session = start(PASSES_NOTHING, host)
    assert read(session) == b""
    assert session.failure is not None
    assert session.failure.kind == "not of the job"
    monkeypatch.delenv("PBS_NODEFILE")
    session = start(PASSES_NOTHING, host)
    assert read(session) == b""
    assert session.failure is not None
    assert session.failure.kind == "not in a job"
