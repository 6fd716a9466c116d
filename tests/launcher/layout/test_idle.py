"""Hosts of a job on which a run has no Worker."""

from __future__ import annotations

import pytest

from fedfutures_launcher.hosts.resolve import from_words, in_run
from fedfutures_launcher.hosts.schedulers.allocation import Allocation, allocated
from fedfutures_launcher.layout.idle import remark

JOB = allocated("Slurm", {"h1": 2, "h2": 2, "h3": 2})
OWN = ["h1", "h1.cluster.org"]


def of(words: str, workers: int | None = None) -> str:
    """Return what is said where the user names hosts, on h1."""
    return remark(JOB, in_run(from_words(words.split()), OWN), workers, OWN)


@pytest.mark.parametrize(("words", "workers", "idle"), [
    ("h1 h2 h3", None, ""),
    ("h3.cluster.org h2 localhost", None, ""),
    ("localhost", None, "2 of the 3 hosts of the job: h2, h3"),
    ("h1.cluster.org", 16, "2 of the 3 hosts of the job: h2, h3"),
    ("h2 h3", 4, "1 of the 3 hosts of the job: h1"),
    ("h1 h2 h3", 2, "1 of the 3 hosts of the job: h3"),
    ("elsewhere", None, "3 of the 3 hosts of the job: h1, h2, h3"),
])  # fmt: skip
def test_hosts_that_the_user_leaves_out(words: str, workers: int | None, idle: str) -> None:
    assert of(words, workers) == (f"this run has no Worker on {idle}" if idle else "")


def test_jobs_that_name_no_hosts() -> None:
    assert remark(Allocation("PBS", []), in_run(from_words(["a"]), OWN), None, OWN) == ""
    serial = allocated("Grid Engine", {"localhost": 1})
    assert remark(serial, in_run(from_words(["localhost"]), OWN), None, OWN) == ""
