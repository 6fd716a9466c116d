"""The template of a host process: a child that has imported the program, and forks Workers from itself (decision 0102).

The host process opens the pipes of a Worker as always, and sends the template their other ends (SCM_RIGHTS). The Worker
becomes a child of the host process, which is a sub-reaper, and says its pid by the template's socket. Its crash cells
are memory that the host process has made before the template, for a mapping cannot be sent.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import RemoteProtocolError
from ..supervision.actions import Start
from ..supervision.attempts import status_of
from ..supervision.templates import (
    ForkFromTemplate,
    ForkHere,
    KillTemplate,
    Remark,
    StartTemplate,
    TemplateAction,
    TemplateMachine,
)
from ..wire.control import ControlFrame, ForkWorker, Notice, TemplateReady, WorkerForked
from ..wire.framing import pack
from . import devices
from .child import OUTPUT_PIPES, Child, ChildMain, child_of, closed_if_it_fails, open_ends
from .crash_cells import CrashCells
from .settings import Settings

FORK_SECONDS = 1.0
"""For so long the host process waits for a Worker that it has asked for; it takes some 10 ms."""
SPARE_BOXES = 16
TemplateMain = Callable[[Sequence[CrashCells], Settings, dict[str, Any], str, int, CrashCells, int], None]
"""What a template runs: it has the crash cells of its Workers, and what each child has."""


def is_wanted(settings: Settings) -> bool:
    """Whether Workers of such a host are forked from a template: not where each Worker has GPUs of its own."""
    gives_devices = bool(devices.environment_of(os.environ, 0, settings.workers))
    has_something = imports_program(settings) or settings.preload
    return bool(has_something) and sys.platform == "linux" and not gives_devices


def imports_program(settings: Settings) -> bool:
    """Whether a template imports the program: where its file is, not what comes from the Origin."""
    return settings.template and settings.program is not None and not settings.code


class Template:
    """The template of one host process, while there is one.

    `fork` forks a child that runs this, of this role and name; `start_here` forks a Worker; `send` tells the launching
    side.
    """

    def __init__(
        self, settings: Settings, poller: select.poll, fork: Callable[[str, ChildMain, str], Child],
        start_here: Callable[[Start], object], send: Callable[[ControlFrame], object],
    ) -> None:  # fmt: skip
        self.machine = TemplateMachine(settings.host, is_wanted(settings))
        self._settings, self._poller = settings, poller
        self._fork, self._start_here, self._send = fork, start_here, send
        self._main: TemplateMain | None = None
        self._boxes: list[CrashCells] = []
        self._free: list[CrashCells] = []
        self._child: Child | None = None
        self._fork_from: Callable[[Start], bool] = lambda start: False

    def begin(self, main: TemplateMain, fork_from: Callable[[Start], bool]) -> None:
        """Start the first template. `fork_from` has it fork a Worker by :meth:`fork_worker`, if it answers."""
        self._main, self._fork_from = main, fork_from
        if self.machine.is_wanted:
            self._boxes = [CrashCells(self._free.append) for _ in range(2 * self._settings.workers + SPARE_BOXES)]
            self._free += self._boxes
        self._act(self.machine.begin(time.monotonic()))

    def start_worker(self, start: Start) -> None:
        """Fork a Worker from whatever it is to be forked from, now or when the program has been imported."""
        self._act(self.machine.start_worker(start))

    def fork_worker(self, start: Start, facts: dict[str, Any], workers: int, size: int) -> Child | None:
        """Have the template fork a Worker; None: it does not answer. Raises OSError as :func:`.child.fork_child`."""
        if self._child is None:
            return None
        box = self._free.pop(0)
        with closed_if_it_fails(box) as opened:
            open_ends(opened, OUTPUT_PIPES)
            _, control_theirs, dump, *ends = opened
            frame = ForkWorker(start.name, facts, self._boxes.index(box), workers, size)
            reply = _ask(self._child, frame, [control_theirs, dump, *ends[1::2]])
            if reply is not None and reply.why:
                raise OSError(reply.why)
        if reply is None:
            for descriptor in opened:
                os.close(descriptor)
            return None  # its box is lost with it: a Worker that comes too late may hold it
        return child_of([reply.pid, *opened], "worker", start.name, start.slot, box, self._poller)

    def has_room(self) -> bool:
        """Whether there are crash cells for one more Worker."""
        return bool(self._free)

    # -- what is heard of it -----------------------------------------------------------------------------------------

    def on_frame(self, child: Child, frame: ControlFrame) -> None:
        """A child says something."""
        if child is self._child and isinstance(frame, TemplateReady):
            self._act(self.machine.on_unsafe(frame.unsafe) if frame.unsafe else self.machine.on_ready())

    def on_stopped(self) -> None:
        """It was stopped by a signal."""
        self._act(self.machine.on_stopped())

    def on_ended(self, code: int, *, is_ending: bool) -> None:
        """It has ended, with this exit code, or by a signal whose number is below 0; `is_ending`: so does the run."""
        self._child = None
        if not is_ending:
            self._act(self.machine.on_ended(status_of(code), time.monotonic()))

    def tick(self, now: float) -> None:
        """Start another one if that is due; give up one that takes too long."""
        self._act(self.machine.tick(now))

    def next_deadline(self) -> float | None:
        """When the next tick is due."""
        return self.machine.next_deadline()

    # -- what is done ------------------------------------------------------------------------------------------------

    def _act(self, actions: Sequence[TemplateAction]) -> None:
        for action in actions:
            _ACTIONS[type(action)](self, action)

    def _start(self, action: StartTemplate) -> None:
        main = self._main
        assert main is not None
        try:
            name = f"{self.machine.host}.template"
            self._child = self._fork("template", lambda *given: main(self._boxes, *given), name)
        except OSError as error:
            self._act(self.machine.on_not_started(str(error)))

    def _kill(self, action: KillTemplate) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child.pid, signal.SIGKILL)

    def _from_template(self, action: ForkFromTemplate) -> None:
        if not self.has_room():
            self._start_here(action.start)
        elif not self._fork_from(action.start):
            self._act(self.machine.on_silent(action.start))

    def _from_here(self, action: ForkHere) -> None:
        self._start_here(action.start)

    def _remark(self, action: Remark) -> None:
        if self._settings.verbosity > 0:
            self._send(Notice(action.text))


_ACTIONS: dict[type[TemplateAction], Callable[[Template, Any], None]] = {
    StartTemplate: Template._start,
    KillTemplate: Template._kill,
    ForkFromTemplate: Template._from_template,
    ForkHere: Template._from_here,
    Remark: Template._remark,
}


def _ask(template: Child, frame: ForkWorker, descriptors: list[int]) -> WorkerForked | None:
    """Return what a Worker says that is to be forked, or why it could not be; None if nobody answers in time."""
    deadline = time.monotonic() + FORK_SECONDS
    connection = socket.socket(fileno=os.dup(template.control))
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    try:
        data = pack(frame)
        if socket.send_fds(connection, [data], descriptors) < len(data):
            return None
        while (left := deadline - time.monotonic()) > 0:
            events = sum(found for _, found in poller.poll(left * 1000))
            if (reply := _reply(template, frame.name)) is not None or events & select.POLLHUP:
                return reply
        connection.shutdown(socket.SHUT_RD)  # a Worker that comes now cannot say so, and ends
        return _reply(template, frame.name)
    except (OSError, RemoteProtocolError):
        return None
    finally:
        connection.close()


def _reply(template: Child, name: str) -> WorkerForked | None:
    frames = template.serve(select.POLLIN)
    return next((frame for frame in frames if isinstance(frame, WorkerForked) and frame.name == name), None)
