"""Slurm's launcher. tests/batch runs it in a real Slurm."""

from __future__ import annotations

from fedfutures_launcher.launchers.srun import KEPT, Srun


def test_srun_gets_no_options_from_the_variables_of_the_job() -> None:
    kept = dict.fromkeys(KEPT, "7")
    of_a_step = {"SLURM_NTASKS": "4", "SLURM_CPU_BIND": "cores", "SRUN_CPUS_PER_TASK": "2"}
    assert Srun().environment({**kept, **of_a_step, "PATH": "/bin"}) == {**kept, "PATH": "/bin"}


def test_the_step_shares_its_node_and_is_bound_to_no_core() -> None:
    words = Srun().words("n1", "exec x")
    assert words == [
        "srun", "--overlap", "--nodes=1", "--ntasks=1", "--nodelist=n1", "--cpu-bind=none", "--mpi=none", "/bin/sh",
        "-c", "exec x",
    ]  # fmt: skip
    assert Srun().by_hand("n1") == "srun --overlap -N1 -n1 -w n1"
