"""Standing Federations in words, for all verbs that speak of them."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Collection
from dataclasses import fields
from typing import Any

from fedfutures.host.hosts import Hosts
from fedfutures.standing.status import Status

from ..arguments.parser import Parser
from ..cli.options import argument_of
from ..connector.listening import address_of, allowed

OF_PROGRAMS = frozenset({"external_hostname", "preload", "stage_out"})
"""Options of hosts that are for the run of one program alone."""


def add_host_options(parser: Parser, title: str, without: Collection[str] = ()) -> None:
    """Add the options of hosts (:class:`fedfutures.Hosts`) to a command line, under this title."""
    group = parser.add_argument_group(title)
    for item in fields(Hosts):
        if item.name in {*OF_PROGRAMS, *without}:
            parser.set_defaults(**{item.name: item.default})
        else:
            group.add_argument(*item.metadata["flags"], dest=item.name, **argument_of(item))


def without_ways() -> set[str]:
    """Return the options of hosts that do not concern the way there."""
    return {item.name for item in fields(Hosts) if not item.metadata["login"]}


def kinds_of_host_options() -> dict[str, type]:
    """Return the long names of these options, and what each takes in a file."""
    named = ((item, item.metadata["flags"]) for item in fields(Hosts) if item.name not in OF_PROGRAMS)
    return {
        next(flag for flag in flags if flag.startswith("--"))[2:]: bool if isinstance(item.default, bool) else list
        if item.default == () else str
        for item, flags in named
    }  # fmt: skip


def hosts_of(given: Namespace) -> Hosts:
    """Return what these options say."""
    return Hosts(**{item.name: getattr(given, item.name) for item in fields(Hosts)})


def described(status: Status) -> str:
    """Return a line on a standing Federation, and one for each program that has joined."""
    slots = sum(status.hosts.values())
    hosts = ", ".join(f"{host} ({count})" for host, count in status.hosts.items())
    head = f"{status.name}: {slots} Worker{'s' * (slots != 1)} on {hosts}, keeper {status.pid} on {status.host}"
    away = [f"  {host} is not reached now; it may come back" for host in status.away]
    jobs = [_of_jobs(status.scale)] if status.scale else []
    return "\n".join([f"{head}, {_for(status.since)}", *away, *_of_door(status), *jobs, *map(_of_run, status.runs)])


def _of_door(status: Status) -> list[str]:
    where = address_of(status)
    return [f"  listens: {where}", *(f"  allowed: {key}" for key in allowed(status))] if where else []


def _of_jobs(scale: dict[str, Any]) -> str:
    count, problem = scale["jobs"], scale["problem"]
    jobs = f"{count} job{'s' * (count != 1)} of {scale['command']} {'have' if count != 1 else 'has'} not come yet"
    wants = f", programs could use {scale['more']} more Worker{'s' * (scale['more'] != 1)}" if scale["more"] else ""
    return f"  {jobs}{wants}, {scale['least']} to {scale['most']} Workers in all" + (f"; {problem}" if problem else "")


def _of_run(run: dict[str, Any]) -> str:
    program, workers = run.get("program") or "a program", run.get("workers", 0)
    has = f"{workers} Worker{'s' * (workers != 1)}, could use {run.get('wanted', 0)}"
    return f"  {program} (host process {run['pid']}): {has}, {_for(run['since'])}"


def _for(since: float) -> str:
    """Return for how long something has been there."""
    seconds = max(0, int(time.time() - since))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"for {hours} h {minutes} min" if hours else f"for {minutes} min" if minutes else f"for {seconds} s"
