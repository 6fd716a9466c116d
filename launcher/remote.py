"""One host of a run as the connector has it: its ssh session, its hello, its frames, and coming back to it.

A host is *settled* once it is known whether it can be used: it has said hello, is judged fit, and its distance is
measured; or it has failed. After :meth:`Remote.begin` it serves. When its ssh connection is lost then, its Brokers and
Workers go on: the connector logs in again and enters by the door of the host process
(:mod:`fedfutures.host.reattach`). Where that is gone, as after a reboot, another one is started, with the same
settings. What cannot be reached again within the grace is given up; its Futures run elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import sys
import time
from collections import deque
from dataclasses import replace
from typing import Any

from fedfutures.errors import RemoteProtocolError
from fedfutures.host.flags import for_another
from fedfutures.host.frame_line import FrameLine
from fedfutures.host.settings import Settings, frame_of
from fedfutures.wire.control import ControlFrame, EndRun, HostProcessGone, Probe, ProbeReply, WorkerOutput

from .assembly import Request
from .hello import Hello, HelloReader
from .hints import hinted
from .hosts import HostSpec
from .preflight import Ours, Report, judge
from .ssh.command import attach_command, default_pythons, remote_command
from .ssh.failures import Failure, ended_early, lost, no_hello, nonsense
from .ssh.session import Client, Session, Target

HELLO_SECONDS = 10.0
LATE_SECONDS = 3.0
LOGIN_SECONDS = 25.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 4.0
STARTS_AT_MOST = 4
ERRORS_KEPT = 20
LOST = "the ssh connection was lost"


class Remote:
    """A host that is reached by ssh."""

    def __init__(self, spec: HostSpec, request: Request, client: Client, ours: Ours, poller: select.poll) -> None:
        self.name, self.spec, self._ours = spec.name, spec, ours
        self._ssh = by_hand(spec, request)
        self._request, self._client, self._poller = request, client, poller
        self._session: Session | None = None
        self._line: FrameLine | None = None
        self._hello = HelloReader()
        self._said: Hello | None = None
        self._state = "new"  # connecting, measuring, entering, ready, serving, waiting (to connect again),
        # given up, over
        self._settings: Settings | None = None
        self._run: str | None = None  # the private directory of its host process
        self._entering = False  # whether this session goes to the door
        self._is_gone = False  # there is nobody behind it
        self._frames: list[ControlFrame] = []
        self._errors: deque[str] = deque(maxlen=ERRORS_KEPT)
        self._error_text = b""
        self._news: list[tuple[str, bool]] = []
        self._lost_now = False
        self._lost_at = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._starts = 0
        self._asked_at = 0.0
        self._pongs = 0
        self.facts: dict[str, Any] | None = None  # what it said of itself, once it is found fit
        self.latency: float | None = None
        self.failure: Failure | None = None
        self.warnings: list[Failure] = []
        self.due: float | None = None
        self.malformed = 0  # how often it has said what is no frame

    # -- for the connector -------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether it is known if this host can be used."""
        return self._state not in ("new", "connecting", "measuring")

    @property
    def open(self) -> bool:
        """Whether there is a connection."""
        return self._line is not None

    @property
    def given_up(self) -> bool:
        """Whether it has served, and will not come back."""
        return self._state == "given up"

    def connect(self, now: float) -> None:
        """Log in: to start a host process, or to come back to it."""
        self._entering, self._is_gone = self._run is not None, False
        self._starts += not self._entering
        self._hello = HelloReader()
        self._session = session = self._client.start(remote_target(self.spec, self._request, self._run))
        self._line = FrameLine(session.read_fd, session.write_fd, self._poller)
        self._poller.register(session.error_fd, select.POLLIN)
        self._state = "connecting"
        self._asked_at = now
        self.due = now + HELLO_SECONDS

    def say(self, frame: ControlFrame) -> None:
        """Send a frame, if the host is there."""
        if self._state == "serving" and self._line is not None:
            self._line.send(frame)

    def begin(self, settings: Settings) -> None:
        """Send the host its settings: it starts its Brokers and Workers."""
        assert self._line is not None
        self._settings, self._state, self.due = settings, "serving", None
        self._line.send(frame_of(settings))

    def ready(self, run: str) -> None:
        """The host process has said where its private directory is."""
        self._run = run
        self._pause = FIRST_PAUSE_SECONDS
        if self._state == "entering":
            self._state, self.due = "serving", None
            self._news.append((f"host {self.name}: connected again", True))

    def serve(self, descriptor: int, events: int) -> bool:
        """Do what a descriptor is ready for; return whether it is one of this host's."""
        session, line = self._session, self._line
        if session is None or line is None:
            return False
        if descriptor == session.error_fd:
            self._take_errors()
            return True
        if descriptor not in (line.read, line.write):
            return False
        if descriptor == line.write and events & (select.POLLOUT | select.POLLERR):
            line.flush()
        if descriptor == line.read and events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            data = line.receive()
            if data:
                self._take_in(data)
            elif data is not None:
                self._ended()
        return True

    def frames(self) -> list[ControlFrame]:
        """Return what the host has said since the last time."""
        frames, self._frames = self._frames, []
        return frames

    def news(self) -> list[tuple[str, bool]]:
        """Return what people may want to know since the last time, and whether they must."""
        if self._session is not None:
            self._news += [(note, True) for note in self._session.notes]
            self._session.notes.clear()
        news, self._news = self._news, []
        return news

    def nonsense(self) -> None:
        """What it says is no frame, or none that it may send: begin anew, by its door."""
        if self._line is not None:
            self._fail(nonsense(self.name, self._ssh), time.monotonic())

    def lost_now(self) -> bool:
        """Whether the connection was lost since the last time."""
        lost, self._lost_now = self._lost_now, False
        return lost

    def report(self, workers: int) -> Report:
        """Return the host's line in the table."""
        state = "ok" if self.failure is None else "failed"
        return Report(self.name, workers, state, self._said, self.latency, self.failure, list(self.warnings))

    def tick(self, now: float) -> None:
        """Time is over for a hello, or has come to log in again."""
        if self._state == "waiting":
            self.connect(now)
        elif self._state in ("connecting", "measuring", "entering"):
            session = self._session
            assert session is not None
            if not session.connected and now < self._asked_at + LOGIN_SECONDS:  # the server may drop logins for a while
                self.due = now + LATE_SECONDS
            else:
                why = f"it was silent for {HELLO_SECONDS:.0f} s"
                self._fail(no_hello(self.name, why, self._noise(), self._ssh), now)
        else:
            self.due = None

    def close(self) -> None:
        """Hang up."""
        session, line = self._session, self._line
        if session is None or line is None:
            return
        self._take_errors()
        with contextlib.suppress(KeyError, ValueError):
            self._poller.unregister(session.error_fd)
        line.let_go()
        session.close()
        self._line = None

    def end(self) -> None:
        """Tell the host that the run has ended."""
        if self._state == "serving" and self._line is not None:
            self._line.send(EndRun())
            self._state = "over"
        else:
            self.close()
            self._state = "over"

    # -- the session -------------------------------------------------------------------------------------------------

    def _take_in(self, data: bytes) -> None:
        assert self._line is not None
        if self._hello.hello is None:
            data = self._hello.feed(data)
            if self._hello.failed is not None:
                self._fail(no_hello(self.name, self._hello.failed, self._noise(), self._ssh), time.monotonic())
                return
            if self._hello.hello is None:
                return
            self._said_hello(self._hello.hello)
        if self._line is None:
            return
        try:
            frames = self._line.reader.feed(data)
        except RemoteProtocolError:
            self.malformed += 1
            self.nonsense()
            return
        for frame in frames:
            if self._state == "measuring" and isinstance(frame, ProbeReply):
                self._measured(time.monotonic())
            elif isinstance(frame, HostProcessGone):
                self._is_gone = True
            else:
                self._frames.append(frame)

    def _said_hello(self, hello: Hello) -> None:
        self._said = hello
        failure, warnings = judge(self.name, hello, self._ours, self._ssh)
        if failure is not None:
            self._fail(failure, time.monotonic())
            return
        assert self._line is not None
        self.warnings = warnings
        if self._settings is None:
            self._pongs, self._state = 0, "measuring"
            self.facts = {"processors": hello.processors, "address": hello.address, "memory": hello.memory}
            self._line.send(Probe())
            return
        if self._entering:
            self._state = "entering"  # until the host process has answered: it may be gone
            return
        self._state, self.due = "serving", None
        self._news.append((f"host {self.name}: started again", True))
        self._line.send(frame_of(self._settings))

    def _measured(self, now: float) -> None:
        """Two pings: the first one waits for Python to load, the second one measures the way."""
        assert self._line is not None
        self._pongs += 1
        if self._pongs == 1:
            self._asked_at = now
            self._line.send(Probe())
        else:
            self.latency = now - self._asked_at
            self._state, self.due = "ready", None

    def _ended(self) -> None:
        """The session is over: before the host was settled it has failed, afterwards it was lost."""
        session = self._session
        assert session is not None
        now = time.monotonic()
        self._take_errors()
        if self._state == "over":
            self.close()
        else:
            self._fail(session.failure or self._why_ended(), now)

    def _why_ended(self) -> Failure:
        if self._hello.hello is not None and self._settings is not None:
            return lost(self.name, ssh=self._ssh)
        return ended_early(self.name, None, "\n".join(self._errors), self._noise(), self._ssh)

    def _fail(self, failure: Failure, now: float) -> None:
        self.close()
        if self._settings is None:
            self.failure = hinted(failure, self.spec, self._request)
            self.facts, self._state, self.due = None, "over", None
            return
        if self._state == "serving":
            self._state, self._lost_now, self._lost_at = "waiting", True, now
            why = failure.text.removeprefix(f"{self.name}: ")
            said = why if failure.kind == "lost" else f"{LOST} ({why})"
            self._news.append((f"host {self.name}: {said}; coming back to it", True))
        elif self._entering and self._is_gone:
            self._run = None  # the host process is gone, but the host is there
        elif now - self._lost_at > self._request.grace:
            self._run = None
        if (self._run is None and self._starts >= STARTS_AT_MOST) or now - self._lost_at > 2 * self._request.grace:
            self._state, self.due = "given up", None
            self._news.append((f"host {self.name} is given up: {failure.text}. Its Futures run elsewhere", True))
            return
        self._state = "waiting"
        self.due = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def _noise(self) -> str:
        return self._hello.noise.decode("utf-8", "replace")

    def _take_errors(self) -> None:
        """Keep what the session says on standard error, and show it once the host serves: nothing else would."""
        session = self._session
        assert session is not None
        while True:
            try:
                data = os.read(session.error_fd, 1 << 16)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                with contextlib.suppress(KeyError, ValueError):
                    self._poller.unregister(session.error_fd)
                return
            *lines, self._error_text = (self._error_text + data).split(b"\n")
            for line in lines:
                text = line.decode("utf-8", "backslashreplace").rstrip()
                self._errors.append(text)
                if self._state == "serving":
                    self._frames.append(WorkerOutput(self.name, 2, line + b"\n"))


def remote_target(spec: HostSpec, request: Request, run: str | None = None) -> Target:
    """Return where to log in for a host, and the command to run there; `run`: to come back to that host process."""
    python = spec.python or request.python
    pythons = [python] if python else default_pythons(sys.executable)
    prolog, paths = spec.prolog or request.prolog, [*spec.pythonpath, *request.pythonpath]
    if run is None:
        flags = request.settings.flags
        seed = "" if {"-I", "-E"} & set(flags) else os.environ.get("PYTHONHASHSEED", "")
        command = remote_command(pythons, prolog, pythonpath=paths, flags=for_another(flags, host=True), hash_seed=seed)
    else:
        command = attach_command(pythons, run, prolog, pythonpath=paths)
    return _target_of(spec, {other.name: other for other in request.hosts}, command)


def by_hand(spec: HostSpec, request: Request) -> str:
    """Return how people run a command on a host: what they paste in front of it."""
    words = [request.ssh.get("executable") or "ssh"]
    words += ["-F", request.ssh["config"]] if request.ssh.get("config") else []
    access = next((other for other in request.hosts if other.name == spec.site), None)
    words += ["-J", access.word] if access is not None else []
    words += ["-p", str(spec.port)] if spec.port is not None else []
    return shlex.join([*words, replace(spec, port=None).word])


def _target_of(spec: HostSpec, specs: dict[str, HostSpec], command: str = "") -> Target:
    jump = None if spec.site is None or spec.site not in specs else _target_of(specs[spec.site], specs)
    return Target(name=spec.name, host=spec.host, user=spec.user, port=spec.port, jump=jump, command=command)
