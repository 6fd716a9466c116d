"""What PBS and Torque have given to a job, by the variables and files of their manuals."""

from __future__ import annotations

import pytest

from fedfutures_launcher.hosts.spec import BadHosts

from .given import hosts, what


def job(text: str, **variables: str) -> tuple[dict[str, int | None], int | None, str]:
    """Return the Workers of each host, the processors of each, and what is said of that."""
    found = what({"PBS_JOBID": "7", "PBS_NODEFILE": "/f", **variables}, {"/f": text})
    assert found is not None
    assert found.scheduler == "PBS"
    return {spec.host: spec.count for spec in found.hosts}, found.threads, found.note


def test_each_line_is_a_worker() -> None:
    assert job("n1\nn2\nn1\n\n") == ({"n1": 2, "n2": 1}, None, "")
    assert hosts({"PBS_NODEFILE": "/f"}, {"/f": "n1\nn1\n"}) == ("PBS", {"n1": 2}), "without PBS_JOBID, too"
    assert hosts({"PBS_ENVIRONMENT": "PBS_BATCH"}) is None
    assert hosts({"PBS_JOBID": "7"}) == ("PBS", {}), "a job that names no hosts"


def test_select_with_mpiprocs() -> None:
    """``select=2:ncpus=8:mpiprocs=4``: each Worker has two processors. ``mpiprocs=8``: one."""
    assert job("n1\n" * 4 + "n2\n" * 4, NCPUS="8") == ({"n1": 4, "n2": 4}, 2, "")
    assert job("n1\n" * 8, NCPUS="8") == ({"n1": 8}, 1, "")


def test_select_without_mpiprocs() -> None:
    """``select=2:ncpus=8``: a line on each host, which has eight processors."""
    workers, threads, note = job("n1\nn2\n", NCPUS="8")
    assert (workers, threads) == ({"n1": 8, "n2": 8}, 1)
    assert note == (
        "PBS names each host once, with 8 processors: each processor has a Worker (mpiprocs= says another number); "
        "for one Worker on each host: -n 2"
    )
    assert job("n1\n", NCPUS="1") == ({"n1": 1}, 1, "")


def test_torque() -> None:
    """``nodes=2:ppn=4``, in the long form and with the repeats removed; ``procs=8``."""
    torque = {"PBS_NUM_PPN": "4", "PBS_NUM_NODES": "2", "PBS_NP": "8"}
    assert job("n1\n" * 4 + "n2\n" * 4, **torque) == ({"n1": 4, "n2": 4}, 1, "")
    assert job("n1\nn2\n", **torque)[:2] == ({"n1": 4, "n2": 4}, 1)
    assert job("n1\nn2\n", PBS_NP="8")[:2] == ({"n1": 4, "n2": 4}, 1)
    assert job("n1\nn2\n", PBS_NP="7")[:2] == ({"n1": 1, "n2": 1}, None), "uneven: nobody knows where"


@pytest.mark.parametrize("text", [
    "n1 n1 n2", "n1,n1,n2\n", "n1, n1\nn2", "n1:2\nn2:1", "n1:ncpus=2:mem=4gb\nn2:ncpus=1",
    "n1[0]\nn1[1]\nn2[0]", "n1[0]:ncpus=1\nn1[1]:ncpus=1\nn2[3]:ncpus=1\n", "n1:ppn=2\r\nn2\r\n",
])  # fmt: skip
def test_other_forms_of_the_file(text: str) -> None:
    assert job(text)[0] == {"n1": 2, "n2": 1}


@pytest.mark.parametrize(("text", "why"), [
    ("n1:0", "'n1:0': '0' is no number of at least 1"),
    ("n1:many", "'n1:many' is no host name"),
    ("n1[x]", "'n1[x]' is no host name"),
    ("n1;rm", "'n1;rm' is no host name"),
    (",\n", "the file names no hosts"),
])  # fmt: skip
def test_entries_that_make_no_sense(text: str, why: str) -> None:
    with pytest.raises(BadHosts) as caught:
        job(text)
    assert str(caught.value) == f"PBS_NODEFILE='/f': {why}"
