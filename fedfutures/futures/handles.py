"""Where the Workers of an Executor are: on this machine, on others too, or in a standing Federation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pickle import PicklingError
from typing import TYPE_CHECKING, Any

from ..errors import NotSupportedHere, StartFailed
from ..host import starting
from ..host.handle import HostHandle
from ..host.here import program_here, settings_here
from ..host.hosts import Hosts
from ..host.room import available_memory, refusal, warn_of_limit
from ..host.settings import Settings
from ..host.system import processors
from ..host.walltime import walltime_here
from ..program import postponing
from ..wire.calls import show_arguments

if TYPE_CHECKING:
    from .federation import Federation
    from .page_process import PageProcess


def joined(name: str, settings: Settings, workers: int | None) -> HostHandle:
    """Return the handle of a run in a standing Federation; it has at most `workers` Workers. Raises StartFailed."""
    from ..standing.joining import joined_handle

    return joined_handle(name, settings, workers)


def started(settings: Settings, hosts: Hosts | None, workers: int | None) -> HostHandle:
    """Start a run and return its handle; `hosts`: not on this machine alone. Raises StartFailed and PicklingError."""
    if hosts is None:
        if why := refusal(settings.workers, available_memory(), settings.host):
            raise StartFailed(why)
        warn_of_limit(settings)
        return HostHandle(settings, pass_fds=settings.descriptors)
    if settings.descriptors:
        raise PicklingError(
            "queues, pipes and values of multiprocessing in initargs reach Workers of this host alone; "
            "with hosts= use a multiprocessing.Manager that listens on the network"
        )
    settings = replace(settings, verbosity=-1)
    handle: HostHandle = starting.load_launcher().start_for_executor(hosts, settings, workers, settings.brokers)
    return handle


def federation_started(
    max_workers: int | None, initializer: Callable[..., object] | None, initargs: tuple[Any, ...],
    max_tasks_per_child: int | None, brokers: int, hosts: Hosts | None,
    bounds: tuple[float | None, float | None, int | None], output: str | PathLike[str] | None, memory: int,
    join: str | None, least: int, hides_arguments: bool,
) -> Federation:  # fmt: skip
    """Start the Federation of an Executor with Workers of its own. Raises StartFailed, ValueError and PicklingError."""
    if hides_arguments:  # for good: what is said of calls is said by the whole process
        show_arguments(False)
    walltime = walltime_here(*bounds[:2], "walltime=")
    postponing.install()
    inherited: list[int] = []
    packed = None
    if initializer is not None:
        from ..worker.initializing import pack

        packed = pack(initializer, initargs, inherited)
    settings = settings_here(
        max_workers or processors(), program=program_here(), initializer=packed,
        max_tasks_per_child=max_tasks_per_child, brokers=brokers, descriptors=inherited, memory_per_worker=memory,
        min_workers=least, hides_arguments=hides_arguments,
    )  # fmt: skip
    files = None
    if output is not None:
        from .output_files import FiledOutput

        files = FiledOutput(output)
    handle = started(settings, hosts, max_workers) if join is None else joined(join, settings, max_workers)
    # Only now the rest is loaded, while the host process loads its own.
    from .federation import Federation

    return Federation(
        handle, prefix=False, initargs=initargs, walltime=walltime, output=files, pending_bytes=bounds[2]
    )  # fmt: skip


def served(federation: Federation | None, port: bool | int) -> PageProcess:
    """Start a page beside a Federation; True: at any port. Raises NotSupportedHere for an Executor without its own."""
    if federation is None:
        raise NotSupportedHere("page= is for an Executor with Workers of its own; a launched program has --page")
    from .page_process import page_beside

    return page_beside(federation, 0 if port is True else port)
