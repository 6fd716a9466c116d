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
from dataclasses import asdict
from typing import Any

from ..program.shadows import before_the_standard_library, shadowed
from .brokers import Place, broker_places, usual_dials
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
from .settings import FrameReader, Settings, pack_frame, settings_from
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

    def __init__(self, settings: Settings, frames: FrameReader, early: list[Any], usual: Usual) -> None:
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
        self.bound: dict[str, dict[str, Any]] = {}  # by Broker: its key, and where neighbours on other hosts reach it
        self.linked: dict[tuple[int, str], list[Any]] = {}  # what the Brokers have said of such links last
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

    def run(self) -> None:
        """Start everything, watch, and end everything."""
        try:
            for parent, child in self.settings.dials or usual_dials(self.settings.brokers):
                self._act(self.machine.dial(parent, self.places[child]))
            self._act(self.machine.begin_brokers(time.monotonic()))
            self._say(["ready", self._facts()])
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

    def _facts(self, broker: int = 0) -> dict[str, Any]:
        """What is true of this host; `main`, `meta` and `ear` are those of one Broker."""
        places = [asdict(place) for place in self.places]
        return {
            **places[broker],
            "brokers": places,
            "run": self.run_directory,
            "shared": self.shared_directory,
            "disk": self.disk_directory,
            "pid": os.getpid(),
            "python": list(sys.version_info[:3]),
        }

    # -- children ----------------------------------------------------------------------------------------------------

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            self._actions[type(action)](action)

    def _start_worker(self, action: Start) -> None:
        self._fork("worker", action.name, action.slot, self._facts(self.machine.broker_of(action.slot)))

    def _start_broker(self, action: StartBroker) -> None:
        index = action.broker
        name = self.places[index].name
        self.brokers[index] = self._fork("broker", name, index, self._facts(index))
        if action.after:
            self._say(["broker restarted", name, action.after])

    def _fork(self, role: str, name: str, slot: int, facts: dict[str, Any]) -> Child:
        child = fork_child(role, name, slot, self.settings, facts, self.children.values(), self.usual)
        self.children[child.pid] = child
        self.outputs.add(child)
        if child.listens:
            self.poller.register(child.control, select.POLLIN)
        return child

    def _surrender(self, action: Surrender) -> None:
        for index in self.brokers:
            self._tell_broker(index, ["gave up", action.reason])

    def _tell_broker(self, index: int, value: Any) -> None:
        if index in self.brokers:
            self.brokers[index].tell(value, self.poller)

    def _kill_broker(self, action: KillBroker) -> None:
        if action.broker in self.brokers:
            os.kill(self.brokers[action.broker].pid, signal.SIGKILL)

    def _lose_broker(self, action: LoseBroker) -> None:
        self._say(["broker lost", action.reason])
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
        self._tell_broker(
            self.machine.broker_of(child.slot),
            ["lost", child.name, text, not orderly, child.box.running(), readable(dump), self.settings.host],
        )
        if self.ending:
            return
        if not orderly:
            self._say(["lost", child.name, text])
        self._act(
            self.machine.ended(Ended(child.slot, child.box.ready, text, code if code >= 0 else None), time.monotonic())
        )

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

    def _told(self, frames: list[Any]) -> None:
        """Do what the launching side asks for."""
        for frame in frames:
            kind, *fields = frame
            if kind == "dial":
                self._act(self.machine.dial(fields[0], Place(*fields[1:])))
            elif kind == "relay":
                index, name, key = fields
                self._act(self.machine.dial(index, self.relay.place(name, key)))
            elif kind == "allow":
                self._act(self.machine.allow(*fields))
            elif kind in ("open", "data", "credit", "close"):
                self.relay.told(frame, self.bound)
            elif kind == "hush":
                self.hushed = fields[0]
                self._pace_output()
            elif kind == "end":
                self.ending = True

    def _welcome_back(self) -> None:
        """The launching side is here again: tell it what it may have missed."""
        if self.contact.accept():
            self.hushed = False
            self.relay.reset()
            self._say(["ready", self._facts()])
            for index, place in enumerate(self.places):
                if place.name in self.bound:
                    self._say(["broker", index, place.name, self.bound[place.name]])
            for link in self.linked.values():
                self._say(link)

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
        for kind, *fields in child.hear(self.poller):
            if kind == "bound":
                self.bound[child.name] = fields[0]
                self._say(["broker", child.slot, child.name, fields[0]])
            elif kind == "allowed":
                self._say(["allowed", child.slot, *fields])
            elif kind == "link":
                self.linked[child.slot, fields[0]] = ["link", child.slot, *fields]
                self._say(["link", child.slot, *fields])

    def _say(self, value: Any) -> None:
        """Send a frame to the launching side; when it does not read, the Workers' output waits in their pipes."""
        self.contact.say(value)
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


def read_settings() -> tuple[Settings, FrameReader, list[Any]]:
    """Read the settings from standard input, and what came with them; end quietly when the launching side is gone.

    Before them the launching side may measure how far away it is, by ``["ping"]``.
    """
    reader = FrameReader()
    while True:
        data = os.read(0, 65536)
        if not data:
            raise SystemExit(0)
        values = reader.feed(data)
        while values and values[0] == ["ping"]:
            os.write(1, pack_frame(["pong"]))
            del values[0]
        if values:
            return settings_from(values[0]), reader, values[1:]


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
