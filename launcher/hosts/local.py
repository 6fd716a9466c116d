"""This machine: its names, and its settings, whether it is the only host or one of many.

Light on purpose: a run without other hosts loads none of the modules for them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fedfutures.host.environment import resolved, variables_of, words_of
from fedfutures.host.here import host_here
from fedfutures.host.hosts import Hosts
from fedfutures.host.settings import Settings
from fedfutures.sizes import size_of_worker

from .prologs import local_command
from .spec import BadHosts, HostSpec, folded

LOOPBACK = frozenset({"localhost", "localhost.localdomain", "127.0.0.1", "::1"})


def on_terminal() -> bool:
    """Whether this process has a terminal: ``srun`` gives one to a shell (--pty), and none to copies of a program."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return sys.stdin is not None and sys.stdin.isatty()
    return True


def processors_of_machine() -> int:
    """Return how many processors this machine, or the container of this process, has for all processes."""
    try:
        return len(os.sched_getaffinity(1))  # the first process is bound as the container is, and not by a launcher
    except OSError:
        return os.cpu_count() or 1


def threads_of(allocated: int | None, count: int | None, workers: int, processors: int) -> int:
    """Return how many threads each Worker of a host is to use for BLAS and OpenMP.

    `allocated`: how many processors a batch scheduler has given to each of `count` Workers there.

    >>> threads_of(None, None, 2, 8), threads_of(3, 4, 4, 64), threads_of(3, 4, 2, 64), threads_of(3, 4, 48, 64)
    (4, 3, 6, 1)
    """
    return max(1, (allocated * count if allocated and count else processors) // max(1, workers))


def own_names() -> list[str]:
    """Return the names of this machine, first the one that people know."""
    node = os.uname().nodename
    return list(dict.fromkeys([host_here(), node, _full_name(node)]))


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


def with_environment(hosts: Hosts) -> Hosts:
    """Return options whose environment variables all have values, those of ``env_file`` too. Raises BadHosts."""
    try:
        if not hosts.env and hosts.env_file is None:
            return hosts
        more = [] if hosts.env_file is None else words_of(Path(hosts.env_file).read_text(encoding="utf-8"))
        return replace(hosts, env=resolved([*hosts.env, *more], os.environ), env_file=None)
    except OSError as error:
        raise BadHosts(f"--env-file {hosts.env_file!r}: {error.strerror}") from None
    except ValueError as error:
        raise BadHosts(f"--env: {error}") from None


def at_home(settings: Settings, options: Hosts) -> tuple[Settings, list[str]]:
    """Return the settings for this machine with its options, and the command of its interpreter."""
    front = map(os.path.abspath, options.pythonpath)
    settings = replace(
        settings,
        nice=settings.nice if options.nice is None else options.nice,
        memory_per_worker=size_of_worker(options.memory_per_worker) or settings.memory_per_worker,
        directory=os.path.abspath(options.path) if options.path else settings.directory,
        environment=variables_of(options.env),
        preload=options.preloads,
        path=[*(place for place in front if place not in settings.path), *settings.path],
    )
    python = options.python or sys.executable
    if options.prolog is None:
        return settings, [python]
    return settings, local_command(os.path.abspath(options.prolog), python)


def counted(settings: Settings) -> str:
    """Return how many Brokers and Workers a host has, for people."""
    counts = ((settings.brokers, "Broker"), (settings.workers, "Worker"))
    return ", ".join(f"{count} {what}{'s' * (count > 1)}" for count, what in counts)
