"""Standing Federations in words, for all verbs that speak of them."""

from __future__ import annotations

import time
from typing import Any

from fedfutures.standing.status import Status


def described(status: Status) -> str:
    """Return a line on a standing Federation, and one for each program that has joined."""
    slots = sum(status.hosts.values())
    hosts = ", ".join(f"{host} ({count})" for host, count in status.hosts.items())
    head = f"{status.name}: {slots} Worker{'s' * (slots != 1)} on {hosts}, keeper {status.pid} on {status.host}"
    return "\n".join([f"{head}, {_for(status.since)}", *map(_of_run, status.runs)])


def _of_run(run: dict[str, Any]) -> str:
    program, workers = run.get("program") or "a program", run.get("workers", 0)
    has = f"{workers} Worker{'s' * (workers != 1)}, could use {run.get('wanted', 0)}"
    return f"  {program} (host process {run['pid']}): {has}, {_for(run['since'])}"


def _for(since: float) -> str:
    """Return for how long something has been there."""
    seconds = max(0, int(time.time() - since))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"for {hours} h {minutes} min" if hours else f"for {minutes} min" if minutes else f"for {seconds} s"
