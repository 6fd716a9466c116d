"""``python -m fedfutures join [USER@]HOST:NAME``: this machine comes to a standing Federation, as a batch job's node.

It dials outward, by ssh, and asks the keeper there what to run: a host server, and what comes back to it when the
connection was lost. It stays until that host server has ended.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from fedfutures.errors import StartFailed
from fedfutures.host.here import host_here
from fedfutures.host.hosts import Hosts
from fedfutures.host.walltime import of_job, session_age
from fedfutures.wire.control import HostComes, OpenSession, StartRefused

from ..arguments.parser import Parser
from ..arguments.values import worker_count
from ..connector.access import client_to
from ..hosts.spec import BadHosts
from ..launchers.join_client import COME_BACK
from ..launchers.keeper_visit import FarPlace, KeeperVisit, far_place
from ..ssh.session import CONNECT_SECONDS
from . import refusals
from .standing import add_host_options, hosts_of, without_ways

PAUSE_SECONDS = 1.0
_LEAVING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LAST_WORD_SECONDS = 1.5
"""For so long the keeper is waited for, until it has heard that this host leaves."""
LAST_SECONDS = 3.0
"""So long a host server may take over the time that it has to leave."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code: 0 when the host has left, 2 for bad input, else 3."""
    given = parser().parse_args(list(arguments))
    hosts = hosts_of(given)
    try:
        if os.geteuid() == 0 and not hosts.allow_root:
            raise StartFailed(
                "as root, Futures could do anything on this host: run it as a user, or say --allow-root", 2
            )
        return ComingHost(far_place(given.place), hosts, given.workers or 0).stay()
    except BadHosts as error:
        print(f"fedfutures: {error}", file=sys.stderr)
        return 2
    except StartFailed as error:
        return refusals.say(error)


class ComingHost:
    """This host, as long as it takes part: its host server, and the connections to the keeper, one after the other."""

    def __init__(self, place: FarPlace, hosts: Hosts, workers: int) -> None:
        self._place, self._grace = place, hosts.grace
        self._seconds = hosts.start_timeout or CONNECT_SECONDS
        self._client = client_to(place, hosts, self._seconds)
        self._frame = HostComes(host_here(), secrets.token_hex(16), workers, sys.executable)
        self._server: subprocess.Popen[bytes] | None = None
        self._name = self._frame.host  # as the keeper's connector calls it
        self._leaves_by = 0.0  # it was told to leave, and does so by then

    def stay(self) -> int:
        """Take part until the host server has ended; return the exit code. Raises StartFailed."""
        former = {number: signal.signal(number, self._on_signal) for number in _LEAVING}
        try:
            self._leave_before_the_job_ends()
            lost_at = time.monotonic()
            while True:
                try:
                    visit = KeeperVisit(self._client, self._place, self._seconds)
                    has_ended = self._serve(visit)
                except StartFailed as error:
                    if self._server is None or time.monotonic() > lost_at + 2 * self._grace:
                        raise
                    print(f"fedfutures: {error.summary}; trying again", file=sys.stderr)
                    has_ended = self._rest(PAUSE_SECONDS)
                else:
                    lost_at = time.monotonic()
                if has_ended:
                    self._check_end()
                    print(f"{self._name} has left {self._place.word}")
                    return 0
        finally:
            self._end()
            for number, handler in former.items():
                signal.signal(number, handler)

    def _serve(self, visit: KeeperVisit) -> bool:
        """Do what the keeper says, until the connection is lost; return whether the host server has ended by then."""
        try:
            answer = visit.ask(self._frame)
            if isinstance(answer, StartRefused):
                raise StartFailed(answer.reason, answer.exit_code)
            if not isinstance(answer, OpenSession):
                raise StartFailed(f"{self._place.word} has answered by {type(answer).__name__}", 3)
            child = self._run(answer, visit)
            has_ended = self._wait(child, visit)
            if has_ended:  # its last word is that it leaves
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(LAST_WORD_SECONDS)
                visit.finish(LAST_WORD_SECONDS)
            return has_ended
        finally:
            visit.session.close()

    def _run(self, order: OpenSession, visit: KeeperVisit) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
        child = subprocess.Popen(
            ["/bin/sh", "-c", order.command], stdin=visit.session.read_fd, stdout=visit.session.write_fd,
            env=environment, start_new_session=True,
        )  # fmt: skip
        if order.stream != COME_BACK:
            if self._server is None:
                print(f"{order.host} has joined {self._place.word}", flush=True)
            self._server, self._name = child, order.host
        return child

    def _wait(self, child: subprocess.Popen[bytes], visit: KeeperVisit) -> bool:
        """Wait until the session, its child, or the host server has ended."""
        poller = select.poll()
        poller.register(visit.session.read_fd, 0)  # its end alone: what comes is for the child
        ends = {os.pidfd_open(one.pid): one for one in {child, self._server or child} if one.poll() is None}
        try:
            for end in ends:
                poller.register(end, select.POLLIN)
            while not self._has_ended() and child.poll() is None:
                if any(descriptor not in ends for descriptor, _ in poller.poll(self._milliseconds())):
                    break
                self._look()
        finally:
            for end in ends:
                os.close(end)
        return self._rest(0.0) if child is self._server else self._rest(PAUSE_SECONDS / 4)

    def _rest(self, seconds: float) -> bool:
        """Wait so long; return whether the host server has ended, in order."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._server is not None:
                self._server.wait(seconds)
        self._look()
        return self._has_ended()

    def _has_ended(self) -> bool:
        """Whether the host server has ended in order; the keeper has another one started where it was killed."""
        code = None if self._server is None else self._server.poll()
        return code is not None and (code >= 0 or bool(self._leaves_by))

    def _check_end(self) -> None:
        """Raise StartFailed if the host server has ended before it was one."""
        assert self._server is not None
        if self._server.returncode > 0:
            raise StartFailed(
                f"{self._place.word} does not take this host: its host server has ended with exit code "
                f"{self._server.returncode}. There the reason is shown by: fedfutures logs {self._place.name}", 3
            )  # fmt: skip

    # -- leaving -----------------------------------------------------------------------------------------------------

    def _on_signal(self, number: int, frame: object) -> None:
        if self._server is None:
            raise SystemExit(128 + number)
        if not self._leaves_by:
            self._leaves_by = time.monotonic() + self._grace + LAST_SECONDS
            with contextlib.suppress(ProcessLookupError):
                self._server.send_signal(signal.SIGTERM)

    def _leave_before_the_job_ends(self) -> None:
        """Have this host leave in order before its batch job is ended, so that nothing is cut off."""
        job = of_job(os.environ, time.time(), session_age)
        if job is not None:
            seconds = max(0.0, job[0] - self._grace - 2 * LAST_SECONDS)
            timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGTERM))
            timer.daemon = True
            timer.start()

    def _milliseconds(self) -> float | None:
        return max(0.0, self._leaves_by - time.monotonic()) * 1000 + 1 if self._leaves_by else None

    def _look(self) -> None:
        if self._leaves_by and time.monotonic() >= self._leaves_by and self._server is not None:
            self._server.kill()

    def _end(self) -> None:
        self._client.close()
        if self._server is not None and self._server.poll() is None:
            self._server.terminate()


def parser() -> Parser:
    """Return the parser of its command line."""
    found = Parser(
        "python -m fedfutures join",
        description="Bring this machine to a standing Federation, as a node of a batch job; it stays until that ends.",
        allow_abbrev=False,
    )
    found.add_argument(
        "place",
        metavar="[USER@]HOST:NAME",
        help="where the keeper is, as ssh takes it, and the name; or tcp://HOST:PORT/NAME#SHA256:..., as status shows",
    )
    found.add_argument(
        "-n", "--workers", dest="workers", type=worker_count, metavar="N",
        help="Workers at once here, of all programs together; default: one for each processor that may be used",
    )  # fmt: skip
    add_host_options(found, "the way to the keeper", without_ways())
    return found
