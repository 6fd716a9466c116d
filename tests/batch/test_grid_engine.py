"""Job scripts on a real Grid Engine of three hosts, with 2 slots each.

What Grid Engine 8.1.9 does, measured here (control_slaves TRUE, no ENABLE_ADDGRP_KILL):

- qdel and h_rt send SIGKILL at once to every process of the script and of each task of ``qrsh -inherit``; no signal
  comes before. What ssh has started gets nothing; but the ssh client is dead, so standard input ends there.
- A task that ends by a signal ends the job, 2 to 4 s later; so does a qrsh that is killed. A task that ends with a code
  does not.
- qrsh never reads its standard input again if a lot of it was there before the task was up. A host takes as many tasks
  at a time as it has slots.
- A daemon of a task (its parent gone, a session of its own) escapes on other hosts.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest
from lab.grid_engine import GridEngine
from lab.machines import name_of, wait_until

from .programs import with_programs

pytestmark = pytest.mark.batch

RUN = "python -m fedfutures"
KILLED_SECONDS = 2.0
FILES_SECONDS = 8.0
"""The files are in the job's TMPDIR, which Grid Engine deletes itself when it has noted the end: 3 to 6 s later."""


@pytest.fixture
def hosts(grid_engine: GridEngine) -> Iterator[GridEngine]:
    """The Grid Engine, with the programs in the home."""
    yield from with_programs(grid_engine)


def said(engine: GridEngine, number: int) -> str:
    """What a job has printed, to both streams."""
    return engine.read(f"job.o{number}")


def submit(engine: GridEngine, script: str, slots: int, *options: str) -> int:
    """Submit a job with so many slots."""
    return engine.batch(script, "-pe", "mpi", str(slots), "-j", "y", *options)


def counts(engine: GridEngine, number: int) -> list[str]:
    """The line of the census: its number of Workers on each host, the smallest first."""
    [line] = [line for line in said(engine, number).splitlines() if line.startswith("size")] or [said(engine, number)]
    return sorted(word.rpartition("=")[2] for word in line.split()[2:])


# -------------------------------------------------------------------------------------------------------------- shapes


def test_a_job_runs_on_all_its_slots(hosts: GridEngine) -> None:
    number = submit(hosts, f"{RUN} census.py 5 3", 5)
    hosts.ended(number)
    assert counts(hosts, number) == ["1", "2", "2"], said(hosts, number)
    assert hosts.exit_code(number) == 3


def test_three_lines_are_enough_where_ssh_is_forbidden(hosts: GridEngine) -> None:
    hosts.forbid_ssh()
    number = hosts.batch(f"#!/bin/bash\n#$ -cwd -pe mpi 6 -j y\n{sys.executable} -m fedfutures census.py 6\n")
    hosts.await_text(f"job.o{number}", "size", 30.0)  # that a job has ended Grid Engine says 3 s later
    assert counts(hosts, number) == ["2", "2", "2"], said(hosts, number)


def test_an_interactive_command_has_its_slots(hosts: GridEngine) -> None:
    command = f"cd {hosts.home}; {sys.executable} -m fedfutures census.py 4"
    shown = hosts.run("h1", f"qrsh -now y -pe mpi 4 -N census '{command}' 2>&1", 40.0)
    assert "size 4 " in shown, shown


def test_jobs_of_an_array_side_by_side(hosts: GridEngine) -> None:
    number = submit(hosts, f"{RUN} census.py 2", 2, "-t", "1-3")
    for index in (1, 2, 3):
        hosts.await_text(f"job.o{number}.{index}", "size 2 ", 30.0)


# ---------------------------------------------------------------------------------------------------------------- ends


@pytest.mark.parametrize("launcher", ["", "--launcher ssh"], ids=["qrsh", "ssh"])
def test_qdel_leaves_nothing(hosts: GridEngine, launcher: str) -> None:
    number = submit(hosts, f"exec {RUN} {launcher} long.py 2000", 6)
    hosts.await_text(f"job.o{number}", "under way", 30.0)
    hosts.run("h1", f"qdel {number}")
    hosts.assert_empty(time.monotonic() + 1, processes_s=KILLED_SECONDS, files_s=FILES_SECONDS)


def test_the_time_limit_leaves_nothing(hosts: GridEngine) -> None:
    number = submit(hosts, f"exec {RUN} long.py 2000", 6, "-l", "h_rt=6")
    hosts.await_text(f"job.o{number}", "under way", 30.0)
    wait_until(lambda: hosts.state(number) != "r", "its time is over")
    hosts.assert_empty(time.monotonic(), processes_s=KILLED_SECONDS, files_s=FILES_SECONDS)


def test_a_job_goes_on_when_a_host_process_is_killed(hosts: GridEngine) -> None:
    number = submit(hosts, f"exec {RUN} long.py 250", 6)
    hosts.await_text(f"job.o{number}", "under way", 30.0)
    far = [host for host in hosts.hosts if not any("long.py" in line for line in hosts.left([host]))]
    first = min(hosts.processes(far[0]), key=lambda pid: ("python" not in name_of(pid), pid))
    os.kill(first, signal.SIGKILL)
    hosts.await_text(f"job.o{number}", "right", 40.0)
    hosts.ended(number)
    assert hosts.exit_code(number) == 0
