"""Several copies of one command: what has started them, and what the first one says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from launching import launch, write

from fedfutures_launcher.arguments import copies

STEP = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}
ONE_TASK = {**STEP, "SLURM_STEP_NUM_TASKS": "1"}
MPI = {"OMPI_COMM_WORLD_SIZE": "3", "OMPI_COMM_WORLD_RANK": "0"}


@pytest.mark.parametrize(
    ("environ", "launcher", "count"),
    [
        (STEP, "srun", 4),
        (MPI, "mpiexec", 3),
        ({"PMI_SIZE": "2", "PMI_RANK": "0"}, "mpiexec", 2),
        ({"MV2_COMM_WORLD_SIZE": "2", "MV2_COMM_WORLD_RANK": "0"}, "mpiexec", 2),
        ({"JSM_NAMESPACE_SIZE": "2", "JSM_NAMESPACE_RANK": "0"}, "jsrun", 2),
        ({"FLUX_JOB_SIZE": "2", "FLUX_TASK_RANK": "0"}, "flux run", 2),
        ({"PBS_JOBID": "7", "PBS_TASKNUM": "2", "PBS_VNODENUM": "0"}, "pbsdsh", None),
    ],
)
def test_who_starts_copies(environ: dict[str, str], launcher: str, count: int | None) -> None:
    assert copies.copies(environ) == (launcher, count, True)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        ONE_TASK,
        {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "64", "SLURM_PROCID": "0"},  # the batch script is no step
        {**STEP, "SLURM_STEP_NUM_TASKS": "many"},
        {"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"},
        {"PBS_JOBID": "7", "PBS_TASKNUM": "1", "PBS_VNODENUM": "0"},  # the job's own shell
    ],
)
def test_who_does_not(environ: dict[str, str]) -> None:
    assert copies.copies(environ) is None


def test_a_shell_of_srun_is_one_copy() -> None:
    shell = {**STEP, "SLURM_PTY_PORT": "1234"}
    assert copies.copies(shell, on_terminal=True) is None
    assert copies.copies(shell) is not None  # a command, not a shell


@pytest.mark.host
@pytest.mark.parametrize("environ", [STEP, MPI], ids=["srun", "mpiexec"])
def test_copies_end_with_one_line(environ: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('ran')\n")
    rank = "SLURM_PROCID" if environ is STEP else "OMPI_COMM_WORLD_RANK"
    ended = launch("-n", "1", "prog.py", "a b", cwd=tmp_path, env=environ)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert "python -m fedfutures -n 1 prog.py 'a b' " in ended.err
    other = launch("-n", "1", "prog.py", cwd=tmp_path, env={**environ, rank: "1"})
    assert (other.code, other.out, other.err) == (2, "", "")
    assert launch("--hosts", "localhost", "-n", "1", "prog.py", cwd=tmp_path, env=environ).out == "ran\n"


@pytest.mark.host
def test_a_step_of_one_task_runs(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('ran')\n")
    job = {**ONE_TASK, "SLURM_JOB_NODELIST": os.uname().nodename.partition(".")[0], "SLURM_JOB_CPUS_PER_NODE": "1"}
    ended = launch("prog.py", cwd=tmp_path, env=job)
    assert (ended.code, ended.out) == (0, "ran\n"), ended.err
