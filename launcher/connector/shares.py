"""How many Workers each host is to have when the program asks for another number while it runs. Pure."""

from __future__ import annotations

from collections.abc import Collection

from fedfutures.wire.control import ResizeHost

from ..layout.assemble import Request
from ..layout.spread import spread


def shares_of(request: Request, hosts: Collection[str], workers: int) -> dict[str, ResizeHost]:
    """Return what each of these hosts is told: `workers` in all, divided as at the beginning.

    Hosts of a run that have all been given up, or may have no Worker, are told nothing.
    """
    specs = [spec for spec in (request.local, *request.hosts) if spec.name in hosts]
    counts = [spec.count for spec in specs]
    if not any(count != 0 for count in counts):
        return {}
    return {spec.name: ResizeHost(share, workers) for spec, share in zip(specs, spread(workers, counts))}
