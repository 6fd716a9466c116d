"""What is asked of the connector, and what is refused before it."""

from __future__ import annotations

import os

import pytest

from fedfutures import Hosts
from fedfutures.errors import StartFailed
from fedfutures.host.settings import Settings
from fedfutures_launcher.connector import start
from fedfutures_launcher.connector.start import remarks
from fedfutures_launcher.hosts.resolve import allocation, wanted
from fedfutures_launcher.hosts.spec import HostSpec
from fedfutures_launcher.hosts.words import from_word


def test_root_is_refused_in_a_line() -> None:

    if os.geteuid() != 0:
        pytest.skip("this is not root's process")
    with pytest.raises(StartFailed) as caught:
        start.refuse_root(Hosts(["a", "b"]), [from_word("a"), from_word("b")])
    assert str(caught.value) == (
        "as root, Futures could do anything on the other hosts: run it as a user, or say --allow-root "
        "(for an Executor: hosts=fedfutures.Hosts(names, allow_root=True))"
    )
    assert caught.value.exit_code == 2


def test_a_request_has_a_seal_of_its_own() -> None:
    specs = [HostSpec("localhost", name="here"), HostSpec("a", name="a")]
    one, other = (start.request_for(Hosts(("a",)), specs, Settings("x", 1, 1), 4, 2) for _ in range(2))
    assert (one.local, one.hosts, one.workers, one.brokers) == (specs[0], specs[1:], 4, 2)
    assert one.settings.host == "here"
    assert one.settings.seal != other.settings.seal
    assert len(one.settings.seal or b"") == start.SEAL_BYTES


def test_hosts_of_a_job_without_workers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "h[7-9]", "SLURM_JOB_CPUS_PER_NODE": "1(x3)"}
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    given = allocation(Hosts())
    assert remarks(given, wanted(Hosts(), given), None) == []
    idle = "this run has no Worker on 1 of the 3 hosts of the job: h9"
    assert remarks(given, wanted(Hosts(), given), 2) == [idle]
    assert remarks(None, wanted(Hosts(["h7", "h8"])), None) == [idle]
    monkeypatch.setenv("SLURM_JOB_NODELIST", "h[7-")
    assert remarks(None, wanted(Hosts(["h7", "h8"])), None) == [], "it counts for nothing else"
