"""What Grid Engine has given to a job."""

from __future__ import annotations

from .given import hosts, what


def test_grid_engine_sums_queues() -> None:
    text = "n1.cluster.org 4 all.q@n1.cluster.org UNDEFINED\nn2.cluster.org 2 all.q@n2 <NULL>\nn1.cluster.org 1 b.q x\n"
    found = hosts({"PE_HOSTFILE": "/p", "NSLOTS": "7"}, {"/p": text})
    assert found == ("Grid Engine", {"n1.cluster.org": 5, "n2.cluster.org": 2})


def test_a_process_of_qrsh_has_a_slot() -> None:
    """As a real ``qrsh -inherit`` sets them; only the job script has PE_HOSTFILE."""
    task = {"JOB_ID": "1", "SGE_ROOT": "/var/lib/gridengine", "PE": "mpi", "NSLOTS": "1", "NHOSTS": "1",
            "JOB_NAME": "petask", "JOB_SCRIPT": "QRSH", "SGE_TASK_ID": "undefined"}  # fmt: skip
    assert hosts(task) == ("Grid Engine", {"localhost": 1})


def test_a_job_without_a_parallel_environment_has_its_slot() -> None:
    job = {"JOB_ID": "7", "SGE_ROOT": "/opt/sge", "SGE_TASK_ID": "3"}
    assert hosts({**job, "NSLOTS": "1"}) == ("Grid Engine", {"localhost": 1})
    assert hosts(job) == ("Grid Engine", {"localhost": 1})
    assert hosts({"JOB_ID": "7"}) is None


def test_a_slot_is_a_processor() -> None:
    for environ in ({"JOB_ID": "7", "SGE_ROOT": "/sge"}, {"PE_HOSTFILE": "/p"}):
        found = what(environ, {"/p": "n1 2 all.q@n1 UNDEFINED\n"})
        assert found is not None
        assert found.threads == 1
