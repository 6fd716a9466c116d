"""What a connector tells people of the hosts when a run begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from fedfutures.host import room
from fedfutures.host.system import memory
from fedfutures.wire.control import HostTable

from ..layout.assemble import Assembly, Request
from ..remote.hello import HostHello
from ..remote.preflight import HostReport, table
from .login import Login


def table_of(request: Request, here: HostHello, logins: Mapping[str, Login], workers: Mapping[str, int]) -> HostTable:
    """Return the table of hosts, with the Workers of each."""
    reports = [login.report(workers.get(name, 0)) for name, login in logins.items()]
    if request.local.count != 0:
        own = dataclasses.replace(here, processors=request.processors, memory=memory())
        local = request.local.name
        reports.insert(0, HostReport(local, workers.get(local, 0), hello=own, latency=0.0))
    problems = any(report.problem is not None for report in reports)
    return HostTable(table(reports, request.columns), problems)


def warnings_of(request: Request, logins: Mapping[str, Login], assembly: Assembly) -> list[str]:
    """Say where there are far more Workers than processors, or less memory than they may use."""
    here = {"processors": request.processors, "memory": request.memory}
    found: list[str] = []
    for name, settings in assembly.settings.items():
        facts = logins[name].facts if name in logins else None
        found += room.warnings_of(settings, facts or here)
    return found
