"""ssh by the OpenSSH client: all that the user's own `ssh` can do, such as Kerberos, certificates and shared masters.

Each session has one ssh process, in a process group of its own, so that Ctrl-C does not reach it. Its standard input
and output are the pipes of the session. The thread of the session reads its standard error: the client's own lines tell
how far it has come (:mod:`.diagnosis`), all others go on to the session. When a server drops the connection, another
process starts with the same pipes: a client reads none of its input before it is logged in.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

from . import diagnosis
from .asking import options_of
from .client import UNCHECKED, Client, Dropped
from .configuration import HOP, TAKEN_UNSEEN, Unusable, checking_of, login_seconds, said_by
from .session import CONNECT_SECONDS, LoginTarget, Session
from .texts import failures
from .texts.failures import Failure, Place

TALK_AT_MOST_CHARACTERS = 1 << 18
END_SECONDS = 1.0
LOOK_SECONDS = 0.2


@dataclass(slots=True)
class ClientRoute:
    """The route to a target, as the client's own configuration says."""

    place: Place
    hops: list[Place] = field(default_factory=list)  # in between, the first to be dialled first
    is_openssh: bool = True
    checking: str = "ask"  # of the server's key, as StrictHostKeyChecking has it
    hop_checking: list[str] = field(default_factory=list)  # of those in between
    stores: bool = True  # keys that are new are written to a file
    proxy_command: str = ""
    seconds: float = CONNECT_SECONDS

    @property
    def server(self) -> str:
        """The ssh server that a login by this route dials first."""
        first = self.hops[0] if self.hops else self.place
        return f"{first.target}:{first.port}"


class OpenSSHClient(Client):
    """Starts sessions by an ssh client; `executable` may hold arguments."""

    def __init__(
        self, executable: str = "ssh", config_file: str | None = None, *, host_key_policy: str = "reject",
        seconds: float = CONNECT_SECONDS,
    ) -> None:  # fmt: skip
        super().__init__(config_file, host_key_policy=host_key_policy, seconds=seconds)
        self._executable = shlex.split(executable) or ["ssh"]

    def serve(self, session: Session) -> None:
        """As that of :class:`Client`."""
        try:
            route = self._route(session.target)
            if session.closed:
                return
            session.on_patience(route.seconds)
            command = self._command(session.target, route)

            def attempt(seconds: float) -> _Process:
                client = _Process(session, command)
                client.connect(route, seconds if route.is_openssh else None)
                return client

            client = self.log_in(route.place, route.server, session, route.seconds, attempt)
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            why, executable = error.strerror or str(error), self._executable[0]
            raise Unusable(failures.NO_SUCH_EXECUTABLE(session.target.host, why, executable=executable)) from None
        if session.connected:
            for checking in {route.checking, *route.hop_checking} & {*TAKEN_UNSEEN}:
                self.say_once(session.notes, UNCHECKED.format(value=checking))
            client.forward()

    # -- the command line --------------------------------------------------------------------------------------------

    def _route(self, target: LoginTarget) -> ClientRoute:
        """Ask the client what its config says; a program that does not answer may still know the way."""
        hops = _places(target.jump, self.config_file)
        found = self._asked(target.host, target.user, target.port)
        if found is None:
            return ClientRoute(Place(target.host), hops, is_openssh=False)
        place = Place(target.host, found["hostname"], int(found["port"]), found.get("user", ""), self.config_file)
        if not hops and found.get("proxyjump", "none") != "none":
            for hop in found["proxyjump"].split(","):
                matched = HOP.fullmatch(hop.strip())
                if matched is None:
                    return ClientRoute(place)  # the client will say what is wrong with the hop
                name = matched["v6"] or matched["host"]
                hops.append(Place(name, "", int(matched["port"] or 22), matched["user"] or "", self.config_file))
        return ClientRoute(
            place, hops, checking=checking_of(found.get("stricthostkeychecking", "")),
            stores=_stores(found), hop_checking=[self._checking_of(hop) for hop in hops],
            proxy_command="" if hops else found.get("proxycommand", ""), seconds=login_seconds(found, self.seconds),
        )  # fmt: skip

    def _checking_of(self, hop: Place) -> str:
        found = self._asked(hop.host, hop.user or None, hop.port if hop.port != 22 else None)
        return checking_of((found or {}).get("stricthostkeychecking", ""))

    def _asked(self, host: str, user: str | None, port: int | None) -> dict[str, Any] | None:
        return said_by(self._executable, options_of(self.config_file, user, port), host)

    def _command(self, target: LoginTarget, route: ClientRoute) -> list[str]:
        words = [*self._basics(target.user, target.port), *self._options(route.checking, route.seconds, "DEBUG1")]
        if route.hops:
            words += ["-o", f"ProxyCommand={self._through(route.hops, route.hop_checking)}"]
        return [*words, "--", target.host, target.command]

    def _basics(self, user: str | None, port: int | None) -> list[str]:
        return [*self._executable, *options_of(self.config_file, user, port)]

    def _options(self, checking: str, seconds: float, log_level: str) -> list[str]:
        if checking not in TAKEN_UNSEEN:
            checking = "accept-new" if self.accept_new and checking == "ask" else "yes"
        options = [
            "BatchMode=yes", f"ConnectTimeout={math.ceil(seconds)}", f"StrictHostKeyChecking={checking}",
            "ServerAliveInterval=5", "ServerAliveCountMax=3", "ClearAllForwardings=yes", "PermitLocalCommand=no",
            "RemoteCommand=none", f"LogLevel={log_level}",
        ]  # fmt: skip
        return ["-T", *(word for option in options for word in ("-o", option))]

    def _through(self, hops: list[Place], checking: list[str]) -> str:
        """Return the ProxyCommand that goes through these hosts; the last one dials the next host.

        ``-J`` would start clients without these options, which could ask questions.
        """
        *before, hop = hops
        words = self._basics(hop.user, hop.port if hop.port != 22 else None)
        words += self._options(checking[len(before)] if checking else "ask", self.seconds, "VERBOSE")
        words = [word.replace("%", "%%") for word in words]
        if before:
            words += ["-o", "ProxyCommand=" + self._through(before, checking).replace("%", "%%")]
        return shlex.join([*words, "-W", "[%h]:%p", "--", hop.host.replace("%", "%%")])


class _Process:
    """One ssh process. The thread of the session reads its standard error, and waits for its end."""

    def __init__(self, session: Session, command: list[str]) -> None:
        self._session = session
        self.talk = ""  # all it has said until the login, and its own lines since then
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

    def connect(self, route: ClientRoute, seconds: float | None) -> None:
        """Wait until it is logged in. Raises Dropped, and Unusable."""
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
            self._welcome(route)
            return
        timed_out = deadline is not None and time.monotonic() >= deadline
        code = self._end(END_SECONDS if not timed_out else 0.0)
        if not route.is_openssh and code != 255:
            self._session.on_exit(code)
            return
        failure = diagnosis.diagnose(
            self.talk, route.place, route.hops, route.seconds, timed_out=timed_out, proxy_command=route.proxy_command
        )
        if failure is None:
            raise Dropped(diagnosis.last_words(self.talk))
        raise Unusable(failure)

    def forward(self) -> None:
        """Pass on the standard error of the remote command, until the end."""
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

    def _welcome(self, route: ClientRoute) -> None:
        session = self._session
        session.on_connected()
        session.drop(session.input)
        text = self.talk.replace("\r", "")
        for name, kind in diagnosis.STORED.findall(text) if route.stores else ():
            session.notes.append(f"{session.target.host}: {name} was not known; its {kind} key is now in known_hosts")

    def _lost(self) -> Failure:
        last, target = diagnosis.last_words(self.talk.replace("\r", "")), self._session.target
        if "open failed" in self.talk:
            return failures.NO_SESSION(target.host, last)
        return failures.LOST(target.host, last)

    # -- what it says ------------------------------------------------------------------------------------------------

    def _read(self, seconds: float | None) -> bytes | None:
        """Return what it says; b"" at its end or when the session is closed, None when time is over."""
        poller = select.poll()
        poller.register(self._said, select.POLLIN)
        poller.register(self._session.wake, select.POLLIN)
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = LOOK_SECONDS if until is None else min(LOOK_SECONDS, max(0.0, until - time.monotonic()))
            ended = self._process.poll() is not None  # asked first, so that poll() still finds its last words
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
        """Keep the client's own lines, and pass on those of the remote command."""
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
        if forward and not any(own.startswith(self._partial[: len(own)]) for own in diagnosis.OWN_WORDS):
            self._pass_on(self._partial)
            self._partial = b""

    def _pass_on(self, data: bytes) -> None:
        """Write to the session's standard error; wait while its reader is slow."""
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
        """Ask the process to end. Any thread may call this: `_end` forgets it before it waits for the process.

        By SIGQUIT: a SIGTERM that comes to all processes at once must not cut the way to the hosts (docs/faults.rst).
        """
        self._signal(signal.SIGQUIT)

    def _end(self, grace: float) -> int:
        """Wait for the process for `grace` seconds, then kill it; return its exit code."""
        self._session.forget(self._hang_up)
        if self._session.closed:
            grace = END_SECONDS / 2
        try:
            code = self._process.wait(grace) if grace else None
        except subprocess.TimeoutExpired:
            code = None
        if code is None:
            self._signal(signal.SIGKILL)
            code = self._process.wait()
        os.close(self._said)
        self._said = -1
        return code

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _stores(found: dict[str, Any]) -> bool:
    return not str(found.get("userknownhostsfile", "")).strip('"').startswith(os.devnull)


def _places(target: LoginTarget | None, config_file: str | None) -> list[Place]:
    """Return the access hosts that a target names, the first to be dialled first."""
    if target is None:
        return []
    place = Place(target.host, "", target.port or 22, target.user or "", config_file)
    return [*_places(target.jump, config_file), place]
