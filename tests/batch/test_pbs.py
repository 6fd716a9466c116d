"""Jobs of PBS on three hosts, by a stand-in for `pbsdsh` (`standins.py`): this is no real PBS.

Its tasks read /dev/null, and what they write goes to the job's output. So hosts come to a meeting.
"""

from __future__ import annotations

import signal
import time

import pytest
from lab import machines

from .standins import Standins

pytestmark = pytest.mark.batch

NODES = ["h1", "h1", "h2", "h2", "h3", "h3"]
PBSDSH = "python -m fedfutures --launcher pbsdsh"


def test_a_home_of_its_own_is_said_to_be_the_cause(standins: Standins) -> None:
    standins.lab.run("h3", f"mount -t tmpfs -o mode=777 none {standins.home}")
    try:
        _, errors = standins.run_in(standins.pbs_job(NODES), f"{PBSDSH} census.py h1", 2)
    finally:
        standins.lab.run("h3", f"umount -l {standins.home}")
    assert "perhaps that host has another home directory" in errors


def test_a_host_that_the_job_does_not_have_is_a_row_of_the_table(standins: Standins) -> None:
    words = f"{PBSDSH} -n 4 --hosts h1 h2 h3 --min-hosts 2 census.py h1,h2"
    out, errors = standins.run_in(standins.pbs_job(NODES[:4]), words)
    assert out == "4 h1 h2\n"
    assert f"h3: the job has no such host: {standins.home}/nodes does not name it" in errors


def test_outside_of_a_job_the_words_help(standins: Standins) -> None:
    _, errors = standins.run_in({}, f"{PBSDSH} --hosts h1 h2 --min-hosts 2 census.py h1", 2)
    assert "pbsdsh starts nothing outside of a job of PBS: PBS_NODEFILE is not set" in errors


def test_a_connector_that_is_killed_comes_back(standins: Standins) -> None:
    process = standins.launch(f"{PBSDSH} long.py 48", standins.pbs_job(NODES))
    assert process.stdout is not None
    assert process.stdout.readline() == "under way\n"
    standins.kill_connector()
    assert standins.ended(process)[0] == "right\n"


def test_what_passes_the_bytes_on_may_be_killed(standins: Standins) -> None:
    process = standins.launch(f"{PBSDSH} long.py 240", standins.pbs_job(NODES))
    assert process.stdout is not None
    assert process.stdout.readline() == "under way\n"
    pumps = [pid for pid in standins.processes("h2") if machines.name_of(pid) == "fedfut-meeting"]
    assert len(pumps) == 1
    machines.send(pumps, signal.SIGKILL)
    out, errors = standins.ended(process)
    assert out == "right\n"
    assert "h2: connected again" in errors


def test_nothing_is_left_when_all_of_the_first_host_is_killed_at_once(standins: Standins) -> None:
    process = standins.launch(f"{PBSDSH} long.py 500", standins.pbs_job(NODES))
    assert process.stdout is not None
    assert process.stdout.readline() == "under way\n"
    machines.send(standins.processes("h1"), signal.SIGKILL)
    since = time.monotonic()
    process.communicate(timeout=10)
    standins.assert_empty(since, ["h2", "h3"], processes_s=3.0)
