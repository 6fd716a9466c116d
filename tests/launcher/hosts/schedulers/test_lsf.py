"""What LSF has given to a job."""

from __future__ import annotations

from .given import hosts


def test_lsf_prefers_what_is_whole() -> None:
    job = {"LSB_DJOB_HOSTFILE": "/d", "LSB_MCPU_HOSTS": "a 4 b 8 a 1", "LSB_HOSTS": "c c d"}
    assert hosts(job, {"/d": "e\ne\n"}) == ("LSF", {"e": 2})
    assert hosts(job) == ("LSF", {"a": 5, "b": 8})
    assert hosts({"LSB_HOSTS": "c c d"}) == ("LSF", {"c": 2, "d": 1})
    assert hosts({"LSB_HOSTS": ""}) is None


def test_a_job_that_names_no_hosts_is_a_job() -> None:
    assert hosts({"LSB_JOBID": "7", "LSB_JOBINDEX": "2"}) == ("LSF", {})
