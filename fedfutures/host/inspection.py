"""Questions about what goes on: those that people ask a run, and those that Brokers ask their host process."""

from __future__ import annotations

import functools
import os
import select
import time
from collections.abc import Callable
from typing import Any

from ..wire.codec import pack_plain
from ..wire.control import AskHostProcess, AskRun, ControlFrame, HostProcessSays, RunSays
from ..wire.messages import STACK
from .child import Child
from .host_report import Stacks, status_of
from .processes import Processes
from .run_door import RunDoor
from .settings import Settings


class Inspection:
    """Of one host process. People ask the one that is beside the program; `tell` tells that something."""

    def __init__(
        self, settings: Settings, directory: str, poller: select.poll, forked: Processes,
        tell: Callable[[ControlFrame], object],
    ) -> None:  # fmt: skip
        self._host, self._forked, self._stacks = settings.host, forked, Stacks(settings.host)
        self._program, self._began = "".join(settings.argv[:1]), time.monotonic()
        self._pid = 0 if settings.server else os.getppid()  # of a joined run a host server is the parent
        self._door: RunDoor | None = None
        if not (settings.grace or settings.serves):
            self._door = RunDoor(directory, poller, self._ask, self._status, tell, self._host)

    def _ask(self, question: AskRun) -> None:
        if self._forked.brokers:
            self._forked.brokers[min(self._forked.brokers)].tell(question)

    def _status(self) -> bytes:
        report = status_of(self._host, self._forked.children.values())
        if self._door is not None:
            seconds = time.monotonic() - self._began
            report["run"] = {"program": self._program, "pid": self._pid, "seconds": seconds}
        return pack_plain(report)

    def serve(self, descriptor: int, events: int, now: float) -> bool:
        """Read or write a descriptor that is ready; return whether it is one of these."""
        return self._door is not None and self._door.serve(descriptor, events, now)

    def on_frame(self, child: Child, frame: ControlFrame, now: float) -> None:
        """Answer a Broker, or pass on what it has answered."""
        if isinstance(frame, RunSays) and self._door is not None:
            self._door.on_said(frame)
        elif isinstance(frame, AskHostProcess) and frame.subject == STACK:
            workers = [one for one in self._forked.workers() if frame.worker in ("", one.name)]
            self._stacks.want(workers, now, functools.partial(self._tell, child, frame.number))
        elif isinstance(frame, AskHostProcess):
            child.tell(HostProcessSays(frame.number, self._status()))

    def _tell(self, broker: Child, number: int, report: dict[str, Any]) -> None:
        if self._forked.brokers.get(broker.slot) is broker:
            broker.tell(HostProcessSays(number, pack_plain(report)))

    def next_deadline(self) -> float | None:
        """Return when to call :meth:`tick`."""
        times = [self._stacks.next_deadline(), None if self._door is None else self._door.next_deadline()]
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Say what is known by now."""
        self._stacks.tick(now, self._forked.worker_named)
        if self._door is not None:
            self._door.tick(now)

    def let_go(self) -> None:
        """Close the descriptors in a process that the host process has forked."""
        if self._door is not None:
            self._door.let_go()
