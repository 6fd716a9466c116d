"""Options behind the program, several copies, too many Workers: what the launcher says, and when it says nothing."""

from __future__ import annotations

import doctest
import os
from pathlib import Path

import pytest
from launching import launch, write

from fedfutures import Executor
from fedfutures.errors import StartFailed
from fedfutures.host import room
from fedfutures.host.system import processors
from fedfutures_launcher import copies, splitting, suggestions
from fedfutures_launcher.suggestions import behind_the_program

STEP = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}
ONE_TASK = {**STEP, "SLURM_STEP_NUM_TASKS": "1"}
MPI = {"OMPI_COMM_WORLD_SIZE": "3", "OMPI_COMM_WORLD_RANK": "0"}


@pytest.mark.parametrize("module", [copies, room, splitting, suggestions])
def test_examples(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rest", "given", "text", "found"),
    [
        ("-n 2", "", "print(1)", ["-n 2"]),
        ("x -n2 --tunnel --hosts a", "", "print(1)", ["-n2", "--tunnel", "--hosts a"]),
        ("--hostfile=x", "", "", ["--hostfile=x"]),
        ("-n 2", "-n", "", []),  # given in front, so the second is meant for the program
        ("-n 2", "", 'parser.add_argument("-n", type=int)', []),
        ("-n 2", "", '"""Usage: prog.py [-n COUNT]"""', []),
        ("-n 2", "", "x = y-n", ["-n 2"]),  # no option
        ("-n 2", "", "import typer\n", []),
        ("-- -n 2", "", "", []),
        ("-v --path x --debug", "", "", []),  # many programs have these
    ],
)
def test_options_behind_the_program(rest: str, given: str, text: str, found: list[str]) -> None:
    assert behind_the_program(rest.split(), given.split(), text) == found


@pytest.mark.host
def test_it_is_said_once_and_the_program_gets_them(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "import sys\nprint(sys.argv[1:])\n")
    ended = launch("-n", "1", "prog.py", "--tunnel", "-n", "2", cwd=tmp_path)
    assert ended.out == "['--tunnel', '-n', '2']\n"
    assert ended.err == (
        "fedfutures: --tunnel stands behind prog.py, so prog.py gets it; options of fedfutures stand in front\n"
    )
    assert launch("-q", "prog.py", "--tunnel", cwd=tmp_path).err == ""


@pytest.mark.host
def test_a_slip_of_the_pen_in_the_program(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "")
    ended = launch("progg.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith(
        "can't open file 'progg.py': [Errno 2] No such file or directory; did you mean prog.py?\n"
    )
    assert "did you mean" not in launch("elsewhere/x.py", cwd=tmp_path).err


# ------------------------------------------------------------------------------------------------------ several copies


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


# --------------------------------------------------------------------------------------------------- too many Workers


@pytest.mark.host
def test_more_workers_than_memory_holds(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('ran')\n")
    ended = launch("-n", "100000000", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    for part in ("100,000,000 Workers", "8 MiB each", "GiB are there", "at most "):
        assert part in ended.err


@pytest.mark.host
def test_far_more_workers_than_processors(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('ran')\n")
    many = str(room.WORKERS_PER_PROCESSOR * processors() + 1)
    ended = launch("-n", many, "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "ran\n")
    assert f"processors for {many} Workers: more than 4 for each only make a run slower" in ended.err.replace(
        "processor for", "processors for"
    )
    assert launch("-q", "-n", many, "prog.py", cwd=tmp_path).err == ""


def test_an_executor_with_more_workers_than_memory_holds() -> None:
    with pytest.raises(StartFailed, match=r"100,000,000 Workers on .* need at least .* GiB are there; at most "):
        Executor(max_workers=100_000_000)


def test_what_memory_there_is() -> None:
    assert 1 << 20 < room.available_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
