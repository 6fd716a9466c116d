"""Starting the host processes of a run, here and elsewhere: what the command line and ``Executor(hosts=...)`` share."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace

from fedfutures.errors import StartFailed
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import modules_in
from fedfutures.host.hosts import Hosts
from fedfutures.host.room import available_memory, refusal
from fedfutures.host.settings import Settings
from fedfutures.host.system import processors

from . import home
from . import hosts as parsing
from .assembly import Request
from .hostfile import from_hostfile
from .hosts import BadHosts, HostSpec
from .schedulers import from_environment

SEAL_BYTES = 32
COLUMNS = 80


def own_names() -> list[str]:
    """Return what this machine is called, the name that people know first."""
    node = os.uname().nodename
    return list(dict.fromkeys([node.partition(".")[0] or "localhost", node, socket.gethostname(), _full_name(node)]))


def _full_name(node: str) -> str:
    """The full name, from the machine's own tables: a resolver might take its time."""
    try:
        with open("/etc/hosts", encoding="utf-8", errors="replace") as file:
            lines = [line.partition("#")[0].split() for line in file]
    except OSError:
        return node
    return next((name for line in lines if node in line[1:] for name in line[1:] if name.startswith(f"{node}.")), node)


def wanted(hosts: Hosts) -> list[HostSpec]:
    """Return the hosts of a run, this machine first: those that are named, or those of the batch scheduler's job.

    Raises :class:`~fedfutures_launcher.hosts.BadHosts`.
    """
    names = own_names()
    if hosts.names:
        words = [word for name in hosts.names for word in name.split(",") if word]
        if not words:
            raise BadHosts("no host is named")
        specs = parsing.from_words(words)
    elif hosts.file is not None:
        try:
            specs = from_hostfile(_read(hosts.file), hosts.file)
        except OSError as error:
            raise BadHosts(f"host file {hosts.file!r}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise BadHosts(f"host file {hosts.file!r}: this is no text in UTF-8") from None
    else:
        found = from_environment(os.environ, _read)
        specs = [] if found is None else found[1]
        # A scheduler may give long names, which this machine's own tables need not have: all hosts share a domain.
        names += [spec.host for spec in specs if spec.host.partition(".")[0].lower() == names[0].lower()]
    if not any(parsing.is_local(spec, names) for spec in specs):
        specs = [HostSpec("localhost", count=None if not specs else 0), *specs]
    return parsing.in_run(specs, names)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def at_home(hosts: Hosts, spec: HostSpec, settings: Settings) -> tuple[Settings, list[str]]:
    """Return the settings for this machine with what was said of it, and the command of its interpreter.

    Where it is none of the hosts, nothing was.
    """
    if spec.count == 0:
        return home.at_home(settings)
    return home.at_home(
        settings,
        python=spec.python or hosts.python,
        prolog=spec.prolog or hosts.prolog,
        path=spec.path or hosts.path,
        pythonpath=[*spec.pythonpath, *hosts.pythonpath],
        nice=hosts.nice if spec.nice is None else spec.nice,
    )


def request_for(
    hosts: Hosts, specs: Sequence[HostSpec], settings: Settings, workers: int | None, brokers: int
) -> Request:
    """Return what the connector is to be asked for."""
    beside = modules_in(settings.path[0]) if settings.path else []
    settings = replace(settings, seal=secrets.token_bytes(SEAL_BYTES), host=specs[0].name, beside=beside)
    return Request(
        local=specs[0], hosts=list(specs[1:]), settings=settings, workers=workers, brokers=brokers,
        min_hosts=hosts.min_hosts, require_all=hosts.require_all, tunnel=hosts.tunnel, grace=hosts.grace,
        processors=processors(), python=hosts.python, prolog=hosts.prolog, path=hosts.path,
        pythonpath=list(hosts.pythonpath), nice=hosts.nice, verbosity=settings.verbosity, columns=_columns(),
        memory=available_memory(),
        ssh={"executable": hosts.ssh_executable, "config": hosts.ssh_config, "policy": hosts.host_key_policy},
    )  # fmt: skip


def _columns() -> int:
    """How wide the table of hosts may be: as the terminal, and 80 where standard error is none."""
    if sys.stderr is None or not sys.stderr.isatty():
        return COLUMNS
    return shutil.get_terminal_size((COLUMNS, 24)).columns


def start(request: Request, command: list[str] | None = None) -> HostHandle:
    """Start the host process of this machine and the connector; `command` is the local interpreter.

    Raises :class:`~fedfutures.errors.StartFailed`.
    """
    from .handle import ConnectorHandle

    return ConnectorHandle(request, command)


def start_for_executor(hosts: Hosts, settings: Settings, workers: int | None, brokers: int) -> HostHandle:
    """Start what an ``Executor(hosts=...)`` needs. Raises ValueError for hosts that cannot be meant, StartFailed."""
    specs = wanted(hosts)
    settings, command = at_home(hosts, specs[0], settings)
    if len(specs) == 1:
        count = workers or specs[0].count or processors()
        threads = max(1, processors() // count)
        if why := refusal(count, available_memory(), settings.host):
            raise StartFailed(why, 2)
        return HostHandle(replace(settings, workers=count, size=count, threads=threads), python=command)
    refuse_root(hosts, specs)
    return start(request_for(hosts, specs, settings, workers, brokers), command)


def refuse_root(hosts: Hosts, specs: Sequence[HostSpec]) -> None:
    """Raise StartFailed when root would log in to other hosts without having asked for it."""
    if os.geteuid() == 0 and len(specs) > 1 and not hosts.allow_root:
        raise StartFailed(
            "as root, Futures could do anything on the other hosts: run it as a user, or say --allow-root "
            "(for an Executor: hosts=fedfutures.Hosts(names, allow_root=True))", 2
        )  # fmt: skip
