"""What LSF has given to a job."""

from __future__ import annotations

from .given import hosts, what


def test_lsf_prefers_what_is_whole() -> None:
    job = {"LSB_DJOB_HOSTFILE": "/d", "LSB_MCPU_HOSTS": "a 4 b 8 a 1", "LSB_HOSTS": "c c d"}
    assert hosts(job, {"/d": "e\ne\n"}) == ("LSF", {"e": 2})
    assert hosts(job) == ("LSF", {"a": 5, "b": 8})
    assert hosts({"LSB_HOSTS": "c c d"}) == ("LSF", {"c": 2, "d": 1})
    assert hosts({"LSB_HOSTS": ""}) is None


def test_a_job_that_names_no_hosts_is_a_job() -> None:
    assert hosts({"LSB_JOBID": "7", "LSB_JOBINDEX": "2"}) == ("LSF", {})
    assert hosts({"LSB_JOBID": "7", "LSB_DJOB_NUMPROC": "4"}) == ("LSF", {"localhost": 4})
    assert hosts({"LSB_JOBID": "7", "LSB_MAX_NUM_PROCESSORS": "3"}) == ("LSF", {"localhost": 3})


def test_slots_may_have_several_processors() -> None:
    """``-n 3 -R "affinity[core(2)]"``."""
    job = {"LSB_JOBID": "7", "LSB_MCPU_HOSTS": "a 2 b 1", "LSB_AFFINITY_HOSTFILE": "/a"}
    found = what(job, {"/a": "a 0,1\na 2,3\nb 0,1 1 1\n"})
    assert found is not None
    assert found.threads == 2
    for text in ("a 0,1\nb\n", ""):
        assert (found := what(job, {"/a": text})) is not None
        assert found.threads == 1
    assert (found := what(job)) is not None
    assert found.threads == 1, "the file is on another host"
