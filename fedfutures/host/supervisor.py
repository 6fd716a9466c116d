"""The host process: forks the Brokers and the Workers of a machine, watches them, restarts them, ends them all.

It reads its settings from standard input and then waits: for children to end, for Workers' output to pass on, for links
to relay, and for the end of the run, which the end of its standard input tells whichever way the launching side ends
(:mod:`.reattach` has the rule for other hosts). Single-threaded: it forks at any time. It loads the code of its
children, so that a child starts within a millisecond, but opens no ZeroMQ context and runs no user code.
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
from dataclasses import replace
from typing import Any

from ..errors import RemoteProtocolError
from ..program.shadows import before_the_standard_library, shadowed
from ..supervision.brokers import broker_places, facts_of, usual_dials
from ..supervision.machine import Action, Ended, HostMachine, KillBroker, LoseBroker, Start, StartBroker, Tell
from ..wire.control import (
    BeginHost,
    BrokerGivenUp,
    BrokerRestarted,
    ControlFrame,
    HostReady,
    Probe,
    ProbeReply,
    WorkerEnded,
)
from ..wire.framing import FrameReader, pack
from .child import Child, ChildMain, fork_child
from .control import HostControl
from .dumps import readable
from .memory import KillCounter
from .output import Outputs
from .reattach import LaunchingSide
from .relay import Relay
from .settings import Settings, settings_from
from .system import (
    FormerState,
    become_subreaper,
    disable_core_dumps,
    make_disk_directory,
    make_private_directory,
    orphans,
    remove_tree,
    shared_memory_base,
)

END_GRACE_SECONDS = 0.3


class Supervisor:
    """The loop around :class:`HostMachine`. `load_worker` imports what Workers run and returns their ``main``."""

    def __init__(
        self, settings: Settings, reader: FrameReader, former: FormerState,
        broker_main: ChildMain, load_worker: Callable[[], ChildMain],
    ) -> None:  # fmt: skip
        self.settings, self.former = settings, former
        self.broker_main, self.load_worker = broker_main, load_worker
        self.worker_main: ChildMain | None = None
        self.machine = HostMachine(settings.host, settings.workers, settings.brokers)
        self.kills = KillCounter()
        self.run_directory = make_private_directory(lasting=bool(settings.grace))
        self.shared_directory = make_private_directory(shared_memory_base())
        self.disk_directory = make_disk_directory()
        self.places = broker_places(settings.host, settings.brokers, self.run_directory)
        self.children: dict[int, Child] = {}  # by pid
        self.brokers: dict[int, Child] = {}  # the same, by index
        self.poller = select.poll()
        self.launching_side = LaunchingSide(reader, settings.grace, self.run_directory, self.poller)
        self.relay = Relay(self.run_directory, self._send, self.poller)
        self.control = HostControl(self.machine, self.relay, self._send)
        self.outputs = Outputs(self.poller, self._send)
        self.ending = False
        self.wake, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the program, and Futures that run, not for us
        for ending in {signal.SIGTERM, signal.SIGHUP} - former.ignored:
            signal.signal(ending, self._on_signal)

    def run(self, early: list[ControlFrame]) -> None:
        """Start everything, watch, and end everything; `early` came behind the settings."""
        try:
            for parent, child in self.settings.dials or usual_dials(self.settings.brokers):
                self._act(self.machine.link(self.places[child].dialled_by(parent)))
            self._act(self.machine.begin_brokers(time.monotonic()))
            self._send(self._ready())
            self.worker_main = self.load_worker()
            self._look_beside_the_program()
            gc.freeze()
            self._act(self.machine.begin())
            self.poller.register(self.wake, select.POLLIN)
            self._on_frames(early)
            while not (self.ending or self.launching_side.has_ended):
                self._wait()
        finally:
            self._end()

    def _look_beside_the_program(self) -> None:
        """Have Workers import the program's own modules, although we have loaded others of their names."""
        if self.settings.code:
            names = [name for name in self.settings.beside if name in sys.modules]
        else:
            names = shadowed(before_the_standard_library(self.settings.path))
        self.settings = replace(self.settings, shadowed=names)
        if names:
            importlib.import_module("cloudpickle")  # what Workers load later is not to be the program's

    def _ready(self) -> HostReady:
        """What is true of this host."""
        places = [[place.name, place.main, place.meta, place.ear, place.key] for place in self.places]
        directories = self.run_directory, self.shared_directory, self.disk_directory
        return HostReady(*directories, os.getpid(), list(sys.version_info[:3]), places)

    # -- children ----------------------------------------------------------------------------------------------------

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            _ACTIONS[type(action)](self, action)

    def _start_worker(self, action: Start) -> None:
        assert self.worker_main is not None
        broker = self.machine.broker_of(action.slot)
        self._fork("worker", self.worker_main, action.name, action.slot, broker)

    def _start_broker(self, action: StartBroker) -> None:
        index, name = action.broker, self.places[action.broker].name
        self.brokers[index] = self._fork("broker", self.broker_main, name, index, index)
        if action.after:
            self._send(BrokerRestarted(name, action.after))

    def _fork(self, role: str, main: ChildMain, name: str, slot: int, broker: int) -> Child:
        facts = facts_of(self._ready(), broker)
        others = self.children.values()
        child = fork_child(role, main, name, slot, self.settings, facts, others, self.former, self.poller)
        self.children[child.pid] = child
        self.outputs.add(child)
        return child

    def _tell_broker(self, action: Tell) -> None:
        if action.broker in self.brokers:
            self.brokers[action.broker].tell(action.frame)

    def _kill_broker(self, action: KillBroker) -> None:
        if action.broker in self.brokers:
            os.kill(self.brokers[action.broker].pid, signal.SIGKILL)

    def _lose_broker(self, action: LoseBroker) -> None:
        self._send(BrokerGivenUp(action.reason))
        self.ending = True

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
                if not pid:
                    return
                if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
                    self._on_stopped(self.children.get(pid), os.WIFSTOPPED(status))
                elif pid in self.children:
                    self._on_ended(self.children.pop(pid), os.waitstatus_to_exitcode(status))

    def _on_stopped(self, child: Child | None, is_stopped: bool) -> None:
        if child is not None and child.role == "broker":
            if is_stopped:
                self.machine.on_broker_stopped(child.slot, time.monotonic())
            else:
                self.machine.on_broker_continued(child.slot)

    def _on_ended(self, child: Child, code: int) -> None:
        """A child has ended; `code` is its exit code, or a signal's number below 0."""
        self.outputs.drain(child, close=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # what it started goes with it
        if child.role == "worker":
            self._on_worker_ended(child, code)
        else:
            del self.brokers[child.slot]
            if not self.ending:
                self._act(self.machine.on_broker_ended(child.slot, _status(code), time.monotonic()))
        child.close()

    def _on_worker_ended(self, child: Child, code: int) -> None:
        running = child.cells.running()
        is_orderly = code == 0 and (self.ending or running is None)  # else user code said os._exit(0)
        status = _status(code) + (self.kills.explanation() if code == -signal.SIGKILL else "")
        event = Ended(child.slot, child.cells.ready, status, code if code >= 0 else None)
        piece, future = running or (0, 0)
        frame = WorkerEnded(
            child.name, self.settings.host, status, not is_orderly, event.initializer_raised, piece, future,
            readable(child.read_dump()),
        )  # fmt: skip
        self._tell_broker(Tell(self.machine.broker_of(child.slot), frame))
        if not self.ending:
            if not is_orderly:
                self._send(frame)
            self._act(self.machine.on_worker_ended(event, time.monotonic()))

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        times = self.machine.next_deadline(), self.launching_side.next_deadline(), self.outputs.deadline()
        deadlines = [at for at in times if at is not None]
        seconds = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        for descriptor, events in self.poller.poll(None if seconds is None else seconds * 1000 + 1):
            self._serve(descriptor, events)
        now = time.monotonic()
        self.launching_side.tick(now)
        self.outputs.tick(now)
        if not self.ending:
            self._act(self.machine.tick(now))

    def _serve(self, descriptor: int, events: int) -> None:
        """Do what a descriptor is ready for."""
        if descriptor == 0:
            self._on_frames(self.launching_side.receive())
        elif descriptor == self.wake:
            os.read(self.wake, 4096)
            self._reap()
        elif descriptor == 1:
            self.launching_side.flush()
            self._pace_output()
        elif descriptor == self.launching_side.door:
            if self.launching_side.accept():
                self._send(self._ready())
                self.control.send_again()
        elif not self.relay.serve(descriptor, events):
            self._serve_child(descriptor, events)

    def _on_frames(self, frames: list[ControlFrame]) -> None:
        for frame in frames:
            self._act(self.control.on_frame(frame))
        self.ending = self.ending or self.control.has_ended
        self._pace_output()

    def _serve_child(self, descriptor: int, events: int) -> None:
        """Read what a child has printed or says, or go on telling it what did not fit into its pipe."""
        for child in self.children.values():
            if descriptor in child.outputs:
                self.outputs.read(child, descriptor)
                return
            if descriptor == child.control:
                for frame in child.serve(events):
                    self.control.on_broker_frame(child.name, frame)
                return

    def _send(self, frame: ControlFrame) -> None:
        """Send a frame to the launching side; when it does not read, the Workers' output waits in their pipes."""
        self.launching_side.send(frame)
        self._pace_output()

    def _pace_output(self) -> None:
        self.outputs.pace(self.launching_side.full or self.control.holds_output, self.children.values())

    # -- the end -----------------------------------------------------------------------------------------------------

    def _on_signal(self, number: int, frame: Any) -> None:
        self.ending = True

    def _end(self) -> None:
        """End every process below this one, pass on their last output, and remove what the run left on disk."""
        self.ending = True
        for child in self.children.values():
            child.hang_up()
        self._end_children()
        for child in list(self.children.values()):
            self.outputs.drain(child, close=True)
        self.launching_side.send_rest()
        self.relay.close()
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


_ACTIONS: dict[type[Action], Callable[[Supervisor, Any], None]] = {
    Start: Supervisor._start_worker,
    StartBroker: Supervisor._start_broker,
    Tell: Supervisor._tell_broker,
    KillBroker: Supervisor._kill_broker,
    LoseBroker: Supervisor._lose_broker,
}


def _status(code: int) -> str:
    """Return for people how a process has ended."""
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


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


def main(broker_main: ChildMain, load_worker: Callable[[], ChildMain]) -> None:
    """Run a host process that forks these."""
    become_subreaper()
    former = disable_core_dumps()
    settings, reader, early = read_settings()
    try:
        supervisor = Supervisor(settings, reader, former, broker_main, load_worker)
    except OSError as error:
        raise SystemExit(f"fedfutures: the private directories of a run cannot be made: {error}") from None
    supervisor.run(early)
    sys.stderr.flush()
    os._exit(0)  # everything is gone; tearing down the interpreter would only keep the launching side waiting
