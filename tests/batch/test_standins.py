"""Jobs of PBS and of LSF on three hosts, by stand-ins for their launchers (`standins.py`): these are no real ones."""

from __future__ import annotations

import pytest

from .standins import Standins

pytestmark = [
    pytest.mark.batch, pytest.mark.parametrize(("launcher", "job"), [("pbsdsh", "pbs_job"), ("blaunch", "lsf_job")]),
]  # fmt: skip

HOSTS = ["h1", "h1", "h2", "h2", "h3", "h3"]


def test_a_job_reaches_its_hosts_by_the_launcher(standins: Standins, launcher: str, job: str) -> None:
    words = f"python -m fedfutures --launcher {launcher} census.py h1,h2,h3"
    out, _ = standins.run_in(getattr(standins, job)(HOSTS), words)
    assert out == "6 h1 h2 h3\n"


def test_where_ssh_is_refused_the_launcher_is_tried_by_itself(standins: Standins, launcher: str, job: str) -> None:
    out, _ = standins.run_in(getattr(standins, job)(HOSTS), "python -m fedfutures census.py h1,h2,h3")
    assert out == "6 h1 h2 h3\n"
