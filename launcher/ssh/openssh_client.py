"""ssh by the OpenSSH client: whatever the user's own `ssh` can do, such as Kerberos, certificates and shared masters.

One process for each session, in a process group of its own, so that Ctrl-C does not reach it. Its standard input and
output are the pipes of the session; its standard error is read here, because the client says there how far it has come
(:mod:`.diagnosis`), and what is not its own goes on to the session. A client whose connection was dropped is started
again with the same pipes: it reads nothing before it is logged in.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass, field

from . import diagnosis
from .configuration import HOP
from .pacing import Pace, pause
from .session import BUSY_SECONDS, CONNECT_SECONDS, LoginTarget, OpenSessions, Session
from .texts import failures
from .texts.failures import Failure, Place

TALK_AT_MOST_CHARACTERS = 1 << 18
END_SECONDS = 1.0
LOOK_SECONDS = 0.2


@dataclass(slots=True)
class ClientRoute:
    """How a target is reached, as the client's own configuration has it."""

    place: Place
    hops: list[Place] = field(default_factory=list)  # the first is dialled directly
    is_openssh: bool = True
    strict: bool = False  # the config forbids storing unknown keys
    seconds: float = CONNECT_SECONDS

    @property
    def server(self) -> str:
        """The ssh server that logins of this route go to first."""
        first = self.hops[0] if self.hops else self.place
        return f"{first.target}:{first.port}"


class OpenSSHClient:
    """Starts sessions by an ssh client; `executable` may hold arguments."""

    def __init__(
        self, executable: str = "ssh", config_file: str | None = None, *, host_key_policy: str = "reject"
    ) -> None:
        self._executable = shlex.split(executable) or ["ssh"]
        self._config_file = config_file
        self._accept_new = host_key_policy == "accept-new"
        self._pace = Pace()
        self._sessions = OpenSessions()

    def start(self, target: LoginTarget) -> Session:
        """Start a session; returns at once."""
        return self._sessions.start(target, self._serve)

    def close(self) -> None:
        """Close all sessions, and end every thread and process."""
        self._sessions.close()

    # -- a session, in its thread ------------------------------------------------------------------------------------

    def _serve(self, session: Session) -> None:
        try:
            route = self._route(session)
            client = None if session.closed else self._connect(session, route)
            if client is not None:
                client.forward()
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            session.on_failure(
                failures.no_such_executable(session.target.host, self._executable[0], error.strerror or str(error))
            )
        except Exception as error:
            session.on_failure(failures.protocol(Place(session.target.host), f"{type(error).__name__}: {error}"))

    def _connect(self, session: Session, route: ClientRoute) -> _Process | None:
        """Return a client that is logged in; None: the session is over, whatever the reason."""
        started, tries = 0.0, 0
        command = self._command(session.target, route)
        while True:
            with self._pace.slot(route.server):
                now = time.monotonic()
                started = started or now
                client = _Process(session, command)
                seconds = min(route.seconds, started + BUSY_SECONDS - now) if route.is_openssh else None
                failure, dropped = client.connect(route, seconds)
            if not dropped or session.closed:
                session.on_failure(failure)
                return client if session.connected and not session.closed else None
            tries += 1
            self._pace.dropped(route.server)
            rest = pause(tries)
            if time.monotonic() + rest > started + BUSY_SECONDS:
                said = diagnosis.last_words(client.talk)
                session.on_failure(failures.too_many_connections(route.place, tries, said))
                return None
            session.pause(rest)

    # -- the command line --------------------------------------------------------------------------------------------

    def _route(self, session: Session) -> ClientRoute:
        """Ask the client what its config says; one that cannot be asked is trusted to know."""
        target = session.target
        command = [*self._executable, *self._basics(target), "-G", "--", target.host]
        try:
            asked = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=5
            )
        except subprocess.TimeoutExpired:
            return ClientRoute(Place(target.host), is_openssh=False)
        found: dict[str, str] = {}
        for line in asked.stdout.splitlines():
            key, _, value = line.partition(" ")
            found.setdefault(key, value)
        place = Place(target.host, found.get("hostname", ""), _port(found), found.get("user", ""), self._config_file)
        if asked.returncode or "hostname" not in found:
            return ClientRoute(place, _places(target.jump, self._config_file), is_openssh=False)
        hops = _places(target.jump, self._config_file)
        if not hops and found.get("proxyjump", "none") != "none":
            for hop in found["proxyjump"].split(","):
                matched = HOP.fullmatch(hop.strip())
                if matched is None:
                    return ClientRoute(place)  # the client will say what is wrong with it
                name = matched["v6"] or matched["host"]
                hops.append(Place(name, "", int(matched["port"] or 22), matched["user"] or "", self._config_file))
        limit = found.get("connecttimeout", "none")
        seconds = min(CONNECT_SECONDS, float(limit)) if limit.isdigit() and int(limit) else CONNECT_SECONDS
        return ClientRoute(place, hops, strict=found.get("stricthostkeychecking") in ("true", "yes"), seconds=seconds)

    def _command(self, target: LoginTarget, route: ClientRoute) -> list[str]:
        words = [*self._executable, *self._basics(target), *self._options(route, "DEBUG1")]
        if route.hops:
            words += ["-o", f"ProxyCommand={self._through(route, route.hops)}"]
        return [*words, "--", target.host, target.command]

    def _basics(self, target: LoginTarget) -> list[str]:
        words = ["-F", self._config_file] if self._config_file is not None else []
        words += ["-l", target.user] if target.user else []
        return words + (["-p", str(target.port)] if target.port else [])

    def _options(self, route: ClientRoute, log_level: str) -> list[str]:
        checking = "accept-new" if self._accept_new and not route.strict else "yes"
        options = [
            "BatchMode=yes", f"ConnectTimeout={CONNECT_SECONDS:.0f}", f"StrictHostKeyChecking={checking}",
            "ServerAliveInterval=5", "ServerAliveCountMax=3", "ClearAllForwardings=yes", "PermitLocalCommand=no",
            "RemoteCommand=none", f"LogLevel={log_level}",
        ]  # fmt: skip
        return ["-T", *(word for option in options for word in ("-o", option))]

    def _through(self, route: ClientRoute, hops: list[Place]) -> str:
        """Return the command that carries a connection through hosts, the last of which dials the next one.

        Not ``-J``: the clients that it starts get none of these options, so they could ask questions.
        """
        *before, hop = hops
        words = [*self._executable, *(["-F", self._config_file] if self._config_file is not None else [])]
        words += ["-l", hop.user] if hop.user else []
        words += ["-p", str(hop.port)] if hop.port != 22 else []
        words = [word.replace("%", "%%") for word in words + self._options(route, "VERBOSE")]
        if before:
            words += ["-o", "ProxyCommand=" + self._through(route, before).replace("%", "%%")]
        return shlex.join([*words, "-W", "[%h]:%p", "--", hop.host.replace("%", "%%")])


class _Process:
    """One ssh client. Its thread reads what it says, and waits for its end."""

    def __init__(self, session: Session, command: list[str]) -> None:
        self._session = session
        self.talk = ""  # what the client has said until it was logged in, and its own words since then
        self._partial = b""
        said, says = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = subprocess.Popen(
                command, stdin=session.input, stdout=session.output, stderr=says, start_new_session=True,
                umask=0o077, env={**os.environ, "SSH_ASKPASS_REQUIRE": "never"},
            )  # fmt: skip
        except BaseException:
            os.close(said)
            raise
        finally:
            os.close(says)
        self._said = said
        session.on_close(self._hang_up)

    def connect(self, route: ClientRoute, seconds: float | None) -> tuple[Failure | None, bool]:
        """Wait until it is logged in; return (why not, whether the connection was dropped)."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not diagnosis.CONNECTED.search(self.talk):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if left == 0.0:
                break
            data = self._read(left)
            if data == b"":
                break
            if data is not None:
                self._take(data, forward=not route.is_openssh)
        else:
            self._welcome()
            return None, False
        timed_out = deadline is not None and time.monotonic() >= deadline
        code = self._end(END_SECONDS if not timed_out else 0.0)
        if not route.is_openssh and code != 255:
            self._session.on_exit(code)
            return None, False
        failure = diagnosis.diagnose(self.talk, route.place, route.hops, seconds or 0.0, timed_out=timed_out)
        return failure, failure is None and not self._session.closed

    def forward(self) -> None:
        """Pass on what the remote command says, until the end."""
        while self._said >= 0:
            data = self._read(None)
            if data == b"":
                break
            if data is not None:
                self._take(data, forward=True)
        self._pass_on(self._partial)
        code = self._end(END_SECONDS)
        found = diagnosis.EXIT_STATUS.findall(self.talk.replace("\r", ""))
        if self._session.closed:
            return
        if found and int(found[-1]) >= 0:
            self._session.on_exit(int(found[-1]))
        elif diagnosis.BY_SIGNAL in self.talk:
            self._session.on_exit(None)
        elif code != 255 and code >= 0:
            self._session.on_exit(code)
        else:
            self._session.on_failure(self._lost())

    def _welcome(self) -> None:
        session = self._session
        session.on_connected()
        session.drop(session.input)
        text = self.talk.replace("\r", "")
        for name, kind in diagnosis.STORED.findall(text):
            session.notes.append(f"{session.target.host}: {name} was not known; its {kind} key is now in known_hosts")

    def _lost(self) -> Failure:
        last, target = diagnosis.last_words(self.talk.replace("\r", "")), self._session.target
        if "open failed" in self.talk:
            return failures.no_session(Place(target.host), last)
        return failures.lost(target.host, last)

    # -- what it says ------------------------------------------------------------------------------------------------

    def _read(self, seconds: float | None) -> bytes | None:
        """Return what it says, b"" at its end, None when the time is over; a session that is closed is at its end."""
        poller = select.poll()
        poller.register(self._said, select.POLLIN)
        poller.register(self._session.wake, select.POLLIN)
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = LOOK_SECONDS if until is None else min(LOOK_SECONDS, max(0.0, until - time.monotonic()))
            ended = self._process.poll() is not None  # before the look: what it said last is not to be missed
            ready = dict(poller.poll(0 if ended else left * 1000))
            if self._session.wake in ready:
                return b""
            if self._said in ready:
                return os.read(self._said, 1 << 16)
            # A master that stays in the background may hold the pipe open.
            if ended:
                return b""
            if until is not None and time.monotonic() >= until:
                return None

    def _take(self, data: bytes, *, forward: bool) -> None:
        """Tell the client's own lines from those of the remote command."""
        self._partial += data
        *lines, self._partial = self._partial.split(b"\n")
        for line in lines:
            line += b"\n"
            own = diagnosis.OWN.search(line)
            if not forward or own is not None or line.endswith(b"\r\n"):
                text = (line if own is None else own[0]).decode("utf-8", "replace")
                self.talk = (self.talk + text)[-TALK_AT_MOST_CHARACTERS:]
            if forward or self._session.connected:
                self._pass_on(line if own is None else line[: own.start()])
        if forward and self._partial and not _may_be_own(self._partial):
            self._pass_on(self._partial)
            self._partial = b""

    def _pass_on(self, data: bytes) -> None:
        """Write to the session's standard error; waits while nobody reads it."""
        view = memoryview(data)
        poller = select.poll()
        poller.register(self._session.errors, select.POLLOUT)
        while view:
            try:
                os.set_blocking(self._session.errors, False)
                view = view[os.write(self._session.errors, view) :]
            except BlockingIOError:
                poller.poll(LOOK_SECONDS * 1000)
                if self._session.closed:
                    return
            except OSError:
                return

    # -- its end -----------------------------------------------------------------------------------------------------

    def _hang_up(self) -> None:
        """Any thread may call this; the process has not been waited for while it may."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGTERM)

    def _end(self, grace: float) -> int:
        """See the process off; return its exit code."""
        self._session.forget(self._hang_up)
        if self._session.closed:
            grace = END_SECONDS / 2
        try:
            code = self._process.wait(grace) if grace else None
        except subprocess.TimeoutExpired:
            code = None
        if code is None:
            self._kill()
            code = self._process.wait()
        os.close(self._said)
        self._said = -1
        return code

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _may_be_own(partial: bytes) -> bool:
    return any(own.startswith(partial[: len(own)]) for own in diagnosis.OWN_WORDS)


def _port(found: dict[str, str]) -> int:
    port = found.get("port", "")
    return int(port) if port.isdigit() else 22


def _places(target: LoginTarget | None, config_file: str | None) -> list[Place]:
    """Return the access hosts that the caller names, the first to be dialled first."""
    if target is None:
        return []
    place = Place(target.host, "", target.port or 22, target.user or "", config_file)
    return [*_places(target.jump, config_file), place]
