"""Jobs of LSF on three hosts, by a stand-in for `blaunch` (`standins.py`): this is no real LSF."""

from __future__ import annotations

import pytest

from .standins import Standins

pytestmark = pytest.mark.batch

SLOTS = ["h1", "h1", "h2", "h2", "h3", "h3"]
BLAUNCH = "python -m fedfutures --launcher blaunch"


def test_a_job_reaches_its_hosts_by_blaunch(standins: Standins) -> None:
    out, _ = standins.run_in(standins.lsf_job(SLOTS), f"{BLAUNCH} census.py h1,h2,h3")
    assert out == "6 h1 h2 h3\n"


def test_where_ssh_is_refused_blaunch_is_tried_by_itself(standins: Standins) -> None:
    out, _ = standins.run_in(standins.lsf_job(SLOTS), "python -m fedfutures census.py h1,h2,h3")
    assert out == "6 h1 h2 h3\n"


def test_outside_of_a_job_blaunch_says_why(standins: Standins) -> None:
    _, errors = standins.run_in({}, f"{BLAUNCH} --hosts h1 h2 --min-hosts 2 census.py h1", 2)
    assert "h2: blaunch ended before the host was ready; it said: blaunch: not in a job of LSF" in errors
