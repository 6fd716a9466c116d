"""The host process: ``python -m fedfutures.host``.

It reads its settings from standard input, forks the Brokers and the Workers, and then waits: for children to end, for
Workers' output to pass on, for links to relay, and for the end of the run, which the end of its standard input tells
whichever way the launching side ends (:mod:`.contact` has the rule for other hosts). Single-threaded: it forks at any
time. It loads the code of its children, so that a child starts within a millisecond, but opens no ZeroMQ context and
runs no user code.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from ..errors import RemoteProtocolError
from ..program.shadows import before_the_standard_library, shadowed
from ..wire.control import (
    AcceptBroker,
    BeginHost,
    BrokerAccepts,
    BrokerBound,
    BrokerGivenUp,
    BrokerRestarted,
    CloseStream,
    ControlFrame,
    DialBroker,
    EndRun,
    HoldOutput,
    HostReady,
    LinkState,
    OpenStream,
    Probe,
    ProbeReply,
    RelayBroker,
    StreamCredit,
    StreamData,
    WorkerEnded,
)
from ..wire.framing import FrameReader, pack
from .brokers import Place, broker_places, facts_of, usual_dials
from .child import CHILDREN, Child, fork_child
from .contact import Contact
from .dumps import readable
from .machine import (
    Action,
    Ended,
    HostMachine,
    KillBroker,
    LoseBroker,
    Start,
    StartBroker,
    Surrender,
    Tell,
)
from .memory import KillCounter
from .outputs import Outputs
from .relay import Relay
from .settings import Settings, settings_from
from .system import (
    Usual,
    be_private,
    become_subreaper,
    make_disk_directory,
    make_private_directory,
    orphans,
    remove_tree,
    shared_memory_base,
)

END_GRACE_SECONDS = 0.3
PRELOADED = ("fedfutures.futures", "fedfutures.futures.executor", "fedfutures.shared", "multiprocessing.spawn")
"""What programs import: loaded once, not by each Worker when it imports the program."""


class HostProcess:
    """The loop around :class:`HostMachine`."""

    def __init__(self, settings: Settings, frames: FrameReader, early: list[ControlFrame], usual: Usual) -> None:
        self.settings, self.early, self.usual = settings, early, usual
        self.machine = HostMachine(settings.host, settings.workers, settings.brokers)
        self.kills = KillCounter()
        self.run_directory = make_private_directory(lasting=bool(settings.grace))
        self.shared_directory = make_private_directory(shared_memory_base())
        self.disk_directory = make_disk_directory()
        self.places = broker_places(settings.host, settings.brokers, self.run_directory)
        self.children: dict[int, Child] = {}  # by pid
        self.brokers: dict[int, Child] = {}  # the same, by index
        self.poller = select.poll()
        self.contact = Contact(frames, settings.grace, self.run_directory, self.poller)
        self.relay = Relay(self.run_directory, self._say, self.poller)
        self.bound: dict[str, BrokerBound] = {}  # what the Brokers have said of themselves last
        self.linked: dict[tuple[str, str], LinkState] = {}  # and of links to other hosts
        self.ending = False
        self.outputs = Outputs(self.poller, self._say)
        self.hushed = False  # whether Workers' output waits in their pipes because it is not wanted
        self.wake, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the program, and Futures that run, not for us
        for ending in {signal.SIGTERM, signal.SIGHUP} - usual.ignored:
            signal.signal(ending, self._end_by_signal)
        self._actions: dict[type, Callable[[Any], None]] = {
            Start: self._start_worker,
            Surrender: self._surrender,
            StartBroker: self._start_broker,
            Tell: lambda action: self._tell_broker(action.broker, action.frame),
            KillBroker: self._kill_broker,
            LoseBroker: self._lose_broker,
        }
        self._on_told: dict[type[ControlFrame], Callable[[Any], None]] = {
            DialBroker: self._on_dial,
            RelayBroker: self._on_relay,
            AcceptBroker: self._on_accept,
            HoldOutput: self._on_hold_output,
            EndRun: self._on_end_run,
            **dict.fromkeys((OpenStream, StreamData, StreamCredit, CloseStream), self._on_stream),
        }

    def run(self) -> None:
        """Start everything, watch, and end everything."""
        try:
            for parent, child in self.settings.dials or usual_dials(self.settings.brokers):
                self._act(self.machine.dial(parent, self.places[child]))
            self._act(self.machine.begin_brokers(time.monotonic()))
            self._say(self._ready())
            for module in (CHILDREN["worker"], *PRELOADED):
                importlib.import_module(module)
            self._look_beside_the_program()
            gc.freeze()
            self._act(self.machine.begin())
            self.poller.register(self.wake, select.POLLIN)
            self._told(self.early)
            while not self.ending and not self.contact.ended:
                self._wait()
        finally:
            self._end()

    def _look_beside_the_program(self) -> None:
        """Have Workers import the program's own modules, although we have loaded others of their names."""
        if not self.settings.code:
            self.settings.shadowed = shadowed(before_the_standard_library(self.settings.path))
        else:
            self.settings.shadowed = [name for name in self.settings.beside if name in sys.modules]
        if self.settings.shadowed:
            importlib.import_module("cloudpickle")  # what Workers load later is not to be the program's

    def _ready(self) -> HostReady:
        """What is true of this host."""
        places = [[place.name, place.main, place.meta, place.ear, place.key] for place in self.places]
        directories = self.run_directory, self.shared_directory, self.disk_directory
        return HostReady(*directories, os.getpid(), list(sys.version_info[:3]), places)

    # -- children ----------------------------------------------------------------------------------------------------

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            self._actions[type(action)](action)

    def _start_worker(self, action: Start) -> None:
        self._fork("worker", action.name, action.slot, self.machine.broker_of(action.slot))

    def _start_broker(self, action: StartBroker) -> None:
        index = action.broker
        name = self.places[index].name
        self.brokers[index] = self._fork("broker", name, index, index)
        if action.after:
            self._say(BrokerRestarted(name, action.after))

    def _fork(self, role: str, name: str, slot: int, broker: int) -> Child:
        facts = facts_of(self._ready(), broker)
        child = fork_child(role, name, slot, self.settings, facts, self.children.values(), self.usual)
        self.children[child.pid] = child
        self.outputs.add(child)
        if child.listens:
            self.poller.register(child.control, select.POLLIN)
        return child

    def _surrender(self, action: Surrender) -> None:
        for index in self.brokers:
            self._tell_broker(index, action.frame)

    def _tell_broker(self, index: int, frame: ControlFrame) -> None:
        if index in self.brokers:
            self.brokers[index].tell(frame, self.poller)

    def _kill_broker(self, action: KillBroker) -> None:
        if action.broker in self.brokers:
            os.kill(self.brokers[action.broker].pid, signal.SIGKILL)

    def _lose_broker(self, action: LoseBroker) -> None:
        self._say(BrokerGivenUp(action.reason))
        self.ending = True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:
                return
            if not pid:
                return
            if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
                self._stopped(self.children.get(pid), os.WIFSTOPPED(status))
                continue
            child = self.children.pop(pid, None)
            if child is not None:
                self._ended(child, status)

    def _stopped(self, child: Child | None, stopped: bool) -> None:
        if child is not None and child.role == "broker":
            if stopped:
                self.machine.broker_stopped(child.slot, time.monotonic())
            else:
                self.machine.broker_continued(child.slot)

    def _ended(self, child: Child, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        text = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        self.outputs.drain(child, close=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # what it started goes with it
        if child.role == "broker":
            del self.brokers[child.slot]
            if not self.ending:
                self._act(self.machine.broker_ended(child.slot, text, time.monotonic()))
        else:
            self._worker_ended(child, code, text)
        child.hang_up(self.poller)
        os.close(child.dump)
        child.box.close()

    def _worker_ended(self, child: Child, code: int, text: str) -> None:
        dump = os.pread(child.dump, 16 << 10, 0).decode("utf-8", "replace") if child.dump > 2 else ""
        orderly = code == 0 and (self.ending or child.box.running() is None)  # else user code said os._exit(0)
        text = self.kills.status(text)
        event = Ended(child.slot, child.box.ready, text, code if code >= 0 else None)
        piece, future = child.box.running() or (0, 0)
        frame = WorkerEnded(
            child.name, self.settings.host, text, not orderly, event.initializer_raised, piece, future, readable(dump)
        )
        self._tell_broker(self.machine.broker_of(child.slot), frame)
        if self.ending:
            return
        if not orderly:
            self._say(frame)
        self._act(self.machine.ended(event, time.monotonic()))

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        times = self.machine.next_deadline(), self.contact.next_deadline(), self.outputs.deadline()
        deadlines = [at for at in times if at is not None]
        seconds = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        for descriptor, events in self.poller.poll(None if seconds is None else seconds * 1000 + 1):
            if descriptor == 0:
                self._told(self.contact.receive())
            elif descriptor == self.wake:
                os.read(self.wake, 4096)
                self._reap()
            elif descriptor == 1:
                self.contact.flush()
                self._pace_output()
            elif descriptor == self.contact.door:
                self._welcome_back()
            elif not self.relay.serve(descriptor, events):
                self._serve(descriptor, events)
        now = time.monotonic()
        self.contact.tick(now)
        self.outputs.tick(now)
        if not self.ending:
            self._act(self.machine.tick(time.monotonic()))

    def _told(self, frames: list[ControlFrame]) -> None:
        """Do what the launching side asks for; a heartbeat asks for nothing."""
        for frame in frames:
            handler = self._on_told.get(type(frame))
            if handler is not None:
                handler(frame)

    def _on_dial(self, frame: DialBroker) -> None:
        place = Place(frame.name, frame.main, frame.meta, frame.ear, frame.key)
        self._act(self.machine.dial(frame.broker, place))

    def _on_relay(self, frame: RelayBroker) -> None:
        self._act(self.machine.dial(frame.broker, self.relay.place(frame.name, frame.key)))

    def _on_accept(self, frame: AcceptBroker) -> None:
        self._act(self.machine.allow(frame.broker, frame.name, frame.key))

    def _on_hold_output(self, frame: HoldOutput) -> None:
        self.hushed = frame.hold
        self._pace_output()

    def _on_stream(self, frame: OpenStream | StreamData | StreamCredit | CloseStream) -> None:
        self.relay.on_frame(frame, self.bound)

    def _on_end_run(self, _: EndRun) -> None:
        self.ending = True

    def _welcome_back(self) -> None:
        """The launching side is here again: tell it what it may have missed."""
        if self.contact.accept():
            self.hushed = False
            self.relay.reset()
            self._say(self._ready())
            frames: list[ControlFrame] = [*self.bound.values(), *self.linked.values()]
            for frame in frames:
                self._say(frame)

    def _serve(self, descriptor: int, events: int) -> None:
        """Read what a child has printed or says, or go on telling it what did not fit into its pipe."""
        for child in self.children.values():
            if descriptor in child.outputs:
                self.outputs.read(child, descriptor)
                return
            if descriptor == child.control:
                child.say_on(self.poller)
                if child.listens and events & (select.POLLIN | select.POLLHUP):
                    self._hear_broker(child)
                return

    def _hear_broker(self, child: Child) -> None:
        """Pass on what a Broker says of itself and of its links to other hosts."""
        for frame in child.hear(self.poller):
            if not isinstance(frame, (BrokerBound, BrokerAccepts, LinkState)) or frame.broker != child.name:
                continue
            if isinstance(frame, BrokerBound):
                self.bound[child.name] = frame
            elif isinstance(frame, LinkState):
                self.linked[child.name, frame.neighbour] = frame
            self._say(frame)

    def _say(self, frame: ControlFrame) -> None:
        """Send a frame to the launching side; when it does not read, the Workers' output waits in their pipes."""
        self.contact.say(frame)
        self._pace_output()

    def _pace_output(self) -> None:
        self.outputs.pace(self.contact.full or self.hushed, self.children.values())

    # -- the end -----------------------------------------------------------------------------------------------------

    def _end_by_signal(self, number: int, frame: Any) -> None:
        self.ending = True

    def _end(self) -> None:
        """End every process below this one, pass on their last output, and remove what the run left on disk."""
        self.ending = True
        for child in self.children.values():
            child.hang_up(self.poller)
        self._end_children()
        for child in list(self.children.values()):
            self.outputs.drain(child, close=True)
        deadline = time.monotonic() + 1.0
        while self.contact.unsent and not self.contact.lost and time.monotonic() < deadline:
            select.select([], [1], [], 0.1)
            self.contact.flush()
        for directory in (self.run_directory, self.shared_directory, self.disk_directory):
            remove_tree(directory)

    def _end_children(self) -> None:
        deadline = time.monotonic() + END_GRACE_SECONDS
        while self.children and time.monotonic() < deadline:
            self.poller.poll(10)
            self._reap()
            for child in list(self.children.values()):
                self.outputs.drain(child, close=False)
        for _ in range(50):  # orphans appear as their parents end
            left = orphans()
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
            self._reap()


def read_settings() -> tuple[Settings, FrameReader, list[ControlFrame]]:
    """Read the settings from standard input, and what came with them; end quietly when the launching side is gone.

    Before them the launching side may measure how far away it is.
    """
    reader = FrameReader()
    while True:
        data = os.read(0, 65536)
        if not data:
            raise SystemExit(0)
        try:
            frames = reader.feed(data)
            for place, frame in enumerate(frames):
                if isinstance(frame, Probe):
                    os.write(1, pack(ProbeReply()))
                elif isinstance(frame, BeginHost):
                    return settings_from(frame.settings), reader, frames[place + 1 :]
        except RemoteProtocolError as error:
            raise SystemExit(f"fedfutures: the launching side says what makes no sense: {error}") from None


def main() -> None:
    """Run a host process."""
    become_subreaper()
    usual = be_private()
    importlib.import_module(CHILDREN["broker"])
    settings, frames, early = read_settings()
    try:
        host = HostProcess(settings, frames, early, usual)
    except OSError as error:
        raise SystemExit(f"fedfutures: the private directories of a run cannot be made: {error}") from None
    host.run()
    sys.stderr.flush()
    os._exit(0)  # everything is gone; tearing down the interpreter would only keep the launching side waiting
