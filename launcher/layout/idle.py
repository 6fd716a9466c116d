"""Which hosts of a batch scheduler's job a run leaves without Workers: they are paid for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..hosts.local import is_local
from ..hosts.schedulers.allocation import Allocation, some_of
from ..hosts.spec import HostSpec, folded
from .spread import spread


def remark(given: Allocation, specs: Sequence[HostSpec], workers: int | None, own_names: Sequence[str]) -> str:
    """Return a line about hosts of the job on which this run has no Worker; "": there are none.

    `specs` are the hosts of the run, `workers` the number that the user has said; None: none.

    >>> job = Allocation("Slurm", [HostSpec("h1", count=2), HostSpec("h2", count=2), HostSpec("h3", count=2)])
    >>> remark(job, job.hosts, 2, ["h1"]), remark(job, job.hosts, None, ["h1"])
    ('this run has no Worker on 1 of the 3 hosts of the job: h3', '')
    """
    shares = [1 if spec.count != 0 else 0 for spec in specs]
    if workers is not None and any(shares):
        shares = spread(workers, [spec.count for spec in specs])
    used = {_short(name) for spec, share in zip(specs, shares) if share for name in _names(spec, own_names)}
    idle = [spec.host for spec in given.hosts if used.isdisjoint(map(_short, _names(spec, own_names)))]
    if not idle:
        return ""
    return f"this run has no Worker on {len(idle):,} of the {len(given.hosts):,} hosts of the job: {some_of(idle)}"


def _names(spec: HostSpec, own_names: Sequence[str]) -> Iterable[str]:
    """Return how a host may be called: this machine has several names."""
    return (spec.host, *own_names) if is_local(spec, own_names) else (spec.host,)


def _short(name: str) -> str:
    return folded(name).partition(".")[0]
