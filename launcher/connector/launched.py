"""The connector of a run: it begins with the hosts that are there in time, and takes in those that come late.

The program starts it as ``python -m fedfutures_launcher.connector.launched``. A host that is slow, because its start-up
files sleep or its Python loads from a cold disk, is not given up and keeps nobody waiting: after ten seconds the run
begins without it, and it comes in when it has answered. Where all hosts are asked for, or a ``--start-timeout`` is
given, the run waits for them.
"""

from __future__ import annotations

import dataclasses
import select
import time
from typing import Any

from fedfutures.host.frame_line import FrameLine
from fedfutures.wire import control

from ..layout.assemble import Assembly, Request, request_from
from .access import Ways
from .beginning import run
from .growing import GrowingConnector
from .shares import shares_of


class LaunchedConnector(GrowingConnector):
    """The loop of a run's connector."""

    def __init__(self, request: Request, origin: FrameLine, poller: select.poll, ways: Ways) -> None:
        super().__init__(request, origin, poller, ways)
        self._begin_at = time.monotonic() + request.begin_seconds

    # -- hosts that are late -----------------------------------------------------------------------------------------

    def _deadlines(self) -> list[float | None]:
        return [*super()._deadlines(), self._begin_at if self.assembly is None else None]

    def _wait(self) -> None:
        if self.assembly is None and time.monotonic() >= self._begin_at:
            self._begin_at = time.monotonic() + 1.0  # where too few are there, it is looked at again
            there = sum(login.is_ready for login in self.logins.values())
            if there + (self.request.local.count != 0) >= max(1, self.request.least_hosts):
                self._begin_without_the_late()
                return
        super()._wait()

    def _begin_without_the_late(self) -> None:
        late = [login for login in self.logins.values() if not login.life.settled]
        self._assemble()
        if self.assembly is None or not late:
            return
        if self.request.workers is not None:
            self.notes.keep_workers(self.request.workers)  # in all: those that are there now have more for a while
        for login in late:
            self._coming[login.name] = login.spec.count or 0
            text = f"host {login.name} has not answered yet. The run begins without it; it comes in when it answers"
            self._note(text, important=True)

    def _settle(self, host: str, workers: int) -> None:
        if self.notes.workers:
            there = [*self._planned(), host]
            workers = shares_of(self.request, there, self.notes.workers)[host].workers
        super()._settle(host, workers)

    # -- for what grows ----------------------------------------------------------------------------------------------

    def _planned(self) -> dict[str, int]:
        """Return how many Workers there are on each host that has not been given up."""
        assert self.assembly is not None
        settings = self.assembly.settings
        return {name: of_one.workers for name, of_one in settings.items() if not self.notes.is_gone(name)}

    def _extend(self, assembly: Assembly, host: str) -> None:
        self.assembly = assembly
        self.host_of = {broker.name: broker.host for broker in assembly.tree.nodes.values()}
        facts = self.notes.facts or {}
        self.links.add(assembly.tree, {name: of_one["launcher"] for name, of_one in facts.items()})

    def _admitted(self, host: str) -> None:
        planned = self._planned()
        self._note(f"host {host} has come, with {planned[host]} Worker{'s' * (planned[host] != 1)}", important=True)
        assert self.assembly is not None
        size = self.notes.workers or sum(planned.values())
        own = dataclasses.replace(self.assembly.settings[self.request.local.name], size=size)
        self.origin.send(
            control.RunPlanned(dataclasses.asdict(own), [name for name, count in planned.items() if count])
        )
        self._resize(*self.assembly.settings)

    def _refused(self, host: str, why: str) -> None:
        self._note(f"host {host} cannot be used: {why}", important=True)

    def _resize(self, *hosts: str) -> None:
        """Tell hosts how many Workers there are in all, since others have come; and as every connector does."""
        if self.notes.workers or self.assembly is None:
            super()._resize(*hosts)
            return
        planned = self._planned()
        for host in planned.keys() & set(hosts):
            self._tell(host, control.ResizeHost(planned[host], sum(planned.values())))

    def _workers_left(self) -> bool:
        return bool(self._coming) or super()._workers_left()


def begin(value: dict[str, Any], line: FrameLine, poller: select.poll) -> LaunchedConnector:
    """Return the connector that a program has asked for."""
    request = request_from(value)
    return LaunchedConnector(request, line, poller, Ways(request))


def main() -> None:
    """Run a connector on standard input and output."""
    run(begin)


if __name__ == "__main__":
    main()
