"""In which batch scheduler's job a process runs, from its environment. Pure and light: every start asks it."""

from __future__ import annotations

from collections.abc import Mapping

_OF_SCHEDULERS = (
    ("Slurm", ("SLURM_JOB_ID", "SLURM_JOBID")),
    ("PBS", ("PBS_JOBID", "PBS_NODEFILE")),
    ("Grid Engine", ("PE_HOSTFILE",)),
    ("LSF", ("LSB_JOBID", "LSB_DJOB_HOSTFILE", "LSB_MCPU_HOSTS", "LSB_HOSTS")),
)
"""By batch scheduler, variables of which its jobs have at least one."""


def scheduler_of(environ: Mapping[str, str]) -> str | None:
    """Return the batch scheduler in whose job this process runs; None: there is none.

    >>> scheduler_of({"SLURM_JOB_ID": "7"}), scheduler_of({"JOB_ID": "7", "SGE_ROOT": "/opt/sge"})
    ('Slurm', 'Grid Engine')
    >>> scheduler_of({"JOB_ID": "7"})
    """
    for scheduler, variables in _OF_SCHEDULERS:
        if any(name in environ for name in variables):
            return scheduler
    return "Grid Engine" if "JOB_ID" in environ and "SGE_ROOT" in environ else None
