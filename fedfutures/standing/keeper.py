"""The keeper of a standing Federation: records it, serves its machine as a host server, and ends it.

It is a process of its own, in a session of its own, so it outlives the shell that has started it, and the programs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from .. import limits
from ..errors import RemoteProtocolError, StartFailed
from ..host.directories import Hold, private_directory
from ..host.frame_line import read_first
from ..host.here import host_here
from ..host.system import make_private_directory, name_process, remove_tree, write_all
from ..lazy_dataclass import replaced
from ..wire.control import (
    AddHost,
    BeginServer,
    ControlFrame,
    EndServer,
    HostAdded,
    HostRemoved,
    HostTable,
    KeyRevoked,
    MoreWanted,
    Notice,
    RemoveHost,
    RevokeKey,
    ServerStatus,
    SlotsWanted,
    StartRefused,
    StatusWanted,
    WorkerOutput,
)
from ..wire.framing import FrameReader, pack
from .connector_line import ConnectorLine
from .host_server import HostServer
from .log import Log
from .places import StandingPlace
from .recipe import Recipe, recipe_from
from .scaler import Scaler, ScaleRecipe
from .status import Status
from .visitors import DoorVisitor

LOOK_SECONDS = 2.0
"""How often a keeper looks after its record, its lock and its log."""
END_SECONDS = 5.0
SESSIONS_DOOR = "sessions"
"""The socket of the connector, in the keeper's directory."""


class FederationKeeper:
    """The keeper that holds the lock of `place`."""

    def __init__(self, place: StandingPlace, recipe: Recipe, begin: Callable[[], object]) -> None:
        self._place, self._log = place, Log(place.log)
        self._takes_over = bool(recipe.directory)
        self._hold = Hold(())
        self._directory = self._hold.add(lambda: made(recipe.directory))
        self._host = str(recipe.request["local"]["name"]) if recipe.request else host_here()
        self._connector: ConnectorLine | None = None
        self._show: Callable[[ControlFrame], object] = self._note
        self._asking: dict[str, DoorVisitor] = {}  # by host: who has added or removed it, and is to be answered
        try:
            self._server = HostServer(
                self._directory, recipe.slots, begin, self._on_frame, self._log.say, waits=self._takes_over
            )
            self._scaler = (
                Scaler(ScaleRecipe(**recipe.scale), self._log.say, self._tell_programs, self._server.watch_child)
                if recipe.scale
                else None
            )
            self._used_at = time.monotonic()
            self._why = ""  # it is to end
            self._recipe = replaced(recipe, directory=self._directory, since=recipe.since or time.time())
            self._write()
        except BaseException:
            if not self._takes_over:
                remove_tree(self._directory)
            raise
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        what = "takes over from a keeper that was killed" if self._takes_over else "begins"
        self._log.say(f"the keeper of {place.name} (pid {os.getpid()}, {recipe.slots} slots) {what}")

    def _note(self, frame: ControlFrame) -> None:
        """Add to the log what is for people."""
        if isinstance(frame, WorkerOutput):
            self._log.say(f"{frame.worker}: {frame.text.decode('utf-8', 'replace').rstrip()}")
        elif isinstance(frame, (HostTable, Notice)):
            self._log.say(frame.text)
        elif isinstance(frame, (HostAdded, HostRemoved)):
            self._on_change(frame)
        elif isinstance(frame, KeyRevoked):
            self._log.say(f"the key {frame.key} was revoked; connections ended: {frame.connections}")
            if (visitor := self._asking.pop(frame.key, None)) is not None:
                visitor.send(frame)

    def _write(self) -> None:
        """Record what another keeper needs. One that takes over can go on with the record that it has found."""
        values = {**asdict(self._recipe), "door": self._server.door, "pid": os.getpid()}
        if self._scaler is not None:
            values["scale"] = self._scaler.record()
        try:
            self._place.write(values)
        except StartFailed as error:
            if not self._takes_over or (self._place.record() or {}).get("door") != self._server.door:
                raise
            self._log.say(error.summary)

    def begin_hosts(self, show: Callable[[ControlFrame], object]) -> None:
        """Begin the host servers of other hosts, and wait until they are ready; `show` is given what is for people.

        Raises StartFailed where the Federation cannot stand.
        """
        if not self._recipe.request:
            return
        self._show = show
        connector = self._begin_connector()
        while not connector.is_settled and not self._why:
            if connector.refused is not None:
                self._end()
                raise StartFailed(connector.refused.reason, connector.refused.exit_code, connector.refused.hosts)
            self._wait(None)
        self._show = self._note

    def _begin_connector(self) -> ConnectorLine:
        self._connector = ConnectorLine(
            self._recipe.request, self._directory, self._recipe.notes, self._server.poller, self._on_note,
            self._heard,
        )  # fmt: skip
        return self._connector

    def _heard(self, frame: ControlFrame) -> None:
        """Do as the connector says."""
        if isinstance(frame, (SlotsWanted, MoreWanted)):
            if self._scaler is not None:
                self._scaler.on_frame(frame)
        else:
            self._show(frame)

    def _on_note(self) -> None:
        assert self._connector is not None
        if self._scaler is not None:
            self._scaler.on_hosts(self._connector.slots, self._connector.away, self._connector.request)
        slots = self._connector.slots.get(self._host, 0)
        if slots != self._recipe.slots:
            self._recipe = replaced(self._recipe, slots=slots)
            self._server.allotment.resize(slots, time.monotonic())
        self._note_down()

    def _note_down(self) -> None:
        try:
            self._write()
        except StartFailed as error:  # a full disk: the next note may be recorded
            self._log.say(error.summary)

    def status(self) -> Status:
        """Return what there is."""
        runs = [{"run": name, **run} for name, run in self._server.runs.items()]
        request, hosts, away = self._recipe.request, {self._host: self._recipe.slots}, []
        if self._connector is not None:
            request, hosts, away = self._connector.request, hosts | self._connector.slots, self._connector.away
        return Status(
            self._place.name, os.getpid(), self._host, self._recipe.since, self._server.door, hosts, runs,
            self._recipe.idle, request, os.path.join(self._directory, SESSIONS_DOOR), away,
            self._scaler.status() if self._scaler is not None else {},
        )  # fmt: skip

    # -- hosts that come and go --------------------------------------------------------------------------------------

    def _change(self, visitor: DoorVisitor, frame: AddHost | RemoveHost) -> None:
        """Have a host added or removed; who asks for it is answered when that is done.

        No host is to be added: it is one that comes by itself to the connector, which begins now if there is none.
        """
        host = str(frame.spec.get("name", "")) if isinstance(frame, AddHost) else frame.host
        if self._connector is None and isinstance(frame, AddHost):
            self._recipe = replaced(self._recipe, request=frame.request)
            self._begin_connector()
        if not host:
            visitor.send(HostAdded("", 0))
            return
        if host in self._asking or self._connector is None or not self._connector.send(frame):
            busy = "try again: something else is being done with it, or the keeper's connector begins"
            why = "it is none of its hosts" if self._connector is None else busy
            visitor.send(HostAdded(host, 0, why) if isinstance(frame, AddHost) else HostRemoved(host, why))
            return
        self._asking[host] = visitor

    def _on_change(self, frame: HostAdded | HostRemoved) -> None:
        visitor = self._asking.pop(frame.host, None)
        if visitor is not None or frame.problem:
            what = "added" if isinstance(frame, HostAdded) else "removed"
            self._log.say(f"host {frame.host} was {f'not {what}: {frame.problem}' if frame.problem else what}")
        if visitor is not None:
            visitor.send(frame)

    def _scale(self, now: float) -> None:
        """Submit batch jobs, and have hosts leave that nobody needs."""
        if self._scaler is None or self._connector is None:
            return
        for host in self._scaler.tick(now):
            self._connector.send(RemoveHost(host, round(self._recipe.request["options"]["grace"])))
        if self._scaler.is_news():
            self._note_down()

    def _tell_programs(self, text: str) -> None:
        if self._connector is not None:
            self._connector.send(Notice(f"{self._place.name}: {text} (fedfutures logs {self._place.name})"))

    def run(self) -> None:
        """Serve until the Federation is taken down, or was idle for too long."""
        look_at = time.monotonic() + LOOK_SECONDS
        while not self._why:
            if self._server.is_used:
                self._used_at = time.monotonic()
            idle_at = self._used_at + self._recipe.idle if self._recipe.idle else look_at
            self._wait(min(look_at, idle_at))
            now = time.monotonic()
            if self._recipe.idle and now >= idle_at and not self._server.is_used:
                self._why = f"no program has joined for {self._recipe.idle:g} s"
            self._scale(now)
            if now >= look_at and not self._why:
                look_at = now + LOOK_SECONDS
                self._look()
        self._log.say(f"{self._place.name} ends: {self._why}")
        if self._connector is not None:
            self._connector.end()
        if self._scaler is not None:
            self._scaler.end()
        self._end()

    def _end(self) -> None:
        if self._place.has_lock():
            self._place.forget()  # before its runs end: nobody is to start it again
        self._server.end(f"the standing Federation {self._place.name} has ended: {self._why}")
        if self._connector is not None:
            self._connector.wait(END_SECONDS)
        remove_tree(self._directory)
        self._log.say("everything has ended")
        self._hold.let_go()

    def _wait(self, deadline: float | None) -> None:
        connector = self._connector
        due = None if connector is None else connector.next_deadline()
        scales = None if self._scaler is None else self._scaler.machine.next_deadline(time.monotonic())
        times = [at for at in (deadline, due, scales) if at is not None]
        for descriptor, events in self._server.wait(min(times) if times else None):
            if connector is not None:
                connector.serve(descriptor, events)
        if connector is not None:
            connector.tick(time.monotonic())

    def _look(self) -> None:
        """Record again what somebody has removed; end if another keeper has taken the place."""
        self._log.bound()
        try:
            if not self._place.has_lock():
                self._place.let_go()
                self._place.make()
                if not self._place.take():
                    self._why = f"its directory {self._place.path} was removed, and another one stands there"
                    return
            if not self._place.stands():
                self._log.say("what was recorded is gone; it is recorded again")
                self._write()
        except StartFailed as error:
            self._log.say(error.summary)

    def _on_signal(self, number: int, frame: object) -> None:
        self._why = self._why or f"its keeper got {signal.Signals(number).name}"

    def _on_frame(self, visitor: DoorVisitor, frame: ControlFrame) -> None:
        if isinstance(frame, StatusWanted):
            visitor.send(ServerStatus(asdict(self.status())))
        elif isinstance(frame, EndServer):
            self._why = frame.reason
        elif isinstance(frame, (AddHost, RemoveHost)):
            self._change(visitor, frame)
        elif isinstance(frame, RevokeKey) and self._connector is not None:
            self._asking[frame.key] = visitor
            if not self._connector.send(frame):  # none lives: neither do its connections
                self._note(KeyRevoked(frame.key, 0))
        else:
            raise RemoteProtocolError(f"{type(frame).__name__} is not for a keeper")


def made(directory: str) -> str:
    """Return a private directory: the one that is given, made again if it is gone, or else a new one."""
    if not directory:
        return make_private_directory(lasting=True)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    try:
        return private_directory(directory)
    except PermissionError as error:
        raise StartFailed(f"{error}, so nothing is started", 2) from None


def main(begin: Callable[[], object]) -> None:
    """Run a keeper whose orders come from standard input, and say on standard output when it is ready."""
    name_process("fedfut-keeper")
    os.umask(0o077)
    try:
        place, recipe = read_orders()
        keeper = FederationKeeper(place, recipe, begin)
        keeper.begin_hosts(_say)
        answer: ControlFrame = ServerStatus(asdict(keeper.status()))
    except (StartFailed, OSError) as error:
        text, code = (error.summary, error.exit_code) if isinstance(error, StartFailed) else (str(error), 1)
        text = limits.reached(error) or text
        _say(StartRefused(text, code, {}))
        with contextlib.suppress(OSError):  # the disk may be full
            print(f"fedfutures: {text}", file=sys.stderr, flush=True)
        raise SystemExit(code) from None
    _say(answer)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    os.close(null)
    keeper.run()


def read_orders() -> tuple[StandingPlace, Recipe]:
    """Return what the keeper is to keep, from standard input; it is its own from now on."""
    frames = read_first(FrameReader())
    if not frames:
        raise SystemExit(0)
    order = frames[0]
    if not isinstance(order, BeginServer):
        raise SystemExit(f"fedfutures: a keeper is not begun by {type(order).__name__}")
    place, lock = StandingPlace.at(order.place), order.options.get("lock", -1)
    recipe = recipe_from(order.options)
    place.check()
    place.adopt(lock)
    if not place.has_lock():
        raise StartFailed(f"{place.path} was removed while its keeper began", 2)
    return place, recipe


def _say(answer: ControlFrame) -> None:
    """Answer who has started this process, and may be gone by now: the keeper goes on without."""
    with contextlib.suppress(OSError):
        write_all(1, pack(answer))
