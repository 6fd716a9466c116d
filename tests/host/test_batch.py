"""In which batch scheduler's job a process runs."""

from __future__ import annotations

import pytest

from fedfutures.host.batch import scheduler_of


@pytest.mark.parametrize(("environ", "scheduler"), [
    ({"SLURM_JOB_ID": "7"}, "Slurm"), ({"SLURM_JOBID": "7", "PBS_JOBID": "7"}, "Slurm"),
    ({"PBS_JOBID": "7"}, "PBS"), ({"PBS_NODEFILE": "/f"}, "PBS"),
    ({"JOB_ID": "7", "SGE_ROOT": "/sge"}, "Grid Engine"), ({"PE_HOSTFILE": "/f"}, "Grid Engine"),
    ({"LSB_JOBID": "7"}, "LSF"), ({"LSB_HOSTS": "a"}, "LSF"),
    ({}, None), ({"JOB_ID": "7"}, None), ({"SGE_ROOT": "/sge"}, None), ({"SLURM_CONF": "/etc/slurm.conf"}, None),
])  # fmt: skip
def test_the_scheduler_of_an_environment(environ: dict[str, str], scheduler: str | None) -> None:
    assert scheduler_of(environ) == scheduler
