"""Where the Workers of an Executor are: on this machine, on others too, or in a standing Federation."""

from __future__ import annotations

from dataclasses import replace
from pickle import PicklingError

from ..errors import StartFailed
from ..host import starting
from ..host.handle import HostHandle
from ..host.hosts import Hosts
from ..host.room import available_memory, refusal, warn_of_limit
from ..host.settings import Settings


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
