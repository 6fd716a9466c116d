"""The connector: the process of the launching side that keeps the ssh connections.

It is ``python -m fedfutures_launcher.connector.main``. The program's process (the Origin) starts it when a run has
other hosts, and gives it the host process of this machine to talk to as well. It logs in to all hosts at once
(:mod:`.login`), checks what they say of themselves, plans the run from those that answered, sends each its settings,
brings the links up (:mod:`.links`), relays those that no port lets through (:mod:`.streams`), comes back to hosts whose
connection was lost, and passes on what Workers print. So the program's own process loads no ssh library, and however
busy it is, the hosts are looked after.

With the program's process it speaks in frames over standard input and output: the request comes first, "ready" or
"failed" is the answer. The end of its standard input is the end of the run: it tells all hosts, and waits for them.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any

from fedfutures.errors import RemoteProtocolError
from fedfutures.host import room
from fedfutures.host.frame_line import FrameLine
from fedfutures.host.settings import frame_of
from fedfutures.host.system import memory, name_process
from fedfutures.lazy_dataclass import replaced
from fedfutures.wire.control import (
    BeginRun,
    BrokerAccepts,
    BrokerBound,
    BrokerGivenUp,
    BrokerRestarted,
    CloseStream,
    ControlFrame,
    EndRun,
    Heartbeat,
    HoldOutput,
    HostReady,
    HostTable,
    LinkState,
    Notice,
    NoWorkersLeft,
    OpenStream,
    StartRefused,
    StreamCredit,
    StreamData,
    StreamFrame,
    WorkerEnded,
    WorkerOutput,
)
from fedfutures.wire.framing import FrameReader

from ..layout.assemble import Assembly, Request, assemble, request_from
from ..remote.hello import HostHello
from ..remote.links import Announcement, Links, Order
from ..remote.preflight import HostReport, local_versions, reasons, table
from ..remote.streams import Streams
from ..ssh.session import Client
from .access import client_for
from .login import Login

HEARTBEAT_SECONDS = 5.0
END_SECONDS = 1.8
UNREAD_AT_MOST_BYTES = 16 << 20


class Connector:
    """The loop of the connector."""

    def __init__(
        self, request: Request, origin: FrameLine, local: FrameLine, poller: select.poll, client: Client
    ) -> None:
        self.request, self.origin, self.local, self.poller, self.client = request, origin, local, poller, client
        self.versions = local_versions()
        self.logins = {spec.name: Login(spec, request, client, self.versions, poller) for spec in request.hosts}
        self.assembly: Assembly | None = None
        self.links = Links()
        self.streams = Streams()
        self.host_of: dict[str, str] = {}
        self.heartbeat_at = time.monotonic()
        self.ended = False
        self.hushed = False
        self.malformed = 0  # frames that make no sense, of other hosts

    def run(self) -> None:
        """Start the hosts, serve until the run ends, and end them."""
        try:
            for login in self.logins.values():
                login.connect(time.monotonic())
            while not self.ended:
                self._wait()
        finally:
            self._end()

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        now = time.monotonic()
        deadlines = [self.heartbeat_at, self.links.next_deadline(), *(login.life.due for login in self.logins.values())]
        due = min(at for at in deadlines if at is not None)
        for descriptor, events in self.poller.poll(max(0.0, due - now) * 1000 + 1):
            self._serve(descriptor, events)
        self._pace()
        now = time.monotonic()
        if now >= self.heartbeat_at:
            self.heartbeat_at = now + min(HEARTBEAT_SECONDS, self.request.options.grace / 4)
            for login in self.logins.values():
                login.send(Heartbeat())
        self._do(self.links.tick(now))
        for login in self.logins.values():
            if login.life.due is not None and now >= login.life.due:
                login.on_due(now)
                self._look_at(login)
        if self.assembly is None and not self.ended and all(login.life.settled for login in self.logins.values()):
            self._assemble()

    def _serve(self, descriptor: int, events: int) -> None:
        for line in (self.origin, self.local):
            if descriptor == line.write and events & ~select.POLLIN:
                line.flush()
            if descriptor == line.read and events & (select.POLLIN | select.POLLHUP | select.POLLERR):
                self._hear_own(line)
                return
        for login in self.logins.values():
            if login.serve(descriptor, events):
                try:
                    for frame in login.frames():
                        self._heard(login.name, frame)
                except RemoteProtocolError:
                    self.malformed += 1
                    login.on_nonsense()
                self._look_at(login)
                return

    def _hear_own(self, line: FrameLine) -> None:
        """Take in what the program's process or the host process of this machine says."""
        data = line.receive()
        if data is None:
            return
        if not data:
            self.ended = True
            return
        for frame in line.reader.feed(data):
            if line is self.local:
                self._heard(self.request.local.name, frame)
            elif isinstance(frame, EndRun):
                self.ended = True

    def _look_at(self, login: Login) -> None:
        """Do what follows when a host's connection has changed."""
        for text in login.news():
            self._note(text, important=True)
        if login.lost_now():
            for host, frame in self.streams.lose(login.name):
                self._tell(host, frame)
        if login.given_up and not self._workers_left():
            reason = f"host {login.name} was the last one with Workers, and is given up"
            self.origin.send(NoWorkersLeft(reason))

    def _workers_left(self) -> bool:
        """Whether a host with Workers is there, or may come back."""
        assert self.assembly is not None
        return any(
            settings.workers and not (name in self.logins and self.logins[name].given_up)
            for name, settings in self.assembly.settings.items()
        )

    # -- frames of hosts ---------------------------------------------------------------------------------------------

    def _heard(self, host: str, frame: ControlFrame) -> None:
        """Do what a host's frame asks for; raise RemoteProtocolError when it is not that host's to say."""
        handler = _HANDLERS.get(type(frame))
        if handler is not None:
            handler(self, host, frame)

    def _on_stream(self, host: str, frame: StreamFrame) -> None:
        routed = self.streams.route(host, frame, self.host_of)
        if routed is not None:
            self._tell(*routed)

    def _on_bound(self, host: str, frame: BrokerBound) -> None:
        self._check(host, frame.broker)
        self._do(self.links.on_bound(frame))

    def _on_accepts(self, host: str, frame: BrokerAccepts) -> None:
        self._check(host, frame.broker)
        self._do(self.links.on_accepts(frame.broker, frame.neighbour, time.monotonic()))

    def _on_link(self, host: str, frame: LinkState) -> None:
        self._check(host, frame.broker)
        self._do(self.links.on_state(frame, time.monotonic()))

    def _check(self, host: str, broker: str) -> None:
        if self.host_of.get(broker) != host:
            raise RemoteProtocolError(f"host {host} speaks for {broker!r}")

    def _on_ready(self, host: str, frame: HostReady) -> None:
        if self.assembly is None:
            raise RemoteProtocolError(f"host {host} is ready before the run has begun")
        if host == self.request.local.name:
            hosts = [name for name, settings in self.assembly.settings.items() if settings.workers]
            self.origin.send(replaced(frame, size=self.assembly.workers, hosts=hosts))
        else:
            self.logins[host].on_ready(frame.run)
        if self.hushed:
            self._tell(host, HoldOutput(True))

    def _on_broker_given_up(self, host: str, frame: BrokerGivenUp) -> None:
        if host == self.request.local.name:
            self._pass_on(host, frame)
        else:
            self._note(f"host {host} ends: {frame.reason}", important=True)

    def _pass_on(self, _: str, frame: ControlFrame) -> None:
        self.origin.send(frame)
        self._pace()

    def _pace(self) -> None:
        """Have Workers wait with what they print while the program's process does not take it in."""
        bound = UNREAD_AT_MOST_BYTES // 2 if self.hushed else UNREAD_AT_MOST_BYTES
        if self.hushed != (self.origin.unsent.size > bound):
            self.hushed = not self.hushed
            for host in (self.request.local.name, *self.logins):
                self._tell(host, HoldOutput(self.hushed))

    def _do(self, actions: Iterable[Order | Announcement]) -> None:
        for action in actions:
            if isinstance(action, Announcement):
                self._note(action.text, important=action.important)
            else:
                self._tell(action.host, action.frame)

    def _tell(self, host: str, frame: ControlFrame) -> None:
        if host == self.request.local.name:
            self.local.send(frame)
        else:
            self.logins[host].send(frame)

    def _note(self, text: str, *, important: bool = False) -> None:
        if important or self.request.settings.verbosity > 0:
            self.origin.send(Notice(text))

    # -- beginning and end -------------------------------------------------------------------------------------------

    def _assemble(self) -> None:
        """All hosts have answered or failed: say which, and begin with those that can."""
        working = {name: login.facts for name, login in self.logins.items() if login.facts is not None}
        failed = [name for name, login in self.logins.items() if login.facts is None]
        local_counts = self.request.local.count != 0
        wanted = self.request.options
        if failed and wanted.require_all:
            self._fail(f"{len(failed)} of the hosts cannot be used, and --require-all asks for all", 2)
            return
        try:
            assembly = assemble(self.request, working)
        except ValueError as error:
            self._fail(str(error), 2)
            return
        if len(working) + local_counts < wanted.min_hosts:
            count = len(working) + local_counts
            text = f"{count} host{'s' * (count != 1)} can be used, and --min-hosts asks for {wanted.min_hosts}"
            self._fail(text, 2)
            return
        self.assembly = assembly
        self.host_of = {broker.name: broker.host for broker in assembly.tree.nodes.values()}
        self.links = Links(assembly.tree)
        self._show_table({name: settings.workers for name, settings in assembly.settings.items()})
        self._warn_of_many()
        self.local.send(frame_of(assembly.settings[self.request.local.name]))
        for name, login in self.logins.items():
            login.begin(assembly.settings.get(name))

    def _show_table(self, workers: dict[str, int]) -> None:
        reports = [login.report(workers.get(name, 0)) for name, login in self.logins.items()]
        if self.request.local.count != 0:
            ours = self.versions
            here = HostHello(
                ours.python, fedfutures=ours.fedfutures, protocol=ours.protocol, processors=self.request.processors,
                memory=memory(),
            )  # fmt: skip
            local = self.request.local.name
            reports.insert(0, HostReport(local, workers.get(local, 0), hello=here, latency=0.0))
        problems = any(report.problem is not None for report in reports)
        self.origin.send(HostTable(table(reports, self.request.columns), problems))

    def _warn_of_many(self) -> None:
        """Say where there are far more Workers than processors."""
        assert self.assembly is not None
        for name, settings in self.assembly.settings.items():
            facts = self.logins[name].facts if name in self.logins else None
            processors = self.request.processors if facts is None else int(facts["processors"] or 1)
            many = room.warning(settings.workers, processors, name)
            if many and self.request.settings.verbosity >= 0:
                self._note(many, important=True)

    def _fail(self, text: str, code: int) -> None:
        self._show_table({})
        why = reasons([login.report(0) for login in self.logins.values()])
        self.origin.send(StartRefused(text, code, why))
        self.ended = True

    def _end(self) -> None:
        """Tell all hosts that the run has ended, and wait until they have, for a bounded time."""
        deadline = time.monotonic() + END_SECONDS
        for login in self.logins.values():
            login.end()
        self.local.hang_up()
        while time.monotonic() < deadline and (
            self.local.read >= 0 or any(login.open for login in self.logins.values())
        ):
            for descriptor, events in self.poller.poll(50):
                self._serve_last(descriptor, events)
        self.client.close()
        while self.origin.unsent and time.monotonic() < deadline:
            select.select([], [self.origin.write], [], 0.1)
            self.origin.flush()

    def _serve_last(self, descriptor: int, events: int) -> None:
        """Pass on what Workers have printed last."""
        frames: list[ControlFrame] = []
        if descriptor == self.origin.read:
            self.poller.unregister(descriptor)
        elif descriptor == self.origin.write:
            self.origin.flush()
        elif descriptor == self.local.read:
            data = self.local.receive()
            if data:
                frames = self.local.reader.feed(data)
            elif data is not None:
                self.local.let_go()
        else:
            for login in self.logins.values():
                if login.serve(descriptor, events):
                    frames = login.frames()
                    break
        for frame in frames:
            if isinstance(frame, (WorkerOutput, WorkerEnded)):
                self.origin.send(frame)


_HANDLERS: dict[type[ControlFrame], Callable[[Connector, str, Any], None]] = {
    **dict.fromkeys((OpenStream, StreamData, StreamCredit, CloseStream), Connector._on_stream),
    **dict.fromkeys((WorkerOutput, WorkerEnded, BrokerRestarted), Connector._pass_on),
    BrokerBound: Connector._on_bound,
    BrokerAccepts: Connector._on_accepts,
    LinkState: Connector._on_link,
    HostReady: Connector._on_ready,
    BrokerGivenUp: Connector._on_broker_given_up,
}
"""What host processes say once they serve; anything else is not for the connector."""


def main() -> None:
    """Run a connector on standard input and output."""
    name_process("fedfut-connect")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reader = FrameReader()
    frames: list[ControlFrame] = []
    while not frames:
        data = os.read(0, 1 << 18)
        if not data:
            raise SystemExit(0)
        frames = reader.feed(data)
    if frames[1:] or not isinstance(frames[0], BeginRun):  # the end has come already
        raise SystemExit(0)
    request = request_from(frames[0].request)
    poller = select.poll()
    origin, local = FrameLine(0, 1, poller, reader), FrameLine(*request.local_descriptors, poller)
    Connector(request, origin, local, poller, client_for(request.options)).run()
    os._exit(0)  # whatever an ssh library still has under way


if __name__ == "__main__":
    main()
