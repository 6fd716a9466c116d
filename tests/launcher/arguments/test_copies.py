"""Several copies of one command: what has started them, and what the first one says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
        ({"LSB_JOBID": "7", "LSF_PM_TASKID": "2"}, "blaunch", None),  # the first one runs
    ],
)
def test_who_starts_copies(environ: dict[str, str], launcher: str, count: int | None) -> None:
    assert copies.copies(environ) == (launcher, count, True, None)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        ONE_TASK,
        {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "64", "SLURM_PROCID": "0"},  # the batch script is no step
        {**STEP, "SLURM_STEP_NUM_TASKS": "many"},
        {"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"},
        {"PBS_JOBID": "7", "PBS_TASKNUM": "1", "PBS_VNODENUM": "0"},  # the job's own shell
        {"LSB_JOBID": "7", "LSF_PM_TASKID": "1"},  # an interactive job
        {name: number for name, number in STEP.items() if name != "SLURM_PROCID"},
        {"SLURM_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8"},  # arrays
        {"JOB_ID": "7", "SGE_ROOT": "/sge", "SGE_TASK_ID": "3", "SGE_TASK_LAST": "8"},
        {"LSB_JOBID": "7", "LSB_JOBINDEX": "3"},
        {"PBS_JOBID": "7[3]", "PBS_ARRAY_INDEX": "3", "PBS_TASKNUM": "1"},
    ],
)
def test_who_does_not(environ: dict[str, str]) -> None:
    assert copies.copies(environ) is None


def test_a_shell_of_srun_is_one_copy() -> None:
    shell = {**STEP, "SLURM_PTY_PORT": "1234"}
    assert copies.copies(shell, on_terminal=True) is None
    assert copies.copies(shell) is not None  # a command, not a shell


def share(environ: dict[str, str], own: int, machine: int = 64) -> int:
    return copies.share(environ, copies.copies(environ), own, machine)


def test_the_innermost_launcher_counts() -> None:
    """In a job of Slurm mpiexec has its daemons started by srun, one on each node; a user may type it in a shell."""
    daemon = {**STEP, "SLURM_STEP_NUM_TASKS": "2", "SLURM_CPUS_PER_TASK": "1", "SLURM_CPUS_ON_NODE": "8"}
    ranks = {"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}
    hydra = {"PMI_SIZE": "8", "PMI_RANK": "5", "MPI_LOCALNRANKS": "4"}
    for of_mpiexec in (ranks, hydra):
        for shell in (False, True):
            environ = {**daemon, **of_mpiexec, **({"SLURM_PTY_PORT": "41269"} if shell else {})}
            assert copies.copies(environ, on_terminal=shell) == ("mpiexec", 8, False, 4)
        assert share({**daemon, **of_mpiexec}, own=64) == 2, "its part of the node, not a task of srun"
    of_srun = {**STEP, "PMI_SIZE": "4", "PMI_RANK": "0"}
    assert copies.copies(of_srun) == ("srun", 4, True, None), "srun --mpi=pmi2"
    assert copies.copies({**of_srun, "SLURM_PTY_PORT": "41269"}, on_terminal=True) is None


def test_copies_beside_a_shell_of_srun_end_as_a_shell_without_input() -> None:
    for environ, code in (
        ({**STEP, "SLURM_PROCID": "1"}, 2),
        ({**STEP, "SLURM_PROCID": "1", "SLURM_PTY_PORT": "9"}, 0),
    ):
        assert (found := copies.copies(environ)) is not None
        assert copies.exit_code(environ, found) == code


def test_a_copy_of_srun_has_the_processors_of_its_task() -> None:
    assert share({**STEP, "SLURM_CPUS_PER_TASK": "2"}, own=64) == 2
    assert share({**STEP, "SLURM_CPUS_PER_TASK": "4"}, own=2) == 2, "srun has bound it"
    assert share({**ONE_TASK, "SLURM_CPUS_PER_TASK": "2"}, own=64) == 2
    nodes = {**STEP, "SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "12"}
    assert share({**nodes, "SLURM_GTIDS": "0,1,3"}, own=64) == 4
    assert share({**nodes, "SLURM_GTIDS": "2"}, own=64) == 12
    assert share({**ONE_TASK, "SLURM_CPUS_ON_NODE": "3"}, own=64) == 3
    assert share({**STEP, "SLURM_CPUS_PER_TASK": "4"}, own=2, machine=2) == 4, "as in the job script"


def test_a_copy_of_mpiexec_has_its_part_of_the_host() -> None:
    assert share({**MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}, own=64) == 32
    assert share({**MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}, own=1) == 1, "mpiexec binds"
    assert share({**MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "100"}, own=64) == 1
    in_slurm = {**MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "2", "SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "8"}
    assert share(in_slurm, own=64) == 4
    assert share({"PMI_SIZE": "8", "PMI_RANK": "1", "MPI_LOCALNRANKS": "4"}, own=64) == 16


def test_a_copy_in_a_job_of_slots_has_its_part_of_them() -> None:
    """As mpiexec starts copies in a job of Grid Engine: on other hosts than the first the job has a single slot."""
    job = {"JOB_ID": "7", "SGE_ROOT": "/sge"}
    on_one_host = {**MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "1"}
    assert share({**job, **on_one_host, "NSLOTS": "3"}, own=64) == 1
    assert share({**job, **on_one_host, "NSLOTS": "1"}, own=64) == 1
    assert share({**job, **on_one_host, "NSLOTS": "12"}, own=64) == 4
    assert share({**job, "NSLOTS": "2"}, own=64) == 2, "no copy"
    assert share({"LSB_JOBID": "7", "LSB_DJOB_NUMPROC": "6", **on_one_host}, own=64) == 2


def test_where_nobody_says_how_many_copies_a_host_has_each_takes_one_processor() -> None:
    flux = {"FLUX_JOB_SIZE": "8", "FLUX_TASK_RANK": "3"}
    assert share(flux, own=64) == 1
    assert share(flux, own=6) == 6, "it is bound"
    pbsdsh = {"PBS_JOBID": "7", "PBS_TASKNUM": "2", "PBS_VNODENUM": "1"}
    assert share({**pbsdsh, "NCPUS": "8"}, own=64) == 1
    assert share({"NCPUS": "8"}, own=64) == 64, "not in a job of PBS"


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
    assert launch("--each", "-n", "1", "prog.py", cwd=tmp_path, env={**environ, rank: "1"}).out == "ran\n"


@pytest.mark.host
@pytest.mark.skipif(shutil.which("mpiexec") is None, reason="no mpiexec is installed")
def test_copies_of_a_real_mpiexec(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('ran')\n")
    many = ["mpiexec", "--oversubscribe", "-n", "3", sys.executable, "-m", "fedfutures"]
    environ = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    for words, code, out, lines in (([], 2, 0, 1), (["--each", "-n", "1"], 0, 3, 0)):
        ended = subprocess.run(
            [*many, *words, "prog.py"], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
        )
        assert (ended.returncode, ended.stdout.count("ran")) == (code, out), ended.stderr  # it mixes their lines
        assert ended.stderr.count("3 copies of this run: leave mpiexec out") == lines


@pytest.mark.host
def test_a_run_in_each_copy_has_its_processors(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('ran')\n")
    job = {**STEP, "SLURM_JOB_NODELIST": "h[1-4]", "SLURM_CPUS_PER_TASK": "1"}
    ended = launch("--each", "--dry-run", "prog.py", cwd=tmp_path, env=job)
    assert "1 Broker, 1 Worker\n" in ended.out
    assert "h1" not in ended.out
    ended = launch("--each", "--hosts", "h1", "--", "prog.py", cwd=tmp_path, env=job)
    assert ended.code == 2
    assert "it excludes --hosts and --hostfile" in ended.err


@pytest.mark.host
def test_a_step_of_one_task_runs(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('ran')\n")
    job = {**ONE_TASK, "SLURM_JOB_NODELIST": os.uname().nodename.partition(".")[0], "SLURM_JOB_CPUS_PER_NODE": "1"}
    ended = launch("prog.py", cwd=tmp_path, env=job)
    assert (ended.code, ended.out) == (0, "ran\n"), ended.err
