"""The host process: ``python -m fedfutures.host``.

It reads its settings from standard input, forks the Broker and the Workers, and then waits: for children to end, for
Workers' output to pass on, and for the end of its standard input. That end comes whichever way the launching side
ends, and takes everything down. Single-threaded: it forks at any time. It loads the code of its children, so that a
child starts within a millisecond, but opens no ZeroMQ context and runs no user code.
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

from .blackbox import BlackBox
from .machine import Ended, HostMachine, Start, Surrender
from .output import Lines
from .settings import FrameReader, Settings, pack_frame, settings_from
from .system import become_subreaper, die_with_parent, make_private_directory, orphans, remove_tree, shared_memory_base

END_GRACE_SECONDS = 0.3
UNSENT_AT_MOST_BYTES = 16 << 20
CHILDREN = {"broker": "fedfutures.broker.shell", "worker": "fedfutures.worker.process"}
"""Modules with a ``main(...)`` that a forked child runs. Named, not imported: this package stands below theirs."""


PRELOADED = ("fedfutures.futures", "fedfutures.futures.executor", "fedfutures.shared")
"""What programs import: loaded once, not by each Worker when it imports the program."""


class Child:
    """A forked process and the host's ends of its pipes."""

    def __init__(self, name: str, slot: int, pid: int, control: int, box: BlackBox, dump: int) -> None:
        self.name, self.slot, self.pid, self.control = name, slot, pid, control
        self.box, self.dump = box, dump
        self.outputs: dict[int, tuple[int, Lines]] = {}  # descriptor -> (1 or 2, lines)

    def hang_up(self) -> None:
        """Close the control pipe: the child ends when it sees that."""
        if self.control >= 0:
            os.close(self.control)
            self.control = -1


class HostProcess:
    """The loop around :class:`HostMachine`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.machine = HostMachine(settings.host, settings.workers)
        self.run_directory = make_private_directory()
        self.shared_directory = make_private_directory(shared_memory_base())
        self.children: dict[int, Child] = {}  # by pid
        self.broker: Child | None = None
        self.poller = select.poll()
        self.ending = False
        self.unsent = bytearray()
        self.paused = False
        self.wake, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, self._end_by_signal)
        os.set_blocking(1, False)

    def run(self) -> None:
        """Start everything, watch, and end everything."""
        try:
            self._start_broker()
            self._say(["ready", self._facts()])
            for module in (CHILDREN["worker"], *PRELOADED):
                importlib.import_module(module)
            gc.freeze()
            for start in self.machine.begin():
                self._start_worker(start)
            self.poller.register(0, select.POLLIN)
            self.poller.register(self.wake, select.POLLIN)
            while not self.ending:
                self._wait()
        finally:
            self._end()

    def _facts(self) -> dict[str, Any]:
        return {
            "run": self.run_directory,
            "shared": self.shared_directory,
            "main": f"ipc://{self.run_directory}/main",
            "meta": f"ipc://{self.run_directory}/meta",
            "pid": os.getpid(),
            "python": list(sys.version_info[:3]),
        }

    # -- children ----------------------------------------------------------------------------------------------------

    def _start_broker(self) -> None:
        self.broker = self._fork("broker", "broker", -1, with_output=False)

    def _start_worker(self, start: Start) -> None:
        self._fork("worker", start.name, start.slot, with_output=True)

    def _fork(self, role: str, name: str, slot: int, *, with_output: bool) -> Child:
        main: Callable[..., None] = importlib.import_module(CHILDREN[role]).main
        control_read, control_write = os.pipe2(os.O_CLOEXEC)
        box, dump = BlackBox(), os.memfd_create("dump") if hasattr(os, "memfd_create") else os.dup(2)
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(2)] if with_output else []
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            code = 1
            try:
                if role == "worker":
                    die_with_parent(parent)
                self._become(control_write, [write for _, write in pipes])
                main(self.settings, self._facts(), name, control_read, box, dump)
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                with contextlib.suppress(Exception):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(code)
        os.close(control_read)
        os.set_blocking(control_write, False)
        child = self.children[pid] = Child(name, slot, pid, control_write, box, dump)
        for stream, (read, write) in enumerate(pipes, 1):
            os.close(write)
            os.set_blocking(read, False)
            child.outputs[read] = (stream, Lines(time.monotonic()))
            self.poller.register(read, select.POLLIN)
        return child

    def _become(self, control_write: int, outputs: list[int]) -> None:
        """In the child: let go of everything of the parent's."""
        signal.set_wakeup_fd(-1)
        for handled in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(handled, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        for number, descriptor in enumerate(outputs or [2, 2], 1):
            os.dup2(descriptor, number)
        for child in self.children.values():
            os.close(child.control)
            os.close(child.dump)
            for descriptor in child.outputs:
                os.close(descriptor)
        for descriptor in (null, control_write, *outputs):
            os.close(descriptor)
        self.children.clear()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            child = self.children.pop(pid, None)
            if child is not None:
                self._ended(child, status)

    def _ended(self, child: Child, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        text = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        self._drain(child, close=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # what it started goes with it
        if child is self.broker:
            if not self.ending:
                self._say(["broker lost", text])
                self.ending = True
        else:
            dump = os.pread(child.dump, 16 << 10, 0).decode("utf-8", "replace") if child.dump > 2 else ""
            orderly = code == 0 and (self.ending or child.box.running() is None)  # else user code said os._exit(0)
            self._tell_broker(["lost", child.name, text, not orderly, child.box.running(), dump, self.settings.host])
            if not orderly and not self.ending:
                self._say(["lost", child.name, text])
            if not self.ending:
                self._act(self.machine.ended(
                    Ended(child.slot, child.box.ready, text, code if code >= 0 else None), time.monotonic()
                ))  # fmt: skip
        child.hang_up()
        os.close(child.dump)
        child.box.close()

    def _act(self, actions: list[Start | Surrender]) -> None:
        for action in actions:
            if isinstance(action, Start):
                self._start_worker(action)
            else:
                self._tell_broker(["gave up", action.reason])

    def _tell_broker(self, value: Any) -> None:
        if self.broker is not None and self.broker.control >= 0:
            with contextlib.suppress(OSError):
                os.set_blocking(self.broker.control, True)
                os.write(self.broker.control, pack_frame(value))

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        deadline = self.machine.next_deadline()
        seconds = None if deadline is None else max(0.0, deadline - time.monotonic())
        for descriptor, _ in self.poller.poll(None if seconds is None else seconds * 1000 + 1):
            if descriptor == 0:
                if not os.read(0, 65536):
                    self.ending = True
            elif descriptor == self.wake:
                os.read(self.wake, 4096)
                self._reap()
            elif descriptor == 1:
                self._flush()
            else:
                self._read_output(descriptor)
        self._act(self.machine.tick(time.monotonic()))

    def _read_output(self, descriptor: int) -> None:
        for child in self.children.values():
            if descriptor in child.outputs:
                self._drain_one(child, descriptor)
                return

    def _drain_one(self, child: Child, descriptor: int) -> bool:
        stream, lines = child.outputs[descriptor]
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return False
        text = lines.feed(data, time.monotonic()) if data else lines.close()
        if text:
            self._say(["output", child.name, stream, text])
        if not data:
            self.poller.unregister(descriptor)
            os.close(descriptor)
            del child.outputs[descriptor]
        return bool(data)

    def _drain(self, child: Child, *, close: bool) -> None:
        for descriptor in list(child.outputs):
            for _ in range(1024):
                if not self._drain_one(child, descriptor):
                    break
            if close and descriptor in child.outputs:  # a grandchild still holds the other end
                stream, lines = child.outputs.pop(descriptor)
                rest = lines.close()
                if rest:
                    self._say(["output", child.name, stream, rest])
                self.poller.unregister(descriptor)
                os.close(descriptor)

    def _say(self, value: Any) -> None:
        """Send a frame to the launching side; when it does not read, the Workers' output waits in their pipes."""
        self.unsent += pack_frame(value)
        self._flush()

    def _flush(self) -> None:
        try:
            while self.unsent:
                del self.unsent[: os.write(1, self.unsent[: 1 << 18])]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads any more
            self.unsent.clear()
            self.ending = True
        full = len(self.unsent) > UNSENT_AT_MOST_BYTES
        if self.unsent:
            self.poller.register(1, select.POLLOUT)
        else:
            with contextlib.suppress(KeyError):
                self.poller.unregister(1)
        if full != self.paused:
            self.paused = full
            for child in self.children.values():
                for descriptor in child.outputs:
                    self.poller.register(descriptor, 0 if full else select.POLLIN)

    # -- the end -----------------------------------------------------------------------------------------------------

    def _end_by_signal(self, number: int, frame: Any) -> None:
        self.ending = True

    def _end(self) -> None:
        """End every process below this one, pass on their last output, and remove what the run left on disk."""
        self.ending = True
        for child in self.children.values():
            child.hang_up()
        self._end_children()
        for child in list(self.children.values()):
            self._drain(child, close=True)
        deadline = time.monotonic() + 1.0
        while self.unsent and time.monotonic() < deadline:
            select.select([], [1], [], 0.1)
            self._flush()
        remove_tree(self.run_directory)
        remove_tree(self.shared_directory)

    def _end_children(self) -> None:
        deadline = time.monotonic() + END_GRACE_SECONDS
        while self.children and time.monotonic() < deadline:
            self.poller.poll(10)
            self._reap()
            for child in list(self.children.values()):
                self._drain(child, close=False)
        for _ in range(50):  # orphans appear as their parents end
            left = orphans()
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
            self._reap()


def read_settings() -> Settings:
    """Read the settings frame from standard input; end quietly when the launching side is gone already."""
    reader = FrameReader()
    while True:
        data = os.read(0, 65536)
        if not data:
            raise SystemExit(0)
        for value in reader.feed(data):
            return settings_from(value)


def main() -> None:
    """Run a host process."""
    become_subreaper()
    importlib.import_module(CHILDREN["broker"])
    HostProcess(read_settings()).run()
    sys.stderr.flush()
    os._exit(0)  # everything is gone; tearing down the interpreter would only keep the launching side waiting
