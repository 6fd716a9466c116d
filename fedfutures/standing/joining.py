"""A program joins a standing Federation: it finds the keeper, and has host processes forked by host servers."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pickle import PicklingError
from typing import IO, Any

from ..errors import RemoteProtocolError, StartFailed
from ..host import starting
from ..host.greeting import Greeting, OtherVersion, line, ours
from ..host.handle import HostHandle, command_here
from ..host.here import directory_here
from ..host.hosts import Hosts
from ..host.settings import Settings
from ..host.system import processors
from ..wire.control import (
    ControlFrame,
    HostProcessEnded,
    HostStarted,
    ServerStatus,
    StartHost,
    StartRefused,
    StatusWanted,
)
from ..wire.framing import FrameReader, pack
from .identity import identity
from .places import StandingPlace, names
from .start import HasKeeper, recovered
from .status import Status, status_from
from .visitors import is_stopped, pid_behind

ANSWER_SECONDS = 5.0
CODE_SECONDS = 0.5
AGAIN_SECONDS = 20.0
"""For so long a program tries to start the keeper again, and waits for one that is being started."""
PAUSE_SECONDS = 0.05


class KeeperGone(StartFailed):
    """Nobody is behind the door, or not any more."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the standing Federation {name} has no keeper any more: it was killed. A program that joins starts it "
            f"again, and so does: fedfutures up {name}", 3
        )  # fmt: skip


class OtherKeeper(StartFailed):
    """The keeper is fedfutures of another version."""

    def __init__(self, name: str, error: OtherVersion) -> None:
        super().__init__(
            f"the keeper of {name} is fedfutures {error.theirs}, and this is {ours()}. Take it down and start it "
            f"again: fedfutures down {name}", 2
        )  # fmt: skip


class DoorVisit:
    """A connection to the door of a host server, from outside; it blocks, for a bounded time.

    Raises StartFailed; KeeperGone where nobody is there, OtherKeeper where fedfutures of another version is.
    """

    def __init__(self, door: str, name: str) -> None:
        self._name = name
        self.keeper = 0  # its pid
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(ANSWER_SECONDS)
        self._reader, self._greeting = FrameReader(), Greeting()
        self._frames: list[ControlFrame] = []
        try:
            self._connection.connect(door)
            self.keeper = pid_behind(self._connection)
        except OSError as error:
            self._connection.close()
            raise self._failure(error) from None
        with contextlib.suppress(OSError):  # it may have hung up: what it has said shows why
            self._connection.sendall(line())

    def _failure(self, error: OSError) -> StartFailed:
        if not isinstance(error, (TimeoutError, BlockingIOError)):
            return KeeperGone(self._name)
        pid = self.keeper
        if is_stopped(pid):
            return StartFailed(
                f"the keeper of {self._name} (pid {pid}) is stopped by a signal, so it does not answer; try: "
                f"kill -CONT {pid}", 3
            )  # fmt: skip
        return StartFailed(
            f"the keeper of {self._name} (pid {pid}) has not answered for {ANSWER_SECONDS:g} s; another one takes its "
            f"place after: kill -9 {pid}", 3
        )  # fmt: skip

    def ask(self, frame: ControlFrame, streams: Sequence[int] = ()) -> ControlFrame:
        """Send a frame, and descriptors with it; return the answer."""
        with self._said_in_words():
            while not self._greeting.is_over:  # first of all: another version says who it is, and hangs up
                self._read()
            data = pack(frame)
            sent = socket.send_fds(self._connection, [data], streams) if streams else 0
            if sent < len(data):  # else it may have answered, and gone
                self._connection.sendall(data[sent:])
            return self.hear()

    @contextlib.contextmanager
    def _said_in_words(self) -> Iterator[None]:
        """Raise StartFailed for what goes wrong inside."""
        try:
            yield
        except OSError as error:
            raise self._failure(error) from None
        except OtherVersion as error:
            raise OtherKeeper(self._name, error) from None
        except RemoteProtocolError as error:
            raise StartFailed(f"behind the door of {self._name} is something else: {error}", 3) from None

    def say(self, frame: ControlFrame) -> None:
        """Send a frame that has no answer."""
        with contextlib.suppress(OSError):
            self._connection.sendall(pack(frame))

    def answer(self, seconds: float) -> ControlFrame:
        """Return the answer to what was said, if it comes within so many seconds."""
        self._connection.settimeout(seconds)
        with self._said_in_words():
            return self.hear()

    def hear(self) -> ControlFrame:
        """Return the next frame. Raises OSError at the end and when it does not come in time, RemoteProtocolError."""
        deadline = time.monotonic() + (self._connection.gettimeout() or 0.0)
        while not self._frames:
            self._read()
            if time.monotonic() > deadline and not self._frames:
                raise TimeoutError
        return self._frames.pop(0)

    def _read(self) -> None:
        data = self._connection.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the keeper has gone")
        self._frames += self._reader.feed(self._greeting.feed(data))

    def wait_for_end(self, seconds: float) -> bool:
        """Whether the other side hangs up within so many seconds."""
        self._connection.settimeout(seconds)
        try:
            while True:
                self.hear()
        except TimeoutError:
            return False
        except (OSError, RemoteProtocolError):
            return True

    def last_frame(self, seconds: float) -> ControlFrame | None:
        """Return what comes within so many seconds."""
        self._connection.settimeout(seconds)
        with contextlib.suppress(OSError, RemoteProtocolError):
            return self.hear()
        return None

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def status_of(name: str) -> Status:
    """Return what the keeper of a standing Federation says, also one that is being started. Raises StartFailed."""
    return _status(StandingPlace(name), again=False)


def reached(place: StandingPlace) -> Status:
    """Return what the keeper says; start it again if it was killed. Raises StartFailed."""
    return _status(place, again=True)


def _status(place: StandingPlace, *, again: bool) -> Status:
    deadline = time.monotonic() + AGAIN_SECONDS
    while True:
        record, is_taken = place.record(), place.is_taken()
        if record is None and not (is_taken or place.stands()):
            raise unknown(place)
        place.check()
        try:
            return _asked(place.name, record["door"] if record is not None else "")
        except KeeperGone as error:
            if not (again or is_taken) or time.monotonic() > deadline:
                raise StartFailed(error.summary, error.exit_code) from None
        if not is_taken:
            with contextlib.suppress(HasKeeper):
                return recovered(place)
        time.sleep(PAUSE_SECONDS)


def unknown(place: StandingPlace) -> StartFailed:
    """Return the error for a Federation that does not stand."""
    others = names()
    stand = f"; these stand: {', '.join(others)}" if others else ""
    return StartFailed(
        f"no Federation named {place.name} stands on this machine{stand}; try: fedfutures up {place.name}", 2
    )  # fmt: skip


def _asked(name: str, door: str) -> Status:
    visit = DoorVisit(door, name)
    try:
        answer = visit.ask(StatusWanted())
    finally:
        visit.close()
    if not isinstance(answer, ServerStatus):
        raise StartFailed(f"the keeper of {name} has answered by {type(answer).__name__}", 3)
    return status_from(answer.status)


class ForkedProcess:
    """A host process that a host server has forked for this program, with the interface of ``subprocess.Popen``.

    Its standard input and output are pipes of this program's, as those of a process that it has started itself.
    """

    def __init__(self, visit: DoorVisit, start: StartHost) -> None:
        self._visit = visit
        self.returncode: int | None = None
        theirs_in, ours_in = os.pipe2(os.O_CLOEXEC)
        ours_out, theirs_out = os.pipe2(os.O_CLOEXEC)
        self._input, self._output = os.fdopen(ours_in, "wb", 0), os.fdopen(ours_out, "rb", 0)
        try:
            answer = visit.ask(start, [theirs_in, theirs_out, 2, *start.descriptors])
            if isinstance(answer, StartRefused):
                raise StartFailed(answer.reason, answer.exit_code)
            if not isinstance(answer, HostStarted):
                raise StartFailed(f"the host server has answered by {type(answer).__name__}")
        except BaseException:
            self._input.close()
            self._output.close()
            visit.close()
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self.pid = answer.pid
        self._file = -1
        with contextlib.suppress(OSError):  # it has ended already
            self._file = os.pidfd_open(self.pid)

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe to it."""
        return self._input

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe from it."""
        return self._output

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit code, or a signal's number below 0. Raises TimeoutExpired."""
        if self.returncode is not None:
            return self.returncode
        if self._file >= 0:
            poller = select.poll()
            poller.register(self._file, select.POLLIN)
            if not poller.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("the host process", timeout or 0.0)
            os.close(self._file)
            self._file = -1
        frame = self._visit.last_frame(CODE_SECONDS)
        self._visit.close()
        # A host server that was killed says nothing: nor is then known that it was the host process's own fault.
        self.returncode = frame.code if isinstance(frame, HostProcessEnded) else -signal.SIGKILL
        return self.returncode

    def kill(self) -> None:
        """Kill it."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def starter(
    place: StandingPlace, door: str, command: Sequence[str], python: Sequence[str] | None
) -> Callable[..., Any]:
    """Return what starts a host process of this program at a host server, each time that it is called.

    It starts the keeper again if that was killed. command: starts one without a host server. `python`: of
    :class:`~fedfutures.host.handle.HostHandle`.
    """

    def start(
        env: dict[str, str] | None = None, cwd: str | None = None, pass_fds: Sequence[int] = ()
    ) -> ForkedProcess:  # fmt: skip
        environment = dict(os.environ if env is None else env)
        directory = cwd or directory_here() or ""
        frame = StartHost(
            identity(environment, python), {str(place): word for place, word in enumerate(command)}, environment,
            directory, _umask(), list(pass_fds),
        )  # fmt: skip
        deadline, there = time.monotonic() + AGAIN_SECONDS, door
        while True:
            try:
                return ForkedProcess(DoorVisit(there, place.name), frame)
            except KeeperGone:  # one that it has forked ends as its input ends
                if time.monotonic() > deadline:
                    raise
            there = reached(place).door

    return start


def _umask() -> int:
    """Return the umask of this process, which other threads may use at any time (proc_pid_status(5))."""
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        for row in file:
            if row.startswith("Umask:"):
                return int(row.split()[1], 8)
    return 0o077


def joined_handle(
    name: str, settings: Settings, workers: int | None, python: Sequence[str] | None = None, hosts: Hosts | None = None
) -> HostHandle:  # fmt: skip
    """Return the handle of a run in a standing Federation; it has at most `workers` Workers.

    name: ``[user@]host:NAME`` for one of another machine, where one logs in as `hosts` says. Raises StartFailed,
    ValueError for a host that cannot be meant, and PicklingError.
    """
    if ":" in name:
        _check_descriptors(settings, name)
        launcher = starting.load_launcher()
        far: HostHandle = launcher.start_far_joined(name, settings, workers, python, hosts or Hosts())
        return far
    place = StandingPlace(name)
    status = reached(place)
    start = starter(place, status.door, command_here(settings, python), python)
    if status.request:
        _check_descriptors(settings, name)
        settings = replace(settings, place=place.path, template=True)
        handle: HostHandle = starting.load_launcher().start_joined(status, settings, workers, python, start)
        return handle
    slots = status.hosts[status.host]
    count = min(workers or slots, slots)
    settings = replace(
        settings, host=status.host, workers=count, size=count, server=status.door, place=place.path,
        threads=max(1, processors() // slots), template=True,
    )  # fmt: skip
    return HostHandle(settings, python=python, pass_fds=settings.descriptors, start=start)


def _check_descriptors(settings: Settings, name: str) -> None:
    if settings.descriptors:
        raise PicklingError(
            f"queues, pipes and values of multiprocessing in initargs reach Workers of this host alone, and {name} "
            "has others; use a multiprocessing.Manager that listens on the network"
        )
