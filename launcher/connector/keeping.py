"""The connector of a keeper: it keeps the connections to the host servers of a standing Federation.

The keeper starts it as ``python -m fedfutures_launcher.connector.keeping``. It logs in to hosts as that of a program
does, but what it begins there are host servers, and there are no links between them. Programs come to its *door*, a
socket in the keeper's private directory, with the name of a host and a command line; it opens a stream to the host
server there, and passes on the bytes of both. So a program's connector finds all that ssh would have given it, but in
milliseconds, and no program logs in anywhere.

It ends with its keeper. Unless that has told it that the Federation is taken down, host servers go on for their grace,
and the next keeper's connector comes back to them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import select
import time
from collections.abc import Callable, Iterable
from typing import Any

from fedfutures.errors import RemoteProtocolError
from fedfutures.host.frame_line import FrameLine
from fedfutures.host.hosts import Hosts
from fedfutures.host.local_streams import LocalStreams
from fedfutures.host.reattach import open_door
from fedfutures.host.settings import Settings
from fedfutures.standing.host_server import GREETING_SECONDS
from fedfutures.standing.keeper import SESSIONS_DOOR
from fedfutures.standing.visitors import DoorVisitor
from fedfutures.wire import control
from fedfutures.wire.control import ControlFrame

from ..hosts.spec import HOST, HostSpec, completed, spec_from
from ..layout.assemble import Assembly, Facts, Request, request_from
from ..remote.remote_host import HostState
from .access import Ways, remote_target
from .announcing import FederationNotice
from .beginning import run
from .growing import GrowingConnector
from .key_door import KeyDoor
from .listening import announced_of
from .login import Login
from .watchers import Watchers

BACKLOG = 128
BACK_SECONDS = 3.0
"""For so long hosts are waited for when a connector takes over; programs leave out who is not back by then."""
_ASKED = (control.OpenSession, control.WatchHosts, control.HostComes)


class KeeperConnector(GrowingConnector):
    """The loop of a keeper's connector; its door is in `directory`."""

    def __init__(self, request: Request, origin: FrameLine, poller: select.poll, ways: Ways, directory: str) -> None:
        super().__init__(request, origin, poller, ways)
        self._is_down = False  # the Federation was taken down
        self._numbers = itertools.count(2, 2)
        self._ends = {name: LocalStreams(login.send, poller) for name, login in self.logins.items()}
        self._visitors: dict[int, DoorVisitor] = {}  # by descriptor
        self._waiting: dict[int, control.OpenSession] = {}  # by descriptor: until a host has come back
        self._watchers = Watchers()
        self._announcement = FederationNotice(*announced_of(request))
        self._removed: set[str] = set()  # hosts that somebody has removed, and that are still there
        self._back_by: float | None = None  # hosts of a connector that was killed, which are not back by then, are away
        self._key_door = KeyDoor(request.listen, poller)
        self._listen(time.monotonic())
        with contextlib.suppress(FileNotFoundError):  # of a connector that was killed
            os.unlink(os.path.join(directory, SESSIONS_DOOR))
        self._door = open_door(directory, poller, BACKLOG, SESSIONS_DOOR)

    def _listen(self, now: float) -> None:
        """Let in who comes by TCP; where nobody can listen, a Federation that begins is refused."""
        problem = self._key_door.tick(now)
        if problem and self.notes.facts is None:
            self.origin.send(control.StartRefused(problem, 2, {}))
            self.ended = True
        elif problem:
            self._note(problem, important=True)

    # -- the keeper --------------------------------------------------------------------------------------------------

    def _on_origin_frames(self, frames: Iterable[ControlFrame]) -> None:
        for frame in frames:
            if isinstance(frame, control.EndRun):
                self.ended = self._is_down = True
            elif isinstance(frame, control.AddHost):
                self._add(spec_from(frame.spec))
            elif isinstance(frame, control.RemoveHost):
                self._remove(frame)
            elif isinstance(frame, control.RevokeKey):
                self._revoke(frame.key)
            elif isinstance(frame, control.Notice):
                self._watchers.tell(frame)

    def _follow(self, assembly: Assembly, facts: Facts) -> None:
        kept = {name: self.notes.directory(name) for name in assembly.settings}
        settings = {
            name: dataclasses.replace(of_one, directories=[path] if (path := kept[name]) else [])
            for name, of_one in assembly.settings.items()
        }
        assembly.settings.update(settings)
        self.assembly = assembly
        self.notes.keep_slots({name: of_one.workers for name, of_one in settings.items()})
        own = settings[self.request.local.name]
        self.origin.send(control.RunPlanned(dataclasses.asdict(own), [name for name in settings if name in facts]))

    def _return(self, facts: dict[str, Any]) -> None:
        super()._return(facts)
        self._back_by = time.monotonic() + BACK_SECONDS

    def _wait(self) -> None:
        super()._wait()
        self._listen(time.monotonic())
        if self.assembly is not None:
            self._announcement.say(sum(self.notes.slots_there().values()))
        if (more := self._watchers.news()) is not None:
            self.origin.send(control.MoreWanted(more))
        if self._back_by is not None and time.monotonic() >= self._back_by:
            self._back_by = None
            for login in self.logins.values():
                if login.facts is not None and not self._is_ready(login) and not self.notes.is_gone(login.name):
                    self.notes.keep_away(login.name)

    def _fail(self, text: str, code: int) -> None:
        nobody = not any(login.facts for login in self.logins.values()) and self.request.local.count == 0
        super()._fail(text, 3 if nobody else code)

    def _end(self) -> None:
        self._key_door.close()
        self._announcement.close()
        self._door.close()
        for visitor in self._visitors.values():
            visitor.close()
        if self._is_down:
            super()._end()
        else:
            self.ways.close()

    # -- hosts that come and go ---------------------------------------------------------------------------------------

    def _add(self, spec: HostSpec) -> None:
        if self._is_there(spec.name) or spec.name == self.request.local.name:
            self._refused(spec.name, "it is one of its hosts already")
        else:
            self._come(spec, spec.count or 0)

    def _come(self, spec: HostSpec, workers: int) -> None:
        super()._come(spec, workers)
        if spec.name in self._coming:
            self._ends[spec.name] = LocalStreams(self.logins[spec.name].send, self.poller)

    def _extend(self, assembly: Assembly, host: str) -> None:
        assert self.assembly is not None
        self.assembly.settings[host] = dataclasses.replace(assembly.settings[host], directories=[])
        self.notes.keep_slots(self.notes.slots() | {host: assembly.settings[host].workers})

    def _refused(self, host: str, why: str) -> None:
        self.origin.send(control.HostAdded(host, 0, why))

    def _remove(self, frame: control.RemoveHost) -> None:
        login = self.logins.get(frame.host)
        if login is None or not self._is_there(frame.host):
            self.origin.send(control.HostRemoved(frame.host, "it is none of its hosts"))
        elif login.serves:
            self._removed.add(frame.host)
            login.send(frame)
        else:
            login.end()
            self._lose(frame.host)
            self.origin.send(control.HostRemoved(frame.host))

    def _revoke(self, key: str) -> None:
        """End what has come with a key; its hosts are gone, whatever they say."""
        for login in list(self.logins.values()):
            if login.spec.key == key and self._is_there(login.name):
                login.end()
                self._lose(login.name)
        self.origin.send(control.KeyRevoked(key, self._key_door.revoke(key)))

    def _lose(self, host: str) -> None:
        """The host is none of the Federation's any more."""
        self.notes.keep_gone(host)
        self._ends[host].reset()
        self._open_waiting(host)
        self._tell_watching()

    def _tell_watching(self) -> None:
        there = {
            name: {"spec": dataclasses.asdict(login.spec), "workers": self.notes.slots()[name]}
            for name, login in self.logins.items()
            if self._is_ready(login)
        }
        self._watchers.tell(control.HostsThere(there))

    # -- hosts -------------------------------------------------------------------------------------------------------

    def _heard(self, host: str, frame: ControlFrame) -> None:
        handler = _HANDLERS.get(type(frame))
        if handler is not None:
            handler(self, host, frame)

    def _on_server_ready(self, host: str, frame: control.ServerReady) -> None:
        if self.assembly is None:
            raise RemoteProtocolError(f"host {host} is ready before anything has begun")
        if self.notes.is_gone(host):  # it was removed while it was not reached, and is told to end
            return
        self._ends[host].reset()
        self.logins[host].on_ready(frame.directory)
        self.assembly.settings[host].directories[:] = [frame.directory]
        self.notes.keep_directory(host, frame.directory)
        self._open_waiting(host)
        self._tell_watching()
        self.origin.send(control.HostAdded(host, self.notes.slots()[host]))

    def _on_stream(self, host: str, frame: control.StreamFrame) -> None:
        if isinstance(frame, control.OpenStream):
            raise RemoteProtocolError(f"host {host} opens a stream")
        self._ends[host].on_frame(frame)

    def _on_said(self, host: str, frame: control.WorkerOutput) -> None:
        self.origin.send(frame)

    def _on_slots_wanted(self, host: str, frame: control.SlotsWanted) -> None:
        self.origin.send(control.SlotsWanted(host, frame.count))

    def _on_left(self, host: str, frame: control.HostLeaves) -> None:
        self.logins[host].on_leave(frame.reason)

    def _look_at(self, login: Login) -> None:
        for text in login.news():
            self._note(text, important=True)
        if login.lost_now():
            self._ends[login.name].reset()
            self.notes.keep_away(login.name)
            self._tell_watching()
        if login.given_up and not self.notes.is_gone(login.name):
            self._lose(login.name)
            if login.name in self._removed:
                self._removed.remove(login.name)
                self.origin.send(control.HostRemoved(login.name))

    # -- programs ----------------------------------------------------------------------------------------------------

    def _serve(self, descriptor: int, events: int) -> None:
        if self._key_door.serve(descriptor):
            return
        if descriptor == self._door.fileno():
            with contextlib.suppress(OSError, RemoteProtocolError):
                visitor = DoorVisitor(self._door.accept()[0], self.poller, time.monotonic() + GREETING_SECONDS)
                self._visitors[visitor.descriptor] = visitor
        elif descriptor in self._visitors:
            self._hear_visitor(self._visitors[descriptor], events)
        elif not any(ends.serve(descriptor, events) for ends in self._ends.values()):
            super()._serve(descriptor, events)

    def _hear_visitor(self, visitor: DoorVisitor, events: int) -> None:
        try:
            if events & select.POLLOUT:
                visitor.flush()
            frames = visitor.receive() if events & ~select.POLLOUT else []
        except RemoteProtocolError:
            frames = None
        is_watching = visitor in self._watchers
        allowed = (control.MoreWanted,) if is_watching else _ASKED
        if (
            frames is None
            or (len(frames) > 1 and not is_watching)
            or not all(isinstance(frame, allowed) for frame in frames)
        ):
            self._waiting.pop(visitor.descriptor, None)
            self._watchers.discard(visitor)
            del self._visitors[visitor.descriptor]
            visitor.close()
            return
        for frame in frames:
            if isinstance(frame, control.OpenSession):
                self._open(visitor, frame)
            elif isinstance(frame, control.WatchHosts):
                visitor.send(control.HostStarted(0))
                self._watchers.add(visitor)
                self._tell_watching()
            elif isinstance(frame, control.HostComes):
                self._arrive(visitor, frame)
            elif isinstance(frame, control.MoreWanted):
                self._watchers.want(visitor, frame.count)

    def _arrive(self, visitor: DoorVisitor, frame: control.HostComes) -> None:
        """A host has come by itself, for the first time or again."""
        if not (HOST.fullmatch(frame.host) and frame.life):
            visitor.send(control.StartRefused(f"{frame.host[:100]!r} can be no host", 2, {}))
            return
        del self._visitors[visitor.descriptor]
        connection, arrivals = visitor.hand_over(), self.ways.arrivals()
        login = next((one for one in self.logins.values() if one.spec.life == frame.life), None)
        if login is not None and self._is_there(login.name):
            arrivals.arrive(login.name, connection)
            login.on_other_connection()
            self._look_at(login)
            return
        names = itertools.chain([frame.host], (f"{frame.host}-{number}" for number in itertools.count(2)))
        taken = {self.request.local.name, *(name for name in self.logins if self._is_there(name))}
        name = next(name for name in names if name not in taken)
        spec = HostSpec(frame.host, name=name, options=Hosts(python=frame.python), life=frame.life, key=frame.key)
        arrivals.arrive(name, connection)
        self._come(completed(spec, self.request.options), frame.workers)

    def _open(self, visitor: DoorVisitor, frame: control.OpenSession) -> None:
        login = self.logins.get(frame.host)
        if login is None or login.facts is None or login.given_up:
            why = "it is none of its hosts" if login is None else "it cannot be reached"
            visitor.send(control.StartRefused(f"the keeper has no way to host {frame.host}: {why}", 3, {}))
            return
        if not self._is_ready(login):
            self._waiting[visitor.descriptor] = frame
            return
        del self._visitors[visitor.descriptor]
        visitor.send(control.HostStarted(0))
        number = next(self._numbers)
        own = remote_target(login.spec, self.request).command
        login.send(control.OpenSession(number, frame.host, "" if frame.command == own else frame.command))
        self._ends[frame.host].add(number, visitor.hand_over())

    def _open_waiting(self, host: str) -> None:
        for descriptor, frame in list(self._waiting.items()):
            if frame.host == host:
                del self._waiting[descriptor]
                self._open(self._visitors[descriptor], frame)

    def _is_ready(self, login: Login) -> bool:
        """Whether its host server has been heard, since the login or since it has come back."""
        return login.life.state is HostState.SERVING and login.life.run is not None


_HANDLERS: dict[type[ControlFrame], Callable[[KeeperConnector, str, Any], None]] = {
    control.StreamData: KeeperConnector._on_stream,
    control.StreamCredit: KeeperConnector._on_stream,
    control.CloseStream: KeeperConnector._on_stream,
    control.OpenStream: KeeperConnector._on_stream,
    control.ServerReady: KeeperConnector._on_server_ready,
    control.WorkerOutput: KeeperConnector._on_said,
    control.HostLeaves: KeeperConnector._on_left,
    control.SlotsWanted: KeeperConnector._on_slots_wanted,
}
"""The frames of host servers that the connector acts on; it ignores all others."""


def begin(value: dict[str, Any], line: FrameLine, poller: select.poll) -> KeeperConnector:
    """Return the connector that a keeper has asked for."""
    directory = str(value.pop("directory"))
    local = value["local"]["name"]
    value["settings"] = dataclasses.asdict(Settings(local, 1, 1, serves=True))
    request = request_from(value)
    return KeeperConnector(request, line, poller, Ways(request), directory)


def main() -> None:
    """Run a keeper's connector on standard input and output."""
    run(begin)


if __name__ == "__main__":
    main()
