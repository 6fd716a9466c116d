"""A connector to whose hosts others come: to a standing Federation, and to the programs that have joined it.

A host that comes is logged in to as each other one. It changes nothing for the hosts that are there: its Brokers are
leaves of the tree, and it has Workers of its own (:data:`~fedfutures_launcher.layout.assemble.LATE`). A host that was
given up, or has left, may come again, under the same name.
"""

from __future__ import annotations

import dataclasses
import select
import time

from fedfutures.host.frame_line import FrameLine

from ..hosts.spec import HostSpec
from ..layout.assemble import LATE, Assembly, Request, assemble
from ..remote.preflight import reasons
from ..remote.remote_host import HostState
from .access import Ways
from .login import Login
from .main import Connector


class GrowingConnector(Connector):
    """The loop of such a connector. `_admitted` and `_refused` say what has become of a host that comes."""

    def __init__(self, request: Request, origin: FrameLine, poller: select.poll, ways: Ways) -> None:
        super().__init__(request, origin, poller, ways)
        self._coming: dict[str, int] = {}  # by host, how many Workers it is to have; 0: one for each processor
        self._early: list[tuple[HostSpec, int]] = []  # hosts that have come before there was a plan

    # -- for what grows ----------------------------------------------------------------------------------------------

    def _extend(self, assembly: Assembly, host: str) -> None:
        """Go on with this assembly, in which `host` is new, or has new settings."""
        raise NotImplementedError

    def _admitted(self, host: str) -> None:
        """The host can take part: it gets its settings next."""

    def _refused(self, host: str, why: str) -> None:
        """The host cannot take part."""
        raise NotImplementedError

    # -- hosts that come ---------------------------------------------------------------------------------------------

    def _is_there(self, host: str) -> bool:
        """Whether a host of this name takes part, or is about to."""
        login = self.logins.get(host)
        if login is None or host in self._coming:
            return login is not None
        return not (login.given_up or self.notes.is_gone(host)) and (login.facts is not None or not login.life.settled)

    def _come(self, spec: HostSpec, workers: int) -> None:
        """Log in to a host that is not there; it is to have so many Workers, 0: one for each processor."""
        if self.assembly is None:
            self._early.append((spec, workers))
            return
        if (former := self.logins.get(spec.name)) is not None:
            former.end()
        hosts = {known.name: known for known in self.request.hosts} | {spec.name: spec}
        self.request.hosts[:] = hosts.values()
        self.logins[spec.name] = login = self._login_of(spec)
        self._coming[spec.name] = workers
        login.connect(time.monotonic())

    def _wait(self) -> None:
        super()._wait()
        if self.assembly is not None:
            while self._early:
                self._come(*self._early.pop(0))
            for host in [host for host in self._coming if self.logins[host].life.settled]:
                self._settle(host, self._coming.pop(host))

    def _settle(self, host: str, workers: int) -> None:
        login = self.logins[host]
        assert self.assembly is not None
        if login.facts is None:
            self._refuse(host, reasons([login.report(0)]).get(host, "it is not reached"))
        elif login.life.state is HostState.READY:  # else it has begun with the hosts that were there first
            self._admit(login, workers)

    def _admit(self, login: Login, workers: int) -> None:
        facts, known = dict(self.notes.facts or {}), (self.notes.facts or {}).get(login.name)
        found = dict(login.facts or {})
        if known is None or LATE in known:
            found[LATE] = workers or found["processors"]
        try:
            assembly = assemble(self.request, facts | {login.name: found})
        except ValueError as error:
            login.end()
            self._refuse(login.name, str(error))
            return
        self.notes.keep_late(login.name, dataclasses.asdict(login.spec))
        self.notes.keep_facts(facts | {login.name: found})
        self._extend(assembly, login.name)
        self._admitted(login.name)
        login.begin(assembly.settings[login.name])

    def _refuse(self, host: str, why: str) -> None:
        if host not in (self.notes.facts or {}):
            self.request.hosts[:] = [spec for spec in self.request.hosts if spec.name != host]
            del self.logins[host]
        self._refused(host, why)
