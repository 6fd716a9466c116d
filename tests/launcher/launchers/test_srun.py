"""Slurm's launcher. tests/batch runs it in a real Slurm."""

from __future__ import annotations

from fedfutures_launcher.launchers.srun import KEPT, Srun


def test_srun_gets_no_options_from_the_variables_of_the_job() -> None:
    kept = dict.fromkeys(KEPT, "7")
    of_a_step = {"SLURM_NTASKS": "4", "SLURM_CPU_BIND": "cores", "SRUN_CPUS_PER_TASK": "2"}
    assert Srun().environment({**kept, **of_a_step, "PATH": "/bin"}) == {
        **kept, "PATH": "/bin", "SLURM_CPU_BIND": "none",
    }  # fmt: skip


def test_the_step_shares_its_node_and_is_bound_to_no_core() -> None:
    words = Srun().words("n1", "exec x", {})
    assert words == [
        "srun", "--overlap", "--nodes=1", "--ntasks=1", "--nodelist=n1", "--unbuffered", "--mpi=none", "/bin/sh",
        "-c", "exec x",
    ]  # fmt: skip
    assert Srun().by_hand("n1") == """srun --overlap -N1 -n1 -w n1 sh -c 'eval "$*"' -"""


def test_a_host_of_a_heterogeneous_job_is_found_in_its_component() -> None:
    environ = {
        "SLURM_HET_SIZE": "2", "SLURM_JOB_NODELIST_HET_GROUP_0": "n1", "SLURM_JOB_NODELIST_HET_GROUP_1": "n[2-3]",
    }  # fmt: skip
    assert [Srun().words(host, "c", environ)[1] for host in ("n1", "n2", "n3")] == [
        "--overlap", "--het-group=1", "--het-group=1",
    ]  # fmt: skip
    assert Srun().words("n2", "c", {"SLURM_HET_SIZE": "2"})[1] == "--overlap"


def test_a_step_asks_for_the_gpus_that_the_job_has_on_its_node() -> None:
    answer = (
        "JobId=1 JobName=job.sh TRES=cpu=3,node=3 JOB_GRES=gpu:3 Nodes=n[1-2] CPU_IDs=0 Mem=0 GRES=gpu:a100:2(IDX:0,2) "
        "Nodes=n3 CPU_IDs=0 Mem=0 GRES= MinCPUsNode=1\n"
    )
    found = [Srun().words(host, "c", {}, answer)[1] for host in ("n1", "n2", "n3", "n4")]
    assert found == ["--gres=gpu:a100:2", "--gres=gpu:a100:2", "--gres=none", "--overlap"]
    of_a_job = {"SLURM_JOB_ID": "7", "SLURM_GPUS": "3"}
    assert Srun().question(of_a_job) == ["scontrol", "show", "job", "-d", "-o", "7"]
    assert Srun().question({"SLURM_JOB_ID": "7"}) == [], "no GPUs, no question"
