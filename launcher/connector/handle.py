"""The program's end of the connector: a run on other hosts, with the interface of a host process on this one."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

from fedfutures.errors import StartFailed
from fedfutures.host.flags import main_command
from fedfutures.host.handle import HostHandle, command_here
from fedfutures.wire.control import BeginRun

from ..layout.assemble import Request

CONNECTOR = f"{__package__}.main"
START_SECONDS = 60.0
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class ConnectorHandle(HostHandle):
    """Starts the host process of this machine and the connector. The Origin belongs to the former."""

    what = "the connector, which keeps the ssh connections,"
    start_seconds = START_SECONDS

    def __init__(self, request: Request, command: list[str] | None = None) -> None:
        """`command` starts the host process's interpreter, as for :class:`HostHandle`."""
        self._names = [spec.name for spec in (request.local, *request.hosts) if spec.count != 0]
        self._host = self._start(command_here(request.settings, command))
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        pipes = (self._host.stdout.fileno(), self._host.stdin.fileno())
        frame = BeginRun(dataclasses.asdict(request) | {"local_descriptors": pipes})
        try:
            super().__init__(
                request.settings, frame, command=main_command(CONNECTOR, [sys.executable], [], _ROOT), pass_fds=pipes
            )
        except StartFailed:
            self._host.kill()
            self._host.wait()
            raise
        finally:
            self._host.stdin.close()
            self._host.stdout.close()

    def wait_ready(self) -> dict[str, object]:
        """As that of :class:`HostHandle`; only now it is known how many Workers there are."""
        facts = super().wait_ready()
        self.settings.count_workers(facts["size"])
        return facts

    @property
    def hosts(self) -> list[str]:
        """As that of :class:`HostHandle`; until they have answered, all that were asked for."""
        found: list[str] = self.facts.get("hosts") or self._names
        return found

    def end(self) -> None:
        """End the hosts and the connector, and wait until that has happened."""
        super().end()
        try:
            self._host.wait(self.end_seconds)
        except subprocess.TimeoutExpired:
            self._host.kill()
            self._host.wait()
