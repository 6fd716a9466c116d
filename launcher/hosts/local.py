"""This machine: its names, and its settings, whether it is the only host or one of many.

Light on purpose: a run without other hosts loads none of the modules for them.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace

from fedfutures.host.hosts import Hosts
from fedfutures.host.settings import Settings
from fedfutures.sizes import size_of_worker

from .spec import HostSpec, folded

LOOPBACK = frozenset({"localhost", "localhost.localdomain", "127.0.0.1", "::1"})
BATCH_VARIABLES = (
    "SLURM_JOB_NODELIST", "SLURM_NODELIST", "PBS_NODEFILE", "PE_HOSTFILE", "LSB_DJOB_HOSTFILE", "LSB_MCPU_HOSTS",
    "LSB_HOSTS",
)  # fmt: skip
"""Variables in which a batch scheduler may name hosts (:mod:`.schedulers`)."""


def scheduler_of(environ: Mapping[str, str]) -> str | None:
    """Return the batch scheduler in whose job this process runs; None: it runs in none.

    >>> scheduler_of({"SLURM_JOB_ID": "7"}), scheduler_of({"JOB_ID": "7", "SGE_ROOT": "/sge"}), scheduler_of({})
    ('Slurm', 'Grid Engine', None)
    """
    if "SLURM_JOB_ID" in environ:
        return "Slurm"
    if "PBS_JOBID" in environ:
        return "PBS"
    if "PE_HOSTFILE" in environ or {"JOB_ID", "SGE_ROOT"} <= environ.keys():
        return "Grid Engine"
    return "LSF" if "LSB_JOBID" in environ else None


def own_names() -> list[str]:
    """Return the names of this machine, first the one that people know."""
    node = os.uname().nodename
    return list(dict.fromkeys([node.partition(".")[0] or "localhost", node, _full_name(node)]))


def _full_name(node: str) -> str:
    """Return the full name from /etc/hosts: a resolver might take its time."""
    try:
        with open("/etc/hosts", encoding="utf-8", errors="replace") as file:
            lines = [line.partition("#")[0].split() for line in file]
    except OSError:
        return node
    return next((name for line in lines if node in line[1:] for name in line[1:] if name.startswith(f"{node}.")), node)


def is_local(spec: HostSpec, own_names: Iterable[str]) -> bool:
    """Whether a host is this machine, to be started without ssh: a user or a port says that ssh is meant.

    >>> is_local(HostSpec("localhost"), []), is_local(HostSpec("Node7"), ["node7"]), is_local(HostSpec("::1"), [])
    (True, True, True)
    >>> is_local(HostSpec("localhost", port=22), []), is_local(HostSpec("127.0.1.1"), ["node7"])
    (False, False)
    """
    if spec.user is not None or spec.port is not None:
        return False
    return folded(spec.host) in LOOPBACK | {folded(name) for name in own_names}


def at_home(settings: Settings, options: Hosts) -> tuple[Settings, list[str]]:
    """Return the settings for this machine with its options, and the command of its interpreter."""
    front = map(os.path.abspath, options.pythonpath)
    settings = replace(
        settings,
        nice=settings.nice if options.nice is None else options.nice,
        memory_per_worker=size_of_worker(options.memory_per_worker) or settings.memory_per_worker,
        directory=os.path.abspath(options.path) if options.path else settings.directory,
        path=[*(place for place in front if place not in settings.path), *settings.path],
    )
    python = options.python or sys.executable
    if options.prolog is None:
        return settings, [python]
    script = f'. {shlex.quote(os.path.abspath(options.prolog))} && exec {shlex.quote(python)} "$@"'
    return settings, ["/bin/sh", "-c", script, "fedfutures"]


def counted(settings: Settings) -> str:
    """Return how many Brokers and Workers a host has, for people."""
    counts = ((settings.brokers, "Broker"), (settings.workers, "Worker"))
    return ", ".join(f"{count} {what}{'s' * (count > 1)}" for count, what in counts)
