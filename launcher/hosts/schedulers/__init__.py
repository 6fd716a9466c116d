"""What a batch scheduler has given to the job in which this process runs, from its environment. Pure.

The hosts of a job count when the user names no hosts. A module for each scheduler reads its variables.
"""

from __future__ import annotations

from collections.abc import Mapping

from fedfutures.host.batch import scheduler_of

from ...arguments.copies import copies
from . import grid_engine, lsf, pbs, slurm
from .allocation import Allocation, Read

__all__ = ["Allocation", "allocation_from"]


def allocation_from(environ: Mapping[str, str], read: Read, *, on_terminal: bool = False) -> Allocation | None:
    """Return what this job has; None: this process runs in no job. Raises BadHosts.

    `read` returns the text of a file, or raises OSError. `on_terminal`: this process has a terminal; then
    ``srun --pty`` has started a shell, not one of many copies. A copy of several has no hosts: each would take all.
    """
    scheduler = scheduler_of(environ)
    if scheduler is not None and copies(environ, on_terminal) is not None:
        return Allocation(scheduler, [])
    for allocation in (slurm.allocation, pbs.allocation, grid_engine.allocation, lsf.allocation):
        found = allocation(environ, read, on_terminal)
        if found is not None:
            return found
    return None
