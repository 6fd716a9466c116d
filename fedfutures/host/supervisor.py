"""The host process: forks the Brokers and the Workers of a machine, watches them, restarts them, ends them all.

It has one thread, since it forks at any time. It loads the code of its children, so that a child starts within a
millisecond, but opens no ZeroMQ context and runs no user code.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .. import limits
from ..supervision.actions import (
    AbandonWorker,
    AbortWorker,
    Action,
    KillBroker,
    KillWorker,
    LoseBroker,
    Say,
    Start,
    StartBroker,
    Suspend,
    Tell,
    TellWorkers,
    Withdraw,
)
from ..supervision.brokers import broker_places, facts_of, usual_dials
from ..supervision.contact import Contact
from ..supervision.leaving import Drain, Leaving
from ..supervision.machine import HostMachine
from ..supervision.standstills import Looks
from ..wire import control
from ..wire.framing import FrameReader
from .child import Child, ChildMain, fork_child
from .connector_side import ConnectorSide
from .control import HostControl
from .directories import Hold, remove_abandoned, usual_places
from .ends import Ends
from .inherited import HasDescriptors
from .inspection import Inspection
from .marks import Mark, end_children
from .memory_limits import MemoryLimits
from .output import Outputs
from .processes import Processes
from .reattach import LaunchingSide
from .relay import Relay
from .server_line import WatchesDoor, allotting, first_workers
from .settings import Settings
from .shadowing import with_shadowed
from .system import FormerState, remove_tree, sight_of, stopped_itself, wake_for_children
from .template import Template, TemplateMain
from .tidier import start_tidier
from .time_limits import TimeLimits

END_GRACE_SECONDS = 0.3
TIDY_SECONDS = 0.1


class Supervisor:
    """The loop around :class:`HostMachine`. `load_worker` imports what Workers and templates run, and returns that."""

    def __init__(
        self, settings: Settings, reader: FrameReader, former: FormerState,
        broker_main: ChildMain, load_worker: Callable[[], tuple[ChildMain, TemplateMain]],
        watch: WatchesDoor | None = None,
    ) -> None:  # fmt: skip
        self.settings, self.former = settings, former
        self.broker_main, self.load_worker = broker_main, load_worker
        self.worker_main: ChildMain | None = None
        self.machine = HostMachine(
            settings.host, first_workers(settings), settings.brokers, settings.life,
            settings.neighbours, settings.size,
        )  # fmt: skip
        self.looks = Looks(time.monotonic())
        self.leaving = Leaving(f"the host process of {settings.host} (pid {os.getpid()})")
        self.drain = Drain(settings.departure)
        self.mark = Mark()
        self.time_limits = TimeLimits(self.machine, MemoryLimits(self.mark, settings.memory_per_worker))
        self.ends = Ends(self.machine, self.time_limits.memory)
        self.hold = Hold(())
        found = self.hold.add_all(settings.directories, lasting=bool(settings.grace))
        self.run_directory, *_ = self.directories = (found[0], found[1], found[2])  # for files, shared memory, disk
        if settings.in_job:
            start_tidier(found)
        self.places = broker_places(settings.host, settings.brokers, self.run_directory)
        self.forked = Processes()
        self.poller = select.poll()
        contact = Contact(settings.grace, time.monotonic(), in_job=settings.in_job)
        place = self.run_directory if settings.grace else None
        self.launching_side = LaunchingSide(reader, contact, place, self.poller, lambda: self.control.parent_link())
        self.connector = ConnectorSide(self.run_directory, self.poller, None if settings.has_door else self._send)
        self.relay = Relay(self.run_directory, self.connector.send, self.poller)
        most = settings.workers if settings.is_elastic else None
        self.control = HostControl(self.machine, self.relay, self.connector.send, self.forked.worker_named, most)
        self.outputs = Outputs(self.poller, self._send)
        self.inspection = Inspection(settings, self.run_directory, self.poller, self.forked, self._send)
        run, program = f"{settings.host}-{os.getpid()}-{os.urandom(4).hex()}", "".join(settings.argv[:1])
        self.server = allotting(settings, run, program, self.poller, watch)
        fork = lambda role, main, name: self._fork(role, self.mark.marked(main), name, -1, 0)  # noqa: E731
        self.template = Template(settings, self.poller, fork, self._start_worker, self._send)
        self.ending = False
        self.wake = wake_for_children()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is meant for the program and for Futures that run
        for ending in {signal.SIGTERM, signal.SIGHUP} - former.ignored:
            signal.signal(ending, self._on_signal)

    def run(self, early: list[control.ControlFrame]) -> None:
        """Start all processes, watch them, and end them; `early` are frames that came right behind the settings."""
        try:
            for parent, child in self.settings.dials or usual_dials(self.settings.brokers):
                self._act(self.machine.link(self.places[child].dialled_by(parent)))
            self._act(self.machine.begin_brokers(time.monotonic()))
            self._send(self._ready())
            self.worker_main, template_main = self.load_worker()
            self.settings = with_shadowed(self.settings)
            gc.freeze()
            self.template.begin(template_main, self._fork_from_template)
            self._act(self.machine.begin())
            remove_abandoned([*map(os.path.dirname, self.directories), *usual_places()])
            self.poller.register(self.wake, select.POLLIN)
            self._on_frames(early)
            while not (self.ending or self.launching_side.has_ended):
                self._wait()
        finally:
            self._end()

    def _ready(self) -> control.HostReady:
        """Return the facts of this host."""
        places = [[place.name, place.main, place.meta, place.subscriber, place.key] for place in self.places]
        return control.HostReady(
            *self.directories, os.getpid(), list(sys.version_info[:3]), places, mark=self.mark.number
        )

    # -- children ----------------------------------------------------------------------------------------------------

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            _ACTIONS[type(action)](self, action)

    def _start_worker(self, action: Start) -> None:
        assert self.worker_main is not None
        slot, broker = action.slot, self.machine.broker_of(action.slot)
        try:
            self._fork("worker", self.mark.marked(self.worker_main), action.name, slot, broker)
        except OSError as error:
            self._on_worker_not_started(slot, error)

    def _on_worker_not_started(self, slot: int, error: OSError) -> None:
        self.forked.forget(slot)
        now, why = time.monotonic(), limits.reached(error) or str(error)
        self._act(self.machine.on_worker_not_started(slot, why, now, others_ready=self.forked.have_ready_workers()))

    def _fork_from_template(self, action: Start) -> bool:
        """Have the template fork a Worker; return whether it has answered."""
        facts = facts_of(self._ready(), self.machine.broker_of(action.slot)) | {"slot": action.slot}
        settings = self._settings_now()
        try:
            child = self.template.fork_worker(action, facts, settings.workers, settings.size)
        except OSError as error:
            self._on_worker_not_started(action.slot, error)
            return True
        return child is not None and self._add(child) is child

    def _start_broker(self, action: StartBroker) -> None:
        index, name = action.broker, self.places[action.broker].name
        try:
            self._fork("broker", self.broker_main, name, index, index)
        except OSError as error:
            why = limits.reached(error) or str(error)
            self._act(self.machine.on_broker_not_started(index, why, time.monotonic()))
            return
        if action.after:
            self._send(control.BrokerRestarted(name, action.after))

    def _fork(self, role: str, main: ChildMain, name: str, slot: int, broker: int) -> Child:
        facts = facts_of(self._ready(), broker) | {"slot": slot}
        others: list[HasDescriptors] = [
            *self.forked.children.values(), self.hold, self.connector, self.server, self.inspection
        ]  # fmt: skip
        settings, former = self._settings_now(), self.former
        return self._add(fork_child(role, main, name, slot, settings, facts, others, former, self.poller))

    def _settings_now(self) -> Settings:
        """Return the settings with the numbers of Workers that there are now."""
        if self.settings.is_elastic:  # these say how many there may be at most
            return self.settings
        return replace(self.settings, workers=self.machine.workers, size=self.machine.size)

    def _add(self, child: Child) -> Child:
        self.forked.add(child)
        self.outputs.add(child)
        return child

    def _suspend(self, action: Suspend) -> None:
        if (child := self.forked.worker_of(action.slot)) is not None:
            frame = control.WorkerStopped(child.name, *(child.cells.running() or (0, 0)))
            self.forked.tell_broker(Tell(self.machine.broker_of(child.slot), frame))
            self._send(control.Notice(f"Worker {child.name} (pid {child.pid}) {action.how.format(pid=child.pid)}"))

    def _abandon_worker(self, action: AbandonWorker) -> None:
        if (child := self.forked.worker_of(action.slot)) is not None:
            self._on_ended(self.forked.pop(child.pid), -signal.SIGKILL)

    def _lose_broker(self, action: LoseBroker) -> None:
        self._send(control.BrokerGivenUp(action.reason))
        self.ending = True

    def _reap(self) -> None:
        """Take in whose state has changed, and end what Workers that have ended have left."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, used = os.wait4(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
                if not pid:
                    break
                if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
                    self._on_stopped(self.forked.children.get(pid), os.WIFSTOPPED(status))
                elif pid in self.forked.children:
                    self._on_ended(self.forked.pop(pid), os.waitstatus_to_exitcode(status), used.ru_maxrss << 10)
        self.mark.end_orphans(self.forked.children)

    def _on_stopped(self, child: Child | None, is_stopped: bool) -> None:
        if child is None:
            return
        now, of_a_worker = time.monotonic(), child.role == "worker"
        if child.role == "template":
            self.template.on_stopped()
        elif of_a_worker and is_stopped:
            child.note_stop(itself=stopped_itself(child.pid))
            self.machine.on_worker_stopped(child.slot, now)
        elif of_a_worker:
            self._act(self.machine.on_worker_continued(child.slot))
        elif is_stopped:
            self.machine.on_broker_stopped(child.slot, now)
        else:
            self.machine.on_broker_continued(child.slot)

    def _on_ended(self, child: Child, code: int, most: int = 0) -> None:
        """Take in the end of a child; `code`: its exit code, or a signal's number below 0; `most`: bytes in RAM."""
        self.outputs.drain(child, close=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # what it started goes with it
        if child.role == "worker":
            self._on_worker_ended(child, code, most)
        elif child.role == "template":
            self.template.on_ended(code, is_ending=self.ending)
        elif not self.ending:
            self._act(self.machine.on_broker_ended(child.slot, code, time.monotonic(), child.limit_met(code)))
        child.close()

    def _on_worker_ended(self, child: Child, code: int, most: int) -> None:
        others = self.forked.have_ready_workers()
        end = self.ends.take_in(child, code, most, others_ready=others, is_ending=self.ending)
        self.forked.tell_broker(Tell(self.machine.broker_of(child.slot), end.frame))
        if not self.ending:
            if end.is_news:
                self._send(end.frame)
            self._act(self.machine.on_worker_ended(end.ended, time.monotonic()))

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        parts = (
            self.machine, self.looks, self.leaving, self.drain, self.launching_side, self.time_limits, self.server,
            self.template, self.inspection,
        )  # fmt: skip
        times = [part.next_deadline() for part in parts]
        deadlines = [at for at in (*times, self.outputs.deadline()) if at is not None]
        seconds = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        for descriptor, events in self.poller.poll(None if seconds is None else seconds * 1000 + 1):
            self._serve(descriptor, events)
        now = time.monotonic()
        self.launching_side.tick(now)
        self.outputs.tick(now)
        self.inspection.tick(now)
        if not self.ending:
            self._act(self.machine.tick(now))
            self.template.tick(now)
            self._act(self.time_limits.tick(self.forked.workers(), now))
            if self.looks.is_due(now):
                self._act(self.machine.on_seen({child.slot: sight_of(child.pid) for child in self.forked.workers()}))
            if text := self.leaving.tick(now):
                self._send(control.Notice(text))
            self._drain(now)
            self._on_server_frames(self.server.report(self.control.wanted, self.machine.living(), now))

    def _drain(self, now: float) -> None:
        """Leave the run if this process was told to: end the Workers in order, and then this host."""
        host, workers = self.settings.host, self.forked.workers()
        if self.drain.begins():
            self.machine.leave()
            self._send(
                control.Notice(f"host {host} got {self.drain.name}: it leaves when its Workers have finished what runs")
            )
            for child in workers:
                os.kill(child.pid, signal.SIGTERM)
        if self.drain.is_over(now, len(workers), is_lost=self.launching_side.lost):
            self._send(control.HostLeaves(f"its host process got {self.drain.name}"))
            self.ending = True

    def _serve(self, descriptor: int, events: int) -> None:
        """Read or write a descriptor that is ready."""
        if descriptor == 0:
            self._on_frames(self.launching_side.receive())
        elif descriptor == self.wake:
            os.read(self.wake, 4096)
            self.time_limits.on_wake()
            self._reap()
        elif descriptor == 1:
            self.launching_side.flush()
            self._pace_output()
        elif descriptor == self.launching_side.door:
            if self.launching_side.accept():
                self._send(self._ready())
                self.control.send_again()
        elif (frames := self.connector.serve(descriptor, events, self.control.send_again)) is not None:
            self._on_frames(frames)
        elif (frames := self.server.serve(descriptor, events, time.monotonic())) is not None:
            self._on_server_frames(frames)
        elif not (self.relay.serve(descriptor, events) or self.inspection.serve(descriptor, events, time.monotonic())):
            self._serve_child(descriptor, events)

    def _on_frames(self, frames: list[control.ControlFrame]) -> None:
        for frame in frames:
            try:
                actions = self.control.on_frame(frame)
            except Exception as error:  # an address or a path that the system does not take, for instance
                actions = [Say(f"host {self.settings.host} could not do what {type(frame).__name__} says: {error!r}")]
            self._act(actions)
        self.ending = self.ending or self.control.has_ended
        self._pace_output()

    def _on_server_frames(self, frames: list[control.ControlFrame]) -> None:
        """Do what the host server says."""
        for frame in frames:
            if isinstance(frame, control.NoWorkersLeft):
                self._send(frame)
                self.ending = True
            elif isinstance(frame, control.ResizeHost):
                self._act(self.control.on_allotted(frame.workers))

    def _serve_child(self, descriptor: int, events: int) -> None:
        """Read the output or the control pipe of a child, and send it what did not fit before."""
        for child in self.forked.children.values():
            if descriptor in child.outputs:
                self.outputs.read(child, descriptor)
                return
            if descriptor == child.control:
                for frame in child.serve(events):
                    self.template.on_frame(child, frame)
                    self.inspection.on_frame(child, frame, time.monotonic())
                    self._act(self.control.on_broker_frame(child.name, frame))
                return

    def _send(self, frame: control.ControlFrame) -> None:
        """Send a frame to the launching side; while it does not read, Workers' output waits in their pipes."""
        self.launching_side.send(frame)
        self._pace_output()

    def _pace_output(self) -> None:
        self.outputs.pace(self.launching_side.full or self.control.holds_output, self.forked.children.values())

    # -- the end -----------------------------------------------------------------------------------------------------

    def _on_signal(self, number: int, frame: Any) -> None:
        # Beside the program: the run ends with the program, whose process may have got this signal as well.
        part = self.drain if self.settings.grace else self.leaving
        part.on_signal(signal.Signals(number).name, time.monotonic())

    def _end(self) -> None:
        """End every process below this one, pass on their last output, and remove what the run left on disk."""
        self.ending = True
        is_over = self.control.has_ended or self.launching_side.has_ended
        for child in self.forked.children.values():
            if child.role == "broker":
                child.tell(control.EndRun())  # else it would take this process for killed, and tidy up
            child.hang_up()
        if is_over:  # now, for a batch system may kill this process, too, as soon as the program has ended
            self._remove_directories()
        self._end_children()
        for child in list(self.forked.children.values()):
            self.outputs.drain(child, close=True)
        self.launching_side.send_rest()
        self.relay.close()
        if is_over:  # a Worker may have added a file meanwhile
            self._remove_directories()
        else:  # a program that lives needs them for the next host process
            self.hold.remove_if_last(TIDY_SECONDS)

    def _remove_directories(self) -> None:
        for directory in self.directories:
            remove_tree(directory)

    def _end_children(self) -> None:
        deadline = time.monotonic() + END_GRACE_SECONDS
        while self.forked.children and time.monotonic() < deadline:
            self.poller.poll(10)
            self._reap()
            for child in list(self.forked.children.values()):
                self.outputs.drain(child, close=False)
        end_children(self._reap)


_ACTIONS: dict[type[Action], Callable[[Supervisor, Any], None]] = {
    Start: lambda supervisor, action: supervisor.template.start_worker(action),
    StartBroker: Supervisor._start_broker,
    Withdraw: lambda supervisor, action: supervisor.forked.withdraw(action),
    Tell: lambda supervisor, action: supervisor.forked.tell_broker(action),
    TellWorkers: lambda supervisor, action: supervisor.forked.tell_workers(action),
    Suspend: Supervisor._suspend,
    AbortWorker: lambda supervisor, action: supervisor.forked.abort_worker(action),
    KillWorker: lambda supervisor, action: supervisor.forked.kill_worker(action),
    KillBroker: lambda supervisor, action: supervisor.forked.kill_broker(action),
    LoseBroker: Supervisor._lose_broker,
    AbandonWorker: Supervisor._abandon_worker,
    Say: lambda supervisor, action: supervisor._send(control.Notice(action.text)),
}
