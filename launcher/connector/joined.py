"""The connector of a program that has joined a standing Federation: hosts come to it while the program runs.

The program starts it as ``python -m fedfutures_launcher.connector.joined``. It does as that of any other run
(:mod:`.launched`), and hears from the keeper's connector which hosts there are. To one that is new, or is there again,
it goes as to the others, and so the program has Workers there.
"""

from __future__ import annotations

import select
import time
from typing import Any

from fedfutures.host.frame_line import FrameLine
from fedfutures.wire import control

from ..hosts.spec import spec_from
from ..layout.assemble import Request, request_from
from .access import Ways
from .beginning import run
from .launched import LaunchedConnector
from .watch import HostsWatch

AGAIN_SECONDS = 5.0
"""How often it tries hosts that are there and that it could not reach."""


class JoinedConnector(LaunchedConnector):
    """The loop of a joined program's connector."""

    def __init__(self, request: Request, origin: FrameLine, poller: select.poll, ways: Ways) -> None:
        super().__init__(request, origin, poller, ways)
        self._watch = HostsWatch(ways.of_keeper(), poller)
        self._there: dict[str, Any] = {}  # the hosts of the Federation, by name
        self._look_at_hosts_at = 0.0
        self._more: dict[str, int] = {}  # by host: how many Workers could run something beyond those that it may have
        self._said_more = 0

    def _wait(self) -> None:
        super()._wait()
        now = time.monotonic()
        if self.assembly is not None:
            self._watch.tick(now)
            self._say_more()
            if now >= self._look_at_hosts_at:
                self._look_at_hosts_at = now + AGAIN_SECONDS
                self._go_to_new_hosts()

    def _serve(self, descriptor: int, events: int) -> None:
        frames = self._watch.serve(descriptor, events)
        if frames is None:
            super()._serve(descriptor, events)
            return
        for frame in frames:
            if isinstance(frame, control.HostsThere):
                self._there = frame.hosts
                self._look_at_hosts_at = 0.0
            elif isinstance(frame, control.Notice):
                self._note(frame.text, important=True)

    def _heard(self, host: str, frame: control.ControlFrame) -> None:
        if isinstance(frame, control.MoreWanted):
            self._more[host] = frame.count
        else:
            super()._heard(host, frame)

    def _say_more(self) -> None:
        """Tell the keeper how many Workers the program could use beyond those on hosts of today, if that is news."""
        asked = [most for most in (self.request.at_most, self.notes.workers) if most]
        more = sum(count for host, count in self._more.items() if not self.notes.is_gone(host))
        if asked:
            more = min(more, max(0, min(asked) - sum(self._planned().values()) - sum(self._coming.values())))
        if more != self._said_more:
            self._said_more = more
            self._watch.say(control.MoreWanted(more))

    def _go_to_new_hosts(self) -> None:
        for name, value in self._there.items():
            if (
                not self._is_there(name)
                and name != self.request.local.name
                and (workers := self._room(value["workers"]))
            ):
                self._come(spec_from({**value["spec"], "count": workers}), workers)

    def _room(self, workers: int) -> int:
        """Return how many of a host's Workers the program may have beside those that it has."""
        if self.request.at_most is None:
            return workers
        return max(0, min(workers, self.request.at_most - sum(self._planned().values()) - sum(self._coming.values())))

    def _refused(self, host: str, why: str) -> None:
        self._note(f"host {host} has come and cannot be used: {why}")

    def _workers_left(self) -> bool:
        return self.request.may_be_empty or super()._workers_left()

    def _end(self) -> None:
        self._watch.close()
        super()._end()


def begin(value: dict[str, Any], line: FrameLine, poller: select.poll) -> JoinedConnector:
    """Return the connector that a joined program has asked for."""
    request = request_from(value)
    return JoinedConnector(request, line, poller, Ways(request))


def main() -> None:
    """Run a joined program's connector on standard input and output."""
    run(begin)


if __name__ == "__main__":
    main()
