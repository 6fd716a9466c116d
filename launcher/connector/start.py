"""Starting the host processes of a run, here and elsewhere: what the command line and ``Executor(hosts=...)`` share."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from fedfutures.errors import StartFailed
from fedfutures.host.batch import scheduler_of
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import modules_in
from fedfutures.host.hosts import Hosts
from fedfutures.host.room import available_memory, refusal, warn_of_limit
from fedfutures.host.settings import Settings
from fedfutures.host.system import processors
from fedfutures.standing.status import Status, status_from
from fedfutures.wire.control import ServerStatus, StartRefused, StatusWanted

from ..hosts.local import at_home, own_names, threads_of
from ..hosts.resolve import allocation, in_run, wanted
from ..hosts.schedulers.allocation import Allocation
from ..hosts.spec import UNSAID, BadHosts, HostSpec, completed, is_said, spec_from
from ..hosts.words import counted
from ..launchers.keeper_visit import KeeperVisit, far_place
from ..launchers.table import KEEPER, launchers_for
from ..layout.assemble import Request, request_from
from ..layout.idle import remark
from .access import client_to
from .handle import ConnectorHandle

SEAL_BYTES = 32
COLUMNS = 80  # of the table of hosts, where standard error is no terminal


def request_for(
    hosts: Hosts,
    specs: Sequence[HostSpec],
    settings: Settings,
    workers: int | None,
    brokers: int,
    threads: int | None = None,
) -> Request:
    """Return what the connector is to be asked for. Raises BadHosts for modules that cannot be provided.

    `threads`: processors of each Worker, as a batch scheduler says.
    """
    if hosts.provision_modules:
        from ..remote.installation import installation  # with what builds archives

        installation(hosts.provided or ())
    beside = modules_in(settings.path[0]) if settings.path else []
    settings = replace(settings, seal=secrets.token_bytes(SEAL_BYTES), host=specs[0].name, beside=beside)
    scheduler = scheduler_of(os.environ)
    settings = replace(settings, departure=hosts.grace)
    columns = shutil.get_terminal_size((COLUMNS, 24)).columns if sys.stderr and sys.stderr.isatty() else COLUMNS
    return Request(
        specs[0], list(specs[1:]), settings, replace(hosts, names=list(hosts.names)), workers, brokers, processors(),
        available_memory(), columns, launchers=launchers_for(hosts, scheduler, exists), scheduler=scheduler,
        threads=threads,
    )  # fmt: skip


def exists(program: str) -> bool:
    """Whether a program is on the PATH of this process."""
    return shutil.which(program) is not None


def start_for_executor(hosts: Hosts, settings: Settings, workers: int | None, brokers: int) -> HostHandle:
    """Start what an ``Executor(hosts=...)`` needs. Raises ValueError for hosts that cannot be meant, StartFailed."""
    given = allocation(hosts)
    threads = given.threads if given is not None else None
    specs = wanted(hosts, given)
    for line in remarks(given, specs, workers) if settings.verbosity >= 0 else ():
        print(f"fedfutures: {line}", file=sys.stderr)
    settings, command = at_home(settings, specs[0].options)
    if len(specs) == 1:
        count = workers or specs[0].count or processors()
        own = threads_of(threads, specs[0].count, count, processors())
        if why := refusal(count, available_memory(), settings.host):
            raise StartFailed(why, 2)
        settings = replace(settings, workers=count, size=count, threads=own)
        warn_of_limit(settings)
        return HostHandle(settings, python=command)
    refuse_root(hosts, specs)
    return ConnectorHandle(request_for(hosts, specs, settings, workers, brokers, threads), command)


def request_of_keeper(
    hosts: Hosts, workers: int | None, *, scales: bool = False, **others: dict[str, Any]
) -> tuple[dict[str, Any], int | None]:  # fmt: skip
    """Return what the connector of a keeper is to be asked for, and how many Workers this machine has if it is alone.

    {}: this machine is the only host. With `scales` others will come, so there is a connector, and there may be no
    Worker as yet. `others` are fields of :class:`Request`. There is no secret in it. Raises BadHosts, ValueError, and
    StartFailed.
    """
    given = allocation(hosts)
    specs = wanted(hosts, given)
    threads = given.threads if given is not None else None
    if len(specs) > 1:
        refuse_root(hosts, specs)
        if workers == 0:
            raise BadHosts("-n 0 is for this machine alone: other hosts are there to have Workers")
    elif scales or any(others.values()):
        specs, workers = [replace(specs[0], count=processors() if workers is None else workers)], None
    else:
        return {}, workers or specs[0].count
    return _of_keeper(hosts, specs, workers, threads) | {"may_be_empty": scales, **others}, None


def _of_keeper(hosts: Hosts, specs: Sequence[HostSpec], workers: int | None, threads: int | None) -> dict[str, Any]:
    value = asdict(request_for(hosts, specs, Settings(specs[0].name, 1, 1), workers, 1, threads))
    for of_a_run in ("settings", "notes", "sessions"):
        del value[of_a_run]
    return value


def added_hosts(status: Status, hosts: Hosts, words: Sequence[str]) -> tuple[dict[str, Any], list[HostSpec]]:
    """Return what the first connector of a keeper is to be asked for, and the hosts that are added to its Federation.

    words: ``[user@]host[:count]`` each. Options in `hosts` that concern all hosts count only where the keeper has no
    connector yet. Raises BadHosts and StartFailed.
    """
    said = Hosts(**status.request["options"]) if status.request else hosts
    for item in fields(Hosts):
        value = getattr(hosts, item.name)
        if not item.metadata["of_one"] and is_said(value) and value not in (item.default, getattr(said, item.name)):
            raise StartFailed(f"{item.metadata['flags'][0]} is as it was when {status.name} was started", 2)
    others = [counted(word) for word in words]
    local = HostSpec("localhost", name=status.host, count=status.hosts[status.host])
    here, *specs = in_run([local, *others], own_names())
    if here.count != local.count:
        raise BadHosts(f"this machine, {status.host}, is the keeper's own host")
    refuse_root(said, [local, *specs])
    request = _of_keeper(said, [local], local.count, None) if not status.request else {}
    return request, [completed(completed(spec, hosts), said) for spec in specs]


def start_far_joined(
    word: str, settings: Settings, workers: int | None, command: Sequence[str] | None, hosts: Hosts
) -> HostHandle:  # fmt: skip
    """Start the host processes of a program on a standing Federation of another machine, ``[user@]host:NAME``.

    This machine has no Workers then. `hosts` says how to log in. Raises StartFailed.
    """
    try:
        place = far_place(word)
    except BadHosts as error:
        raise StartFailed(str(error), 2) from None
    client = client_to(place, hosts)
    try:
        answer = KeeperVisit(client, place, client.seconds).ask(StatusWanted())
    finally:
        client.close()
    if not isinstance(answer, ServerStatus):
        why = answer.reason if isinstance(answer, StartRefused) else f"{word} has answered by {type(answer).__name__}"
        raise StartFailed(why, 2 if isinstance(answer, StartRefused) and answer.exit_code == 2 else 3)
    status = status_from(answer.status)
    asked = status.request or _of_keeper(hosts, [HostSpec("localhost", name=status.host)], None, None)
    known = [HostSpec(status.host, name=status.host), *map(spec_from, asked["hosts"])]
    others = [replace(spec, count=count) for spec in known if (count := status.hosts.get(spec.name, 0))]
    name = f"{settings.host}-origin" if settings.host in status.hosts else settings.host
    local = HostSpec("localhost", name=name, count=0)
    beside = modules_in(settings.path[0]) if settings.path else []
    of_the_run = replace(
        settings, seal=secrets.token_bytes(SEAL_BYTES), host=local.name, beside=beside, departure=hosts.grace,
        template=True, joined=True,
    )  # fmt: skip
    total = sum(status.hosts.values())
    _say_that_some_will_come(status, settings, total)
    request = Request(
        local, others, of_the_run, replace(hosts, names=[]), min(workers or total, total), settings.brokers,
        processors(), available_memory(), launchers=[KEEPER], sessions=word, at_most=workers,
        may_be_empty=bool(status.scale),
    )  # fmt: skip
    return ConnectorHandle(request, command)


def _say_that_some_will_come(status: Status, settings: Settings, workers: int) -> None:
    """Tell people why nothing runs yet, if there is no Worker."""
    if not workers and status.scale and settings.verbosity >= 0:
        problem = f" ({status.scale['problem']})" if status.scale["problem"] else ""
        print(
            f"fedfutures: {status.name} has no Workers now; they come with the jobs of: {status.scale['command']}"
            f"{problem}. What has become of these shows: fedfutures status {status.name}", file=sys.stderr
        )  # fmt: skip


def start_joined(
    status: Status, settings: Settings, workers: int | None, command: Sequence[str] | None, start: Callable[..., Any]
) -> HostHandle:
    """Start the host processes of a program on the hosts of a standing Federation. Raises StartFailed.

    `command` and `start` are those of :class:`ConnectorHandle`.
    """
    value = status.request | {"settings": asdict(settings), "notes": {}}
    asked = request_from(value)
    local, *others = [
        replace(spec, count=status.hosts.get(spec.name, 0))
        for spec in (asked.local, *asked.hosts)
        if spec is asked.local or spec.name in status.hosts
    ]
    beside = modules_in(settings.path[0]) if settings.path else []
    of_the_run = replace(
        settings, seal=secrets.token_bytes(SEAL_BYTES), host=local.name, beside=beside, server=status.door,
        departure=asked.options.grace,
    )  # fmt: skip
    total = sum(status.hosts.values())
    request = replace(
        asked, local=local, hosts=others, settings=of_the_run, workers=min(workers or total, total), at_most=workers,
        brokers=settings.brokers, processors=processors(), memory=available_memory(), launchers=[KEEPER],
        scheduler=None, sessions=status.sessions, may_be_empty=bool(status.scale),
    )  # fmt: skip
    _say_that_some_will_come(status, settings, total)
    return ConnectorHandle(request, command, start)


def remarks(given: Allocation | None, specs: Sequence[HostSpec], workers: int | None) -> list[str]:
    """Return lines for people about the batch scheduler's job: what of it this run does not use.

    `given`: what the job has, if the hosts are those of the job; `specs`: the hosts of the run; `workers`: the number
    that the user has said.
    """
    job = given
    if job is None and scheduler_of(os.environ) is not None:
        with contextlib.suppress(BadHosts):  # the user names the hosts, so this counts for nothing else
            job = allocation(UNSAID)
    if job is None:
        return []
    lines = [] if given is None else given.remarks(workers=workers)
    idle = remark(job, specs, workers, own_names())
    return [*lines, idle] if idle else lines


def refuse_root(hosts: Hosts, specs: Sequence[HostSpec]) -> None:
    """Raise StartFailed when root would log in to other hosts without having asked for it."""
    if os.geteuid() == 0 and len(specs) > 1 and not hosts.allow_root:
        raise StartFailed(
            "as root, Futures could do anything on the other hosts: run it as a user, or say --allow-root "
            "(for an Executor: hosts=fedfutures.Hosts(names, allow_root=True))", 2
        )  # fmt: skip
