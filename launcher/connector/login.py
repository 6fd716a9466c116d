"""The shell of a host's life (:mod:`~fedfutures_launcher.remote.remote_host`): its session, hello and frames."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from fedfutures import failpoints
from fedfutures.errors import RemoteProtocolError
from fedfutures.host.frame_line import FrameLine
from fedfutures.host.settings import Settings, frame_of
from fedfutures.wire.control import ControlFrame, EndRun, HostProcessGone, Probe, ProbeReply, WorkerOutput

from ..hosts.spec import HostSpec
from ..launchers.table import KEEPER, SSH
from ..layout.assemble import Request
from ..remote.hello import HelloReader, HostHello
from ..remote.installation import installation
from ..remote.preflight import HostReport, ThisMachine, check_compatible, check_fit, check_wants
from ..remote.remote_host import FIRST_LOGIN, HELLO_SECONDS, HostAction, HostState, RemoteHost
from ..ssh.session import Session
from ..ssh.texts import failures
from ..ssh.texts.failures import Failure, with_other_ways
from .access import Way, remote_target
from .hints import hinted, with_printed

ERRORS_KEPT = 20
LATE = "not yet"
"""The state of a host that has not answered when the run begins, and may come in late."""


class Login:
    """The connection to another host; `ways` lead there, and the first one that works is taken for the whole run."""

    def __init__(
        self, spec: HostSpec, request: Request, ways: Sequence[Way], here: ThisMachine, poller: select.poll
    ) -> None:
        self.name, self.spec = spec.name, spec
        again = request.options.start_timeout or HELLO_SECONDS
        self.life = RemoteHost(request.options.grace, request.start_seconds / len(ways), again)
        self.facts: dict[str, Any] | None = None  # of its hello, once it is known to be compatible
        self.malformed = 0  # pieces of its output that are no frames
        self._request, self._here, self._poller = request, here, poller
        self._way, *self._other_ways = ways
        self._tried: list[Failure] = []  # why ways before this one do not lead there
        self._session: Session | None = None
        self._line: FrameLine | None = None
        self._reader = HelloReader()
        self._hello: HostHello | None = None
        self._is_fit = False  # as its first reply says
        self._settings: Settings | None = None
        self._process_gone = False  # of the host process that this session came back to
        self._frames: list[ControlFrame] = []
        self._errors: deque[str] = deque(maxlen=ERRORS_KEPT)
        self._partial_error = b""
        self._news: list[str] = []
        self._lost_now = False
        self._why_left = ""
        self._failure: Failure | None = None
        self._warnings: list[Failure] = []

    # -- for the connector -------------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether there is a connection."""
        return self._line is not None

    @property
    def is_ready(self) -> bool:
        """Whether it can take part, and waits for its settings."""
        return self.life.state is HostState.READY

    @property
    def given_up(self) -> bool:
        """Whether it has served and was given up."""
        return self.life.state is HostState.GIVEN_UP

    def connect(self, now: float) -> None:
        """Log in for the first time."""
        self._do(self.life.connect(now))

    def resume(self, settings: Settings, facts: dict[str, Any], run: str | None, *, was_given_up: bool) -> None:
        """Log in to the host process in the directory `run`, which a connector that was killed has begun."""
        self._settings, self.facts = settings, facts
        self._way = next((way for way in (self._way, *self._other_ways) if way.name == facts["launcher"]), self._way)
        self._other_ways = []
        self._do(self.life.resume(run, time.monotonic(), was_given_up=was_given_up))

    @property
    def serves(self) -> bool:
        """Whether the host hears what is sent to it."""
        return self.life.state is HostState.SERVING and self._line is not None

    def send(self, frame: ControlFrame) -> None:
        """Send a frame, if the host serves."""
        if self.serves and self._line is not None:
            self._line.send(frame)

    def begin(self, settings: Settings | None) -> None:
        """Send the host its settings: it starts its Brokers and Workers. None: the run begins without it."""
        self._settings = settings
        self._do(self.life.begin(time.monotonic(), takes_part=settings is not None))

    def is_same_as(self, other: str) -> None:
        """Say below the table that the host is another one, and has no Workers of its own."""
        self._warnings.append(failures.SAME_MACHINE(self.name, ssh=self._way.by_hand, other=other))

    def on_ready(self, run: str) -> None:
        """The host process is ready; `run` is its private directory."""
        self._do(self.life.on_ready(run, time.monotonic()))

    def on_leave(self, why: str) -> None:
        """The host leaves the run."""
        self._why_left = why
        self._do(self.life.on_leave(time.monotonic()))

    def on_nonsense(self) -> None:
        """Drop the connection and come back: the host sent no frame, or one that it may not send."""
        if self._line is not None:
            nonsense = failures.NONSENSE(self.name, ssh=self._way.by_hand)
            self._fail(self._unfit(f"{self._way.name} has altered what it says") or nonsense)

    def on_other_connection(self) -> None:
        """The host has come by another connection: the one before it is lost, though it has not ended here yet."""
        if self._line is not None:
            self._fail(failures.LOST(self.name, ssh=self._way.by_hand, way=self._way.name))

    def on_due(self, now: float) -> None:
        """Act on a deadline: the host was silent for too long, or the time to log in again has come."""
        session = self._session
        connected_at, patience = (None, 0.0) if session is None else (session.connected_at, session.patience)
        actions = self.life.on_due(now, connected_at=connected_at, patience=patience)
        if actions is None:
            self._fail(self._silent())
        else:
            self._do(actions)

    def end(self) -> None:
        """Tell the host that the run has ended, or hang up."""
        self._do(self.life.end(time.monotonic()))

    def serve(self, descriptor: int, events: int) -> bool:
        """Read or write what a descriptor is ready for; return whether it is one of this host's."""
        session, line = self._session, self._line
        if session is None or line is None:
            return False
        if descriptor == session.error_fd:
            self._take_errors(session)
            return True
        if descriptor not in (line.read, line.write):
            return False
        if descriptor == line.write and events & (select.POLLOUT | select.POLLERR):
            unsent = line.unsent.size
            line.flush()
            if line.unsent.size < unsent and self._reader.hello is None:
                self.life.on_progress(time.monotonic())
        if descriptor == line.read and events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            data = line.receive()
            if data:
                self._take_in(line, data)
            elif data is not None:
                self._on_end(session)
        return True

    def frames(self) -> list[ControlFrame]:
        """Return the host's frames since the last call."""
        frames, self._frames = self._frames, []
        return frames

    def news(self) -> list[str]:
        """Return the texts for people since the last call."""
        news, self._news = self._news, []
        return news + (self._session.take_notes() if self._session is not None else [])

    def lost_now(self) -> bool:
        """Return whether the connection was lost since the last call."""
        lost, self._lost_now = self._lost_now, False
        return lost

    def report(self, workers: int) -> HostReport:
        """Return the host's line in the table."""
        state = "ok" if self._failure is None else "failed"
        state = state if self.life.settled else LATE
        return HostReport(
            self.name, workers, state, self._hello, self.life.latency, self._failure, list(self._warnings)
        )  # fmt: skip

    # -- actions -------------------------------------------------------------------------------------------------------

    def _do(self, actions: Iterable[HostAction], failure: Failure | None = None) -> None:
        """Carry out actions of the host's life; `failure` is their reason, if there is one."""
        line = self._line
        for action in actions:
            if action is HostAction.LOG_IN:
                self._log_in()
            elif action is HostAction.HANG_UP:
                self._hang_up()
            elif action is HostAction.LEAVE_OUT and failure is not None:
                self.facts = None
                hints = with_printed(hinted(failure, self.spec, self._request), self._printed())
                self._failure = with_other_ways(hints, self._tried)
            elif action is HostAction.SEND_PROBE and line is not None:
                line.send(self._probe())
            elif action is HostAction.SEND_SETTINGS and line is not None and self._settings is not None:
                line.send(frame_of(self._settings))
            elif action is HostAction.SEND_END and line is not None:
                line.send(EndRun())
            else:
                self._tell(action, failure)

    def _probe(self) -> Probe:
        """Return what the host is asked: first whether it is fit, and then nothing, to see how far away it is."""
        if self._is_fit:
            return Probe()
        return Probe(self.spec.options.path or ".", list(self._here.packages.versions))

    def _printed(self) -> str:
        """Return what the host has printed: its start-up files, the prolog, and what could not be started."""
        noise, last = (data.decode("utf-8", "backslashreplace") for data in (self._reader.noise, self._partial_error))
        return "\n".join([noise, *self._errors, last])

    def _tell(self, action: HostAction, failure: Failure | None) -> None:
        text = "" if failure is None else failure.text
        if action is HostAction.TELL_LOST:
            self._lost_now = True
            why = text.removeprefix(f"{self.name}: ")
            is_said = failure is not None and failure.kind == "lost"
            said = why if is_said else f"the {self._way.name} connection was lost ({why})"
            self._news.append(f"host {self.name}: {said}; coming back to it")
        elif action is HostAction.TELL_BACK:
            self._news.append(f"host {self.name}: connected again")
        elif action is HostAction.TELL_STARTED:
            self._news.append(f"host {self.name}: started again")
        elif action is HostAction.TELL_GIVEN_UP:
            self._news.append(f"host {self.name} is given up: {text}. Its Futures run elsewhere")
        elif action is HostAction.TELL_LEFT:
            self._lost_now = True
            self._news.append(f"host {self.name} has left the run: {self._why_left}. Its Futures run elsewhere")

    @failpoints.delayed("connector.log_in")
    def _log_in(self) -> None:
        self._reader, self._process_gone = HelloReader(), False
        client = self._way.client
        target = remote_target(self.spec, self._request, self.life.run, client.new_meeting())
        self._session = session = client.start(target)
        self._line = FrameLine(session.read_fd, session.write_fd, self._poller)
        self._poller.register(session.error_fd, select.POLLIN)

    def _hang_up(self) -> None:
        session, line = self._session, self._line
        if session is None or line is None:
            return
        self._take_errors(session)
        self._forget(session)
        line.let_go()
        session.close()
        self._line = None

    def _fail(self, failure: Failure) -> None:
        is_unfit = self.life.state is HostState.CONNECTING and self._reader.hello is not None
        if self.life.state in FIRST_LOGIN and self._other_ways and not is_unfit:
            self._take_other_way(failure)
            return
        actions = self.life.on_failure(time.monotonic(), process_gone=self._process_gone)
        self._do(actions, failure)

    def _take_other_way(self, failure: Failure) -> None:
        """Try the next launcher; the one before has failed."""
        self._tried.append(failure)
        self._errors.clear()
        self._way = self._other_ways.pop(0)
        self.facts = self._hello = None
        self._is_fit = False
        self._do(self.life.on_other_way(time.monotonic()))

    # -- the session -------------------------------------------------------------------------------------------------

    def _take_in(self, line: FrameLine, data: bytes) -> None:
        if self._reader.hello is None:
            data = self._reader.feed(data)
            if self._reader.failed is not None:
                self._fail(self._without_hello())
                return
            if self._reader.hello is None or not self._on_hello(self._reader.hello):
                return
        try:
            frames = line.reader.feed(data)
        except RemoteProtocolError:
            self.malformed += 1
            self.on_nonsense()
            return
        for frame in frames:
            if isinstance(frame, ProbeReply):
                if not self._on_reply(frame):
                    return
            elif isinstance(frame, HostProcessGone):
                self._process_gone = True
            else:
                self._frames.append(frame)

    def _on_reply(self, reply: ProbeReply) -> bool:
        """Return whether the host is fit; the second reply says nothing of that."""
        if self.life.state is HostState.MEASURING and not self._is_fit:
            assert self._hello is not None
            by_hand = self._way.by_hand
            failure, warnings = check_fit(self.name, self._hello, reply, self._here.packages.versions, by_hand)
            if failure is not None:
                self._other_ways = []  # they lead to the same host
                self._fail(failure)
                return False
            self._warnings += warnings
            self._is_fit = True
            if self.facts is not None and reply.login and self._way.name == SSH:
                self.facts["login"] = reply.login
        self._do(self.life.on_reply(time.monotonic()))
        return True

    def _on_hello(self, hello: HostHello) -> bool:
        """Return whether the host is compatible."""
        self._hello = hello
        if hello.wants or hello.unprovided:
            self._on_wants(hello)
            return False
        way, home = self._way.by_hand, self._way.client.shares_home
        failure, warnings = check_compatible(self.name, hello, self._here.hello, way, shares_home=home)
        if failure is not None:
            self._fail(failure)
            return False
        self._warnings = warnings
        self.facts = {"processors": hello.processors, "address": self._address(hello), "memory": hello.memory}
        self.facts["launcher"] = self._way.name
        if hello.server:
            self.facts["server"] = hello.server
        self._do(self.life.on_hello(time.monotonic()))
        return True

    def _on_wants(self, hello: HostHello) -> None:
        """The host lacks fedfutures: give it what is installed here; it says hello once more then."""
        given = installation(self._request.options.provided or ())
        failure = check_wants(self.name, hello, self._here.hello, given, self._way.by_hand)
        if failure is not None or self._line is None:
            self._fail(failure or failures.LOST(self.name, ssh=self._way.by_hand, way=self._way.name))
            return
        self._reader = HelloReader()
        self._line.send_bytes(len(given.archive).to_bytes(8, "big") + given.archive)
        self.life.on_progress(time.monotonic())

    def _address(self, hello: HostHello) -> str:
        """Return the address at which the host was reached: that of ssh, or what its name stands for."""
        return hello.address if self._way.name in (KEEPER, SSH) or self._session is None else self._session.address

    def _on_end(self, session: Session) -> None:
        """The session is over: it has failed if the host did not serve yet, otherwise it is lost."""
        self._take_errors(session)
        if session.failure is not None:
            self._fail(session.failure)
        elif self._reader.hello is not None and self._settings is not None:
            self._fail(failures.LOST(self.name, ssh=self._way.by_hand, way=self._way.name))
        else:
            self._fail(self._unfit(f"{self._way.name} ended") or self._without_hello())

    def _unfit(self, why: str) -> Failure | None:
        """Return the failure of a launcher that has carried the hello, but not what follows; None: it is no such."""
        if self._way.name in (KEEPER, SSH) or self._reader.hello is None or self._settings is not None:
            return None
        if self._session is not None:
            self._take_errors(self._session)
        return failures.launcher_unfit(self.name, "\n".join(self._errors), self._way.by_hand, why)

    def _without_hello(self, why: str | None = None) -> Failure:
        noise, way = self._reader.noise.decode("utf-8", "replace"), self._way
        if why := why or self._reader.failed:
            return failures.NO_HELLO(self.name, noise[-2000:], way.by_hand, why=why)
        return failures.ended_early(self.name, "\n".join(self._errors), noise, way.by_hand, way.name)

    def _silent(self) -> Failure:
        seconds = self.life.hello_seconds
        if unfit := self._unfit(f"nothing more was heard through {self._way.name} within {seconds:.0f} s"):
            return unfit
        if self._way.name == SSH or self._reader.noise:
            return self._without_hello(f"it was silent for {seconds:.0f} s")
        said = "\n".join(self._errors)
        return failures.launcher_silent(self.name, said, self._way.by_hand, self._way.name, seconds)

    def _take_errors(self, session: Session) -> None:
        """Read the session's standard error: keep it for a failure, and show it once the host serves."""
        while True:
            try:
                data = os.read(session.error_fd, 1 << 16)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._forget(session)
                return
            *lines, self._partial_error = (self._partial_error + data).split(b"\n")
            for line in lines:
                self._errors.append(line.decode("utf-8", "backslashreplace").rstrip())
                if self.life.state is HostState.SERVING:
                    self._frames.append(WorkerOutput(self.name, 2, line + b"\n"))

    def _forget(self, session: Session) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._poller.unregister(session.error_fd)
