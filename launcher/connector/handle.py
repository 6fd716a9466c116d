"""The program's end of a run on other hosts, with the interface of a host process on this one."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from fedfutures.errors import StartFailed
from fedfutures.host.flags import ROOT, main_command
from fedfutures.host.handle import Heard, HostGone, HostHandle, check_most, hear, one_at_a_time
from fedfutures.host.kept_process import KeptProcess
from fedfutures.host.settings import Settings, settings_from
from fedfutures.standing.late_hosts import with_late_hosts
from fedfutures.supervision.attempts import how_ended
from fedfutures.wire.control import (
    BeginRun,
    ControlFrame,
    EndRun,
    HostReady,
    KeepNote,
    Notice,
    NoWorkersLeft,
    ResizeRun,
    RunPlanned,
    StartRefused,
)
from fedfutures.wire.framing import pack

from ..layout.assemble import Request
from .life_signs import LifeSigns
from .notes import WORKERS, Notes

CONNECTOR, JOINED, STAGING = f"{__package__}.launched", f"{__package__}.joined", f"{__package__}.staging"
WHAT = "the connector, which keeps the ssh connections,"
START_SECONDS = 60.0
STAGED_SECONDS, STAGED_HOSTS = "staged seconds", "staged hosts"
"""What a request says to :mod:`.staging` alone: how long the run has lasted, and whose files are brought."""
COARSE_SECONDS = 2.0
"""File systems say the time of a change no more exactly than this."""


class ConnectorHandle(HostHandle):
    """Starts the host process of this machine, and the connector, which plans the run. Both are the program's alone.

    The connector reaches the host process through its door (:mod:`fedfutures.host.connector_side`).
    """

    def __init__(
        self, request: Request, command: Sequence[str] | None = None, start: Callable[..., Any] | None = None
    ) -> None:
        """`command` starts the host process's interpreter: `python` of :class:`HostHandle`; `start` is its, too."""
        self._names = [spec.name for spec in (request.local, *request.hosts) if spec.count != 0]
        self._request = dataclasses.asdict(request)
        self._is_planned = False
        self._begun_at = time.monotonic()
        self._stage_out = list(request.options.stage_out)  # patterns of files that are still to be brought
        self._notes: dict[str, Any] = {}  # which a connector leaves for the next one
        self._ready: HostReady | None = None  # of the host process that lives
        self._signs = LifeSigns()
        self._neighbours: set[str] = set()  # the Brokers on other hosts that this machine's dial
        super().__init__(request.settings, python=command, is_planned=False, start=start)
        command = main_command(JOINED if request.sessions else CONNECTOR, [sys.executable], [], ROOT)
        try:
            self._connector = KeptProcess(WHAT, command, START_SECONDS, is_kept=True)
        except StartFailed:
            self.end()
            raise
        self._processes.append(self._connector)
        self._connector.tell(BeginRun(self._request))

    def wait_ready(self) -> dict[str, object]:
        """As that of :class:`HostHandle`; the answer names the hosts with Workers, and how many these are in all."""
        self._wait_for(self._connector, lambda: self._is_planned, self._resume)
        return super().wait_ready()

    def resize(self, workers: int) -> None:
        """As that of :class:`HostHandle`: the connector divides them among the hosts, and knows how."""
        if self.settings.is_elastic:
            check_most(workers, self.settings.size)
        self._notes[WORKERS] = {"count": workers}
        self._connector.tell(ResizeRun(workers))

    def _on_start(self, frame: ControlFrame) -> None:
        if isinstance(frame, RunPlanned) and not self._is_planned:
            self._is_planned = True
            self._begin(self._planned(frame))
        elif isinstance(frame, KeepNote):
            self._note(frame)
        else:
            super()._on_start(frame)

    def _planned(self, frame: RunPlanned) -> Settings:
        """Return the settings of this machine's host process, which says how the whole run is."""
        plan = settings_from(frame.settings)
        self._of_the_run = {"size": plan.size, "hosts": frame.hosts}
        self.settings.count_workers(plan.size, plan.hosts)
        self._neighbours = {name for names in plan.neighbours for name in names}
        return plan

    def _on_ready(self, frame: HostReady) -> None:
        super()._on_ready(frame)
        self._ready = frame
        self._connector.tell(frame)  # it comes to the door

    def _note(self, frame: KeepNote) -> None:
        self._notes[frame.name] = frame.value
        self._connector.note_ready()

    def end(self) -> None:
        """As that of :class:`HostHandle`; then files that Futures have written are brought, as is asked for."""
        super().end()
        patterns, self._stage_out = self._stage_out, []
        others = [name for name in self.hosts if name != self.settings.host]
        if patterns and self._is_planned and others:
            import subprocess

            seconds = time.monotonic() - self._begun_at + COARSE_SECONDS
            asked = {**self._request, STAGED_SECONDS: seconds, STAGED_HOSTS: others}
            command = main_command(STAGING, [sys.executable], [], ROOT)
            process = subprocess.Popen(command, stdin=subprocess.PIPE)
            try:
                process.communicate(pack(BeginRun(asked)))
            finally:
                process.kill()

    @property
    def hosts(self) -> list[str]:
        """As that of :class:`HostHandle`; before the run is ready, all hosts that the user named."""
        found: list[str] = self.facts.get("hosts") or self._names
        return found

    def listen(self, heard: Callable[[Heard], None]) -> None:
        """As that of :class:`HostHandle`; a HostGone may come twice."""
        heard = one_at_a_time(heard)
        super().listen(heard)
        self._listen_in_thread(self._listen_to_connector, heard)

    def _listen_to_connector(self, heard: Callable[[Heard], None]) -> None:
        def take(frame: ControlFrame) -> None:
            if isinstance(frame, KeepNote):
                self._note(frame)
            elif isinstance(frame, RunPlanned):  # hosts have come; a host process that begins again is told so
                self._plan = self._planned(frame)
                self.facts |= self._of_the_run
            elif isinstance(frame, (NoWorkersLeft, StartRefused)):
                self._connector.note_given_up()
            hear(heard, frame)

        def on_ended(status: str) -> None:
            self._signs.show(Notes(self._notes, lambda frame: None).places(), self._neighbours)
            how = how_ended(status)
            hear(heard, Notice(f"the connector {how}; another one logs in to the hosts again. Futures go on meanwhile"))

        why = self._connector.serve(take, on_ended, self._resume, lambda: 0)
        self._signs.close()
        if self._connector.is_ending:  # it may have been killed before it could tell the hosts
            self._connector.start_last([*self._resume(), EndRun()], take)
        else:
            hear(heard, HostGone(why, WHAT))

    def _resume(self) -> list[ControlFrame]:
        """Return what a connector is told first that takes the place of another one."""
        begin = BeginRun(with_late_hosts(self._request, self._notes) | {"notes": self._notes})
        return [begin] if self._ready is None else [begin, self._ready]
