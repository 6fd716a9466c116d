"""Jobs of LSF on three hosts, by a stand-in for `blaunch` (`standins.py`): this is no real LSF."""

from __future__ import annotations

import pytest

from .standins import Standins

pytestmark = pytest.mark.batch

BLAUNCH = "python -m fedfutures --launcher blaunch"


def test_outside_of_a_job_blaunch_says_why(standins: Standins) -> None:
    _, errors = standins.run_in({}, f"{BLAUNCH} --hosts h1 h2 --min-hosts 2 census.py h1", 2)
    assert "h2: blaunch ended before the host was ready; it said: blaunch: not in a job of LSF" in errors
