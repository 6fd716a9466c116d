"""The connector: the process of the launching side that keeps the ssh connections.

The program's process (the Origin) starts it when a run has other hosts (:mod:`.launched`). The connector logs in to all
hosts at once (:mod:`.login`), checks their versions, plans the run from those that answered, sends each its settings
(those of this machine's host process to the program, whose process that is), brings up the links
(:mod:`~fedfutures_launcher.remote.links`), relays links for which no port is open
(:mod:`~fedfutures_launcher.remote.streams`), comes back to hosts whose connection was lost, and passes on what Workers
print. So the program's process loads no ssh library, and a busy program does not keep the hosts waiting.

It speaks with the program's process in frames over standard input and output. The request comes first; the answer is
the plan, or a refusal. Whenever the program has a host process, the connector comes to its door (:mod:`.local_line`).
The end of its standard input is the end of the run: it tells all hosts, and waits for them.
"""

from __future__ import annotations

import dataclasses
import os
import select
import time
from collections.abc import Callable, Iterable
from typing import Any, get_args

from fedfutures import failpoints, limits
from fedfutures.errors import RemoteProtocolError
from fedfutures.host.frame_line import FrameLine
from fedfutures.wire import control
from fedfutures.wire.control import ControlFrame

from ..hosts.spec import HostSpec
from ..layout.assemble import Assembly, Facts, Request, assemble, twins
from ..remote.links import Announcement, Links, Order
from ..remote.packages import ProgramPackages
from ..remote.preflight import ThisMachine, local_versions, reasons
from ..remote.remote_host import HostState
from ..remote.streams import Streams
from .access import Ways
from .local_line import LocalLine
from .login import Login
from .notes import Notes
from .shares import shares_of
from .telling import table_of, warnings_of

HEARTBEAT_SECONDS = 5.0
END_SECONDS = 1.8
RETURN_SECONDS = 4.0
"""For how long the end waits for hosts that the connector has to log in to again, to tell them."""
LATE_SECONDS = 0.1
"""A turn of the loop that takes so much longer than it was to sleep shows that this process did not run."""
UNREAD_AT_MOST_BYTES = 16 << 20
OF_A_JOB = "a batch job runs on all of its hosts; to run with fewer: --min-hosts N"


class Connector:
    """The loop of the connector."""

    def __init__(self, request: Request, origin: FrameLine, poller: select.poll, ways: Ways) -> None:
        self.request, self.origin, self.poller, self.ways = request, origin, poller, ways
        self.local = LocalLine(poller)
        packages = ProgramPackages(request.settings.program, request.settings.path)
        self.here = ThisMachine(local_versions(), packages)
        self.logins = {spec.name: self._login_of(spec) for spec in request.hosts}
        self.assembly: Assembly | None = None
        self.links = Links()
        self.streams = Streams()
        self.host_of: dict[str, str] = {}
        self.heartbeat_at = time.monotonic()
        self.ended = False
        self.hushed = False
        self.notes = Notes(request.notes, origin.send)
        self.malformed = 0  # frames of other hosts that broke the protocol

    def _login_of(self, spec: HostSpec) -> Login:
        return Login(spec, self.request, self.ways.to(spec), self.here, self.poller)

    def run(self, early: Iterable[ControlFrame] = ()) -> None:
        """Start the hosts, serve until the run ends, and end them; `early` are frames that came with the request."""
        try:
            if self.notes.facts is None:
                for login in self.logins.values():
                    login.connect(time.monotonic())
            else:
                self._return(self.notes.facts)
            self._on_origin_frames(early)
            while not self.ended:
                self._wait()
        except (OSError, RuntimeError, MemoryError) as error:
            if (why := limits.reached(error)) is None:
                raise
            self._give_up(f"the connector on {os.uname().nodename} cannot go on: {why}")
        finally:
            self._end()

    def _give_up(self, reason: str) -> None:
        refused = control.StartRefused(reason, 1, {})
        self.origin.send(refused if self.assembly is None else control.NoWorkersLeft(reason))

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        if self.assembly is None and all(login.life.settled for login in self.logins.values()):
            self._assemble()
            return
        before = time.monotonic()
        seconds = max(0.0, min(at for at in self._deadlines() if at is not None) - before)
        for descriptor, events in self.poller.poll(seconds * 1000 + 1):
            self._serve(descriptor, events)
        self._pace()
        now = time.monotonic()
        if (late := now - before - seconds) > LATE_SECONDS:
            for login in self.logins.values():
                login.life.excuse(late)
        if now >= self.heartbeat_at:
            self.heartbeat_at = now + min(HEARTBEAT_SECONDS, self.request.options.grace / 4)
            for login in self.logins.values():
                login.send(control.Heartbeat())
        self._do(self.links.tick(now))
        for login in self.logins.values():
            if login.life.due is not None and now >= login.life.due:
                login.on_due(now)
                self._look_at(login)

    def _deadlines(self) -> list[float | None]:
        return [self.heartbeat_at, self.links.next_deadline(), *(login.life.due for login in self.logins.values())]

    def _serve(self, descriptor: int, events: int) -> None:
        if descriptor == self.origin.write and events & ~select.POLLIN:
            self.origin.flush()
        if descriptor == self.origin.read and events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            self._hear_origin()
            return
        if descriptor == self.local.descriptor:
            self._hear_local(events)
            return
        for login in self.logins.values():
            try:
                if not login.serve(descriptor, events):
                    continue
                for frame in login.frames():
                    self._heard(login.name, frame)
            except Exception as error:
                self.malformed += 1
                if not isinstance(error, RemoteProtocolError):  # our own fault: it costs this host alone its connection
                    self._note(f"host {login.name}: what it sent raised {error!r}", important=True)
                login.on_nonsense()
            self._look_at(login)
            return

    def _hear_origin(self) -> None:
        data = self.origin.receive()
        if data is None:
            return
        if not data:
            self.ended = True
            return
        try:
            frames = self.origin.reader.feed(data)
        except RemoteProtocolError as error:  # where the next frame begins cannot be known
            self._end_for_nonsense(error)
            return
        self._on_origin_frames(frames)

    def _on_origin_frames(self, frames: Iterable[ControlFrame]) -> None:
        for frame in frames:
            if isinstance(frame, control.EndRun):
                self.ended = True
            elif isinstance(frame, control.HostReady):
                self._lose_streams(self.request.local.name)
                self.local.come(frame.run)
                self._resize(self.request.local.name)
            elif isinstance(frame, control.ResizeRun):
                self.notes.keep_workers(frame.workers)
                self._resize(*(self.assembly.settings if self.assembly is not None else ()))

    def _hear_local(self, events: int) -> None:
        """Act on what this machine's host process says; a frame that it may not send is passed over."""
        try:
            frames = self.local.serve(events)
        except RemoteProtocolError as error:
            self._end_for_nonsense(error)
            return
        for frame in frames:
            try:
                self._heard(self.request.local.name, frame)
            except Exception as error:
                self.malformed += 1
                self._note(f"this machine's host process: {type(frame).__name__} raised {error!r}", important=True)

    def _end_for_nonsense(self, error: RemoteProtocolError) -> None:
        self._give_up(f"the run ends: this machine's processes sent what is no frame ({error})")
        self.ended = True

    def _lose_streams(self, host: str) -> None:
        for other, frame in self.streams.lose(host):
            self._tell(other, frame)

    def _look_at(self, login: Login) -> None:
        """Tell people and the other hosts what has changed about a host's connection."""
        for text in login.news():
            self._note(text, important=True)
        if login.lost_now():
            self._lose_streams(login.name)
        if login.given_up and not self.notes.is_gone(login.name):
            self.notes.keep_gone(login.name)
            self._resize(*(self.assembly.settings if self.assembly is not None else ()))
        if login.given_up and not self._workers_left():
            reason = f"host {login.name} was the last one with Workers, and is given up"
            self.origin.send(control.NoWorkersLeft(reason))

    def _workers_left(self) -> bool:
        """Whether a host with Workers is there, or may come back."""
        assert self.assembly is not None
        return any(
            settings.workers and not (name in self.logins and self.logins[name].given_up)
            for name, settings in self.assembly.settings.items()
        )

    # -- frames of hosts ---------------------------------------------------------------------------------------------

    @failpoints.delayed("connector.hear")
    def _heard(self, host: str, frame: ControlFrame) -> None:
        """Act on a host's frame. Raises RemoteProtocolError when that host may not send it."""
        handler = _HANDLERS.get(type(frame))
        if handler is not None:
            handler(self, host, frame)

    def _on_stream(self, host: str, frame: control.StreamFrame) -> None:
        routed = self.streams.route(host, frame, self.host_of)
        if routed is not None and isinstance(routed[1], control.OpenStream) and not self._hears(routed[0]):
            routed = self.streams.route(routed[0], control.CloseStream(routed[1].stream), self.host_of)
        if routed is not None:
            self._tell(*routed)

    def _hears(self, host: str) -> bool:
        return self.local.descriptor >= 0 if host == self.request.local.name else self.logins[host].serves

    def _on_link(self, host: str, frame: control.BrokerBound | control.BrokerAccepts | control.LinkState) -> None:
        if self.host_of.get(frame.broker) != host:
            raise RemoteProtocolError(f"host {host} speaks for {frame.broker!r}")
        if isinstance(frame, control.BrokerBound):
            self._do(self.links.on_bound(frame))
            self.notes.keep_place(frame)
        elif isinstance(frame, control.BrokerAccepts):
            self._do(self.links.on_accepts(frame.broker, frame.neighbour, time.monotonic()))
        else:
            self._do(self.links.on_state(frame, time.monotonic()))

    def _on_ready(self, host: str, frame: control.HostReady) -> None:
        if self.assembly is None:
            raise RemoteProtocolError(f"host {host} is ready before the run has begun")
        self.logins[host].on_ready(frame.run)
        self.notes.keep_directory(host, frame.run)
        self._do(self.links.on_back(host))
        self._resize(host)
        if self.hushed:
            self._tell(host, control.HoldOutput(True))

    def _resize(self, *hosts: str) -> None:
        """Tell hosts how many Workers they are to have, if the program has asked for another number."""
        if self.assembly is None or not self.notes.workers:
            return
        there = [name for name in self.assembly.settings if not self.notes.is_gone(name)]
        for host, frame in shares_of(self.request, there, self.notes.workers).items():
            if host in hosts:
                self._tell(host, frame)

    def _on_given_up(self, host: str, frame: control.BrokerGivenUp | control.NoWorkersLeft) -> None:
        self._note(f"host {host} ends: {frame.reason}", important=True)

    def _on_leaves(self, host: str, frame: control.HostLeaves) -> None:
        self.logins[host].on_leave(frame.reason)

    def _pass_on(self, _: str, frame: ControlFrame) -> None:
        self.origin.send(frame)
        self._pace()

    def _pace(self) -> None:
        """Have Workers hold their output while the program's process is slow to read it."""
        bound = UNREAD_AT_MOST_BYTES // 2 if self.hushed else UNREAD_AT_MOST_BYTES
        if self.hushed != (self.origin.unsent.size > bound):
            self.hushed = not self.hushed
            for host in self.logins:
                self._tell(host, control.HoldOutput(self.hushed))

    def _do(self, actions: Iterable[Order | Announcement]) -> None:
        for action in actions:
            if isinstance(action, Announcement):
                self._note(action.text, important=action.important)
            else:
                self._tell(action.host, action.frame)

    @failpoints.delayed("connector.tell")
    def _tell(self, host: str, frame: ControlFrame) -> None:
        if host == self.request.local.name:
            self.local.send(frame)
        else:
            self.logins[host].send(frame)

    def _note(self, text: str, *, important: bool = False) -> None:
        if important or self.request.settings.verbosity > 0:
            self.origin.send(control.Notice(text))

    # -- beginning and end -------------------------------------------------------------------------------------------

    def _assemble(self) -> None:
        """Begin the run with the hosts that can take part; all others have failed, or are late."""
        working = {name: dict(login.facts or {}) for name, login in self.logins.items() if login.is_ready}
        failed = [name for name, login in self.logins.items() if login.facts is None]
        local_counts = self.request.local.count != 0
        wanted = self.request.options
        if failed and self.request.needs_all:
            why = "--require-all asks for all" if wanted.require_all else OF_A_JOB
            self._fail(f"{len(failed)} of the hosts cannot be used, and {why}", 2)
            return
        try:
            assembly = assemble(self.request, working)
        except ValueError as error:
            self._fail(str(error), 2)
            return
        same = twins(self.request.hosts, working)
        for name, other in same.items():
            self.logins[name].is_same_as(other)
        count, least = len(working) - len(same) + local_counts, self.request.least_hosts
        if count < least:
            text = f"{count} host{'s' * (count != 1)} can be used, and --min-hosts asks for {least}"
            self._fail(text, 2)
            return
        self.notes.keep_facts(working)
        self._show_table({name: settings.workers for name, settings in assembly.settings.items()})
        if self.request.settings.verbosity >= 0:
            for text in warnings_of(self.request, self.logins, assembly):
                self._note(text, important=True)
        self._follow(assembly, working)
        for name, login in self.logins.items():
            login.begin(assembly.settings.get(name))

    def _follow(self, assembly: Assembly, facts: Facts) -> None:
        self.assembly = assembly
        self.host_of = {broker.name: broker.host for broker in assembly.tree.nodes.values()}
        self.links = Links(assembly.tree, {name: of_one["launcher"] for name, of_one in facts.items()})
        own = assembly.settings[self.request.local.name]
        hosts = [name for name, settings in assembly.settings.items() if settings.workers]
        self.origin.send(control.RunPlanned(dataclasses.asdict(own), hosts))

    def _return(self, facts: dict[str, Any]) -> None:
        """Go on with the run of a connector that was killed: the same facts make the same plan."""
        self.notes.keep_facts(facts)  # tells the program that this one is at work
        self._follow(assembly := assemble(self.request, facts), facts)
        self.links.resume(self.notes.places(), time.monotonic())
        for name, login in self.logins.items():
            if name in assembly.settings:
                gone, directory = self.notes.is_gone(name), self.notes.directory(name)
                login.resume(assembly.settings[name], facts[name], directory, was_given_up=gone)

    def _show_table(self, workers: dict[str, int]) -> None:
        found = table_of(self.request, self.here.hello, self.logins, workers)
        if found.problems or (self.logins and not self.request.sessions):  # else it is as the Federation has it
            self.origin.send(found)

    def _fail(self, text: str, code: int) -> None:
        self._show_table({})
        why = reasons([login.report(0) for login in self.logins.values()])
        self.origin.send(control.StartRefused(text, code, why))
        self.ended = True

    def _end(self) -> None:
        """Tell the other hosts that the run has ended, and wait until they have, for a bounded time."""
        self.local.leave()
        for login in self.logins.values():
            login.end()
        are_away = any(login.life.state is HostState.CLOSING for login in self.logins.values())
        deadline = time.monotonic() + (RETURN_SECONDS if are_away else END_SECONDS)
        while time.monotonic() < deadline and any(login.open for login in self.logins.values()):
            for descriptor, events in self.poller.poll(50):
                self._serve_last(descriptor, events)
        self.ways.close()
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
        else:
            for login in self.logins.values():
                if login.serve(descriptor, events):
                    frames = login.frames()
                    break
        for frame in frames:
            if isinstance(frame, (control.WorkerOutput, control.WorkerEnded)):
                self.origin.send(frame)


_HANDLERS: dict[type[ControlFrame], Callable[[Connector, str, Any], None]] = {
    **dict.fromkeys(get_args(control.StreamFrame), Connector._on_stream),
    **dict.fromkeys(
        (control.WorkerOutput, control.WorkerEnded, control.BrokerRestarted, control.Notice), Connector._pass_on
    ),
    **dict.fromkeys((control.BrokerBound, control.BrokerAccepts, control.LinkState), Connector._on_link),
    control.HostReady: Connector._on_ready,
    control.BrokerGivenUp: Connector._on_given_up,
    control.HostLeaves: Connector._on_leaves,
    control.NoWorkersLeft: Connector._on_given_up,
}
"""The frames of host processes that the connector acts on; it ignores all others."""
