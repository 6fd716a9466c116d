"""What all schedulers share: which one counts, and errors that name the variable."""

from __future__ import annotations

import pytest

from fedfutures_launcher.hosts.schedulers.allocation import Allocation
from fedfutures_launcher.hosts.spec import BadHosts

from .given import hosts

JOB = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "h[2-3]"}


def test_the_innermost_words_of_slurm_come_before_those_that_imitate_pbs() -> None:
    found = hosts({**JOB, "PBS_NODEFILE": "/f"}, {"/f": "n1\n"})
    assert found is not None
    assert found[0] == "Slurm"


@pytest.mark.parametrize(("environ", "text", "error"), [
    ({"PBS_NODEFILE": "/x"}, "", "PBS_NODEFILE='/x': cannot be read: No such file or directory"),
    ({"PBS_NODEFILE": "/f"}, " \n", "PBS_NODEFILE='/f': the file names no hosts"),
    ({"PBS_NODEFILE": "/f"}, "-oProxyCommand=sh\n", "PBS_NODEFILE='/f': '-oProxyCommand=sh' is no host name"),
    ({"PBS_NODEFILE": "/f", "PBS_NUM_PPN": "many"}, "n1", "PBS_NUM_PPN='many': 'many' is no number of at least 1"),
    ({"PE_HOSTFILE": "/f"}, "n1 four q\n", "PE_HOSTFILE='/f': the line 'n1 four q' should be HOST SLOTS ...: 'four'"),
    ({"PE_HOSTFILE": "/f"}, "n1\n", "PE_HOSTFILE='/f': the line 'n1' should be"),
    ({"LSB_MCPU_HOSTS": "a 4 b"}, "", "LSB_MCPU_HOSTS='a 4 b': should be HOST SLOTS HOST SLOTS ..."),
    ({"LSB_MCPU_HOSTS": "a b"}, "", "LSB_MCPU_HOSTS='a b': 'b' is no number of at least 1"),
    ({"LSB_DJOB_HOSTFILE": "/x"}, "", "LSB_DJOB_HOSTFILE='/x': cannot be read"),
    ({"LSB_HOSTS": "a b;c"}, "", "LSB_HOSTS='a b;c': 'b;c' is no host name"),
])  # fmt: skip
def test_broken_variables_are_named(environ: dict[str, str], text: str, error: str) -> None:
    with pytest.raises(BadHosts) as caught:
        hosts(environ, {"/f": text})
    assert str(caught.value).startswith(error)


def test_outside_of_jobs_there_is_nothing() -> None:
    assert hosts({"PATH": "/bin", "HOME": "/root"}) is None


def test_remarks_about_the_number_of_workers_are_for_those_who_say_none() -> None:
    found = Allocation("Slurm", [], None, "a", "b")
    assert found.remarks(workers=None) == ["a", "b"]
    assert found.remarks(workers=3) == ["a"]
    assert Allocation("Slurm", []).remarks(workers=None) == []


def test_a_copy_of_several_has_no_hosts() -> None:
    copy = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}
    assert hosts({"PBS_NODEFILE": "/f", **copy}, {"/f": "n1\n"}) == ("PBS", {})
    assert hosts(copy) is None
