"""Debian's Open MPI as the way to other hosts: by Slurm in a job, by ssh outside of one."""

from __future__ import annotations

import time

import pytest
from lab.fixtures import need
from lab.slurm import Slurm

from .programs import CENSUS, LONG

pytestmark = pytest.mark.batch

RUN = "python -m fedfutures"


@pytest.fixture
def nodes(slurm: Slurm) -> Slurm:
    """The Slurm, with the programs in the home."""
    need("mpiexec")
    slurm.write("census.py", CENSUS)
    slurm.write("long.py", LONG)
    return slurm


@pytest.mark.parametrize(
    "command",
    [
        f"salloc -N3 -n3 {RUN} --launcher mpiexec census.py 3",
        f"{RUN} --launcher mpiexec --hosts h1 h2 h3 -n 3 census.py 3",
    ],
    ids=["in-a-job", "by-ssh"],
)
def test_it_leads_to_all_hosts(nodes: Slurm, command: str) -> None:
    shown = nodes.run("h1", f"{command} 2>&1", 40.0)
    assert "size 3 h1=1 h2=1 h3=1" in shown.splitlines(), shown
    nodes.assert_empty(time.monotonic())


def test_copies_are_refused_in_one_line(nodes: Slurm) -> None:
    shown = nodes.run("h1", f"salloc -N3 -n3 mpiexec -n 3 {RUN} census.py 3 2>&1 || :", 40.0)
    assert shown.count("leave mpiexec out") == 1, shown
    assert "srun" not in shown
    assert "size" not in shown


def test_scancel_leaves_nothing(nodes: Slurm) -> None:
    number = nodes.batch(f"exec {RUN} --launcher mpiexec long.py 2000", "-N3", "-n6")
    nodes.await_text(f"slurm-{number}.out", "under way", 30.0)
    nodes.run("h1", f"scancel {number}")
    nodes.assert_empty(time.monotonic())
